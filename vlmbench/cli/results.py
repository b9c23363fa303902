"""The tables at the end of `run`, `score` and `judge run`: estimates, groups, diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from vlmbench.cli.console import interval, number, print_json, print_table, value_and_interval
from vlmbench.compare.diagnoses import Diagnosis, diagnoses
from vlmbench.compare.rotation_bias import RotationBias
from vlmbench.records import Estimate, RunRecord
from vlmbench.runs.directory import RunDir
from vlmbench.scoring.aggregate import DIAGNOSTICS
from vlmbench.scoring.groups import GroupScore, group_scores
from vlmbench.stats import FEW
from vlmbench.text.visible import visible

_SCRIPTS = {"language.kana", "language.kanji", "language.latin"}


def print_results(
    records: Sequence[RunRecord], runs: Sequence[RunDir], *, json: bool, slices: bool = False
) -> None:
    """Everything about these records.

    Args:
        runs: Their directories, in the same order.
        json: As one JSON document, which has the slices in any case.
        slices: Print the headline metrics by slice too.
    """
    directories = {(one.model, one.title): run for one, run in zip(records, runs, strict=True)}
    plain = [one for one in records if one.variant is None]
    groups = group_scores(plain, lambda one: directories[one.model, one.task].read_scores())
    found = [*diagnoses(runs).values()]
    if json:
        values = {
            "runs": [asdict(one) for one in plain],
            "variants": [asdict(one) for one in records if one.variant is not None],
            "groups": [asdict(one) for one in groups],
            "diagnostics": [asdict(one) for one in found],
        }
        print_json(values)
        return
    _print_estimates(plain or records)
    if slices:
        _print_slices(plain or records)
    _print_clean_parts(plain)
    _print_groups(groups)
    _print_answers(records)
    _print_diagnoses(found)


def _print_estimates(records: Sequence[RunRecord]) -> None:
    """The overall estimates, but those that `_print_answers` shows."""
    shown = [
        (record, estimate)
        for record in records
        for estimate in record.estimates
        if estimate.slice is None and (estimate.headline or estimate.metric not in DIAGNOSTICS)
    ]
    columns = {
        "model": [record.model for record, _ in shown],
        "task": [record.title for record, _ in shown],
        "metric": [one.metric + (" *" if one.headline else "") for _, one in shown],
        ">value": [number(one.value) for _, one in shown],
        ">95 % interval": [_interval_and_bounds(one) for _, one in shown],
        ">n": [str(one.n) for _, one in shown],
        ">part": [record.part or "" for record, _ in shown],
        ">unscored": [str(one.unscored) for _, one in shown],
        ">errors": [str(sum(record.coverage.errors.values())) for record, _ in shown],
    }
    if not any(columns[">part"]):
        del columns[">part"]
    if all(one.unscored == 0 for _, one in shown):
        del columns[">unscored"]
    print_table([*columns], zip(*columns.values(), strict=True))
    print("* headline metric: on the leaderboard, and compared by the gate")
    if few := _few(records):
        print(f"Note: too few independent samples to call a gain or loss on: {', '.join(few)}.")
    for note in dict.fromkeys(note for record in records for note in _data_notes(record)):
        print(f"Note: {visible(note)}")


def _few(records: Sequence[RunRecord]) -> list[str]:
    """Tasks with fewer independent samples than a verdict takes, and how many they have."""
    found = dict.fromkeys(
        f"{record.title} ({one.clusters})"
        for record in records
        for one in record.estimates
        if one.slice is None and one.headline and 0 < one.clusters < FEW
    )
    return [*found]


def _data_notes(record: RunRecord) -> Iterator[str]:
    """What a reader of the numbers should know of the data behind them."""
    if record.part is not None:
        yield (
            f"{record.title} was asked in part, {record.part} samples, drawn evenly over subsets "
            f"and slices with seed {record.seed}."
        )
    if record.without_image:
        yield (
            f"{record.without_image:,} of {record.coverage.total:,} samples of {record.title} were "
            "asked without a picture, as their rows hold none."
        )
    if record.other_size is not None:
        yield record.other_size


def _print_slices(records: Sequence[RunRecord]) -> None:
    """Headline metrics by slice."""
    rows = [
        [
            record.model,
            record.title,
            one.metric,
            ", ".join(f"{name}={value}" for name, value in one.slice.items()),
            number(one.value),
            _interval_and_bounds(one),
            str(one.n),
        ]
        for record in records
        for one in record.estimates
        if one.slice is not None and one.headline
    ]
    headings = ("model", "task", "metric", "slice", ">value", ">95 % interval", ">n")
    print_table(headings, rows, title="Slices of the headline metrics")
    if not rows:
        print("None of these tasks has slices; 'slices:' in a task file names fields of its meta.")


def _print_clean_parts(records: Sequence[RunRecord]) -> None:
    """Headline metrics on the samples that training did not see, and what was not compared."""
    rows = [
        [
            record.model,
            record.title,
            one.metric,
            number(one.value),
            interval(one.low, one.high),
            str(one.n),
            str(len(record.overlap.seen)),
        ]
        for record in records
        if record.overlap is not None
        for one in record.clean
    ]
    print_table(
        ("model", "task", "metric", ">clean part", ">95 % interval", ">n", ">seen in training"),
        rows,
        title="Clean part: the samples that the model was not trained on",
    )
    unknown: dict[str, list[str]] = {}
    for record in records:
        if record.overlap is not None and not record.overlap.compared:
            unknown.setdefault(record.model, []).append(record.title)
    for model, titles in unknown.items():
        print(
            f"Note: the training data of {model} was not compared with {', '.join(titles)}, so "
            "nobody knows whether it was trained on these samples."
        )


def _interval_and_bounds(estimate: Estimate) -> str:
    text = interval(estimate.low, estimate.high)
    if estimate.bounds is not None:
        low, high = estimate.bounds
        why = f"{estimate.unscored} unscored" if "|judge:" in estimate.signature else "incomplete"
        text += f" {why}: {number(low)} to {number(high)} possible"
    return text


def _print_groups(groups: Sequence[GroupScore]) -> None:
    """The score of each group that was run as a whole, followed by those of its tasks."""
    rows = []
    for group in groups:
        ends = interval(group.low, group.high)
        rows.append([group.model, group.group, "", number(group.value), ends, group.reason])
        rows += [["", "", task, number(value), "", ""] for task, value in group.parts.items()]
    headings = ("model", "group", "task", ">value", ">95 % interval", "note")
    print_table(
        headings, rows, title="Groups: 0 is chance, 1 the best possible; plain mean over tasks"
    )


def _print_answers(records: Sequence[RunRecord]) -> None:
    names = [name for name in DIAGNOSTICS if name not in _SCRIPTS]
    rows = []
    for record in records:
        overall = {one.metric: one.value for one in record.estimates if one.slice is None}
        shares = [number(overall.get(name)) for name in names]
        rows.append([record.model, record.title, *shares])
    # The first word alone, so that all of them fit a terminal.
    headings = [
        "model",
        "task",
        *(f">{name.partition('.')[2].partition('_')[0]}" for name in names),
    ]
    print_table(headings, rows, title="Answers: share that is in a language, refuses, repeats ...")


def _print_diagnoses(found: Sequence[Diagnosis]) -> None:
    gains = [
        [
            one.model,
            one.task,
            gain.metric,
            gain.mode,
            number(gain.plain),
            number(gain.other),
            number(gain.gain, signed=True),
            interval(gain.low, gain.high, signed=True),
            f"{gain.n}" + (f" ({gain.left_out} left out)" if gain.left_out else ""),
            gain.verdict or "no sample with an image",
        ]
        for one in found
        for gain in one.gains
    ]
    names = ("model", "task", "metric")
    print_table(
        (*names, "mode", ">with image", ">without", ">visual gain", ">95 % interval", ">n", ""),
        gains,
        title="Visual gain: with the image minus without it, paired by sample",
    )
    prompts = [
        [
            one.model,
            one.task,
            spread.metric,
            str(len(spread.values)),
            value_and_interval(spread.mean),
            value_and_interval(spread.spread),
            value_and_interval(spread.deviation),
            f"{value_and_interval(spread.worst_value)} {spread.worst or ''}".strip(),
            str(spread.n),
        ]
        for one in found
        for spread in one.prompts
    ]
    print_table(
        (*names, ">prompts", ">mean", ">max - min", ">sd", ">worst", ">n"),
        prompts,
        title="Prompts: the task's own and its paraphrases, on the same samples",
    )
    rotations = [
        [
            one.model,
            one.task,
            bias.metric,
            str(bias.rotations),
            value_and_interval(bias.accuracy),
            value_and_interval(bias.consistency),
            number(bias.unread),
            _largest_excess(bias),
            str(bias.n),
        ]
        for one in found
        for bias in one.rotations
    ]
    print_table(
        (*names, ">rotations", ">mean", ">consistent", ">unparsed", ">chosen minus right", ">n"),
        rotations,
        title="Options: every rotation of the multiple-choice options",
    )
    for one in found:
        for problem in one.problems:
            print(f"{one.model}: {problem}")


def _largest_excess(bias: RotationBias) -> str:
    """Of the position with the largest excess; of those with a bias, if there are any."""
    if not bias.places:
        return "–"
    place = max(bias.places, key=lambda one: (one.biased, abs(one.excess)))
    ends = interval(place.low, place.high, signed=True)
    word = "bias" if place.biased else "no bias seen"
    return f"{place.letter} {number(place.excess, signed=True)} {ends} {word}"
