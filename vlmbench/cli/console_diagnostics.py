"""What the commands print of diagnoses: a small table for each kind, and what does not compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench.cli.console import print_table
from vlmbench.scoring.aggregate import DIAGNOSTICS

if TYPE_CHECKING:
    from vlmbench.compare.diagnoses import Diagnosis
    from vlmbench.compare.rotation_bias import RotationBias
    from vlmbench.records import RunRecord
    from vlmbench.stats import Interval

_SCRIPTS = {"language.kana", "language.kanji", "language.latin"}


def print_answers(records: Sequence[RunRecord]) -> None:
    """What the answers of each run are like: their language, refusals, repetition, truncation."""
    names = [name for name in DIAGNOSTICS if name not in _SCRIPTS]
    rows = []
    for record in records:
        overall = {one.metric: one.value for one in record.estimates if one.slice is None}
        values = [_number(overall.get(name)) for name in names]
        rows.append([record.model, record.title, *values])
    columns = dict.fromkeys(("model", "task"), "left")
    numbers = dict.fromkeys((name.partition(".")[2] for name in names), "right")
    _print(columns | numbers, rows, "Answers: shares in a language, of refusals and so on")


def print_diagnoses(diagnoses: Sequence[Diagnosis]) -> None:
    """Visual gain, prompts, rotated options; nothing of what was not asked."""
    _print_gains(diagnoses)
    _print_prompts(diagnoses)
    _print_rotations(diagnoses)
    for one in diagnoses:
        for problem in one.problems:
            print(f"{one.model}: {problem}")


def _print_gains(diagnoses: Sequence[Diagnosis]) -> None:
    rows = [
        [
            *(one.model, one.task, gain.metric, gain.mode),
            *(_number(gain.plain), _number(gain.other), _number(gain.gain, signed=True)),
            _ends(gain.low, gain.high, signed=True),
            f"{gain.n}" + (f" ({gain.left_out} left out)" if gain.left_out else ""),
            gain.verdict or "no sample with an image",
        ]
        for one in diagnoses
        for gain in one.gains
    ]
    columns = dict.fromkeys(("model", "task", "metric", "mode"), "left")
    numbers = ("with image", "without", "visual gain", "95 % interval", "n")
    title = "Visual gain: with the image minus without it, paired by sample"
    _print(columns | dict.fromkeys(numbers, "right") | {"": "left"}, rows, title)


def _print_prompts(diagnoses: Sequence[Diagnosis]) -> None:
    rows = [
        [
            *(one.model, one.task, spread.metric, str(len(spread.values))),
            *(_value(spread.mean), _value(spread.spread), _value(spread.deviation)),
            f"{_value(spread.worst_value)} {spread.worst or ''}".strip(),
            str(spread.n),
        ]
        for one in diagnoses
        for spread in one.prompts
    ]
    columns = dict.fromkeys(("model", "task", "metric"), "left")
    numbers = ("prompts", "mean", "max - min", "sd", "worst", "n")
    title = "Prompts: the task's own and its paraphrases, on the same samples"
    _print(columns | dict.fromkeys(numbers, "right"), rows, title)


def _print_rotations(diagnoses: Sequence[Diagnosis]) -> None:
    rows = [
        [
            *(one.model, one.task, bias.metric, str(bias.rotations)),
            *(_value(bias.accuracy), _value(bias.consistency), _number(bias.unread)),
            _places(bias),
            str(bias.n),
        ]
        for one in diagnoses
        for bias in one.rotations
    ]
    columns = dict.fromkeys(("model", "task", "metric"), "left")
    numbers = ("rotations", "mean", "consistent", "unread", "chosen minus right", "n")
    title = "Options in every rotation"
    _print(columns | dict.fromkeys(numbers, "right"), rows, title)


def _places(bias: RotationBias) -> str:
    """The place with the largest excess, of those with a bias if there are any."""
    if not bias.places:
        return "–"
    place = max(bias.places, key=lambda one: (one.biased, abs(one.excess)))
    word = "bias" if place.biased else "no bias seen"
    interval = _ends(place.low, place.high, signed=True)
    return f"{place.letter} {_number(place.excess, signed=True)} {interval} {word}"


def _print(columns: dict[str, str], rows: Sequence[Sequence[str]], title: str) -> None:
    if rows:
        print_table(columns, rows, title=title)


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def _ends(low: float | None, high: float | None, *, signed: bool = False) -> str:
    return f"[{_number(low, signed=signed)}, {_number(high, signed=signed)}]"


def _value(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{_number(interval.value)} {_ends(interval.low, interval.high)}"
