"""Labels of people and of judges, side by side.

labels.jsonl                     a line {id, label} a sample, made by people
runs/m/t/judge-<judge>.jsonl     a judge's journal: its verdicts, out of scores.jsonl beside it
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from vlmbench.errors import DataError, UsageError
from vlmbench.judges.agreement import Label, Level, cohen_kappa, krippendorff_alpha
from vlmbench.judges.results import Agreement, ComparedRun, about, compared_run, labels_hash
from vlmbench.records import MetricScore, stable_hash
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.runs.journal import read_journal
from vlmbench.schema import read_jsonl


@dataclass(frozen=True, slots=True)
class LabelSet:
    """One side's labels by sample id, and where they come from."""

    side: ComparedRun
    labels: Mapping[str, Label]
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Of the samples whose images are known, by id."""


def compare_labels(
    first: LabelSet,
    second: LabelSet,
    *,
    level: Level | None = None,
    seed: int = 0,
) -> Agreement:
    """Agreement of two sets of labels by sample id.

    Args:
        level: What labels mean; None: an order if all are numbers, else names.

    Raises:
        DataError: They have no sample or no label in common, or are no numbers where they must be.
    """
    sides = [pd.Series(dict(one.labels), dtype=object) for one in (first, second)]
    both = pd.concat(sides, axis=1, join="inner").sort_index()
    if both.empty:
        raise DataError("The two sides have no sample id in common; see that they are of one run.")
    one, other = both[0].tolist(), both[1].tolist()
    known = {**second.clusters, **first.clusters}
    clusters = [known.get(name, name) for name in both.index]
    numbers = all(isinstance(label, float) for label in [*one, *other])
    if not numbers and not set(one) & set(other):
        raise DataError(
            f"The two sides have no label in common ({_some(one)} and {_some(other)}); write one "
            "side's labels as the other does."
        )
    if not numbers and level not in (None, "nominal"):
        raise DataError(f"The level '{level}' is for numbers; leave out --level.")
    chosen: Level = level or ("ordinal" if numbers else "nominal")
    return Agreement(
        about=about([first.side, second.side], seed),
        n=len(both),
        only_first=len(sides[0]) - len(both),
        only_second=len(sides[1]) - len(both),
        level=chosen,
        equal=sum(a == b for a, b in zip(one, other, strict=True)) / len(both),
        kappa=cohen_kappa(one, other, clusters=clusters, seed=seed),
        alpha=krippendorff_alpha(
            list(zip(one, other, strict=True)), level=chosen, clusters=clusters, seed=seed
        ),
    )


def agreement_path(first: Path, second: Path, agreement: Agreement, out: Path) -> Path:
    """Where an agreement is written down: in the run of the first judge that takes part.

    Args:
        out: Where it lies if both sides are files of labels.
    """
    folder = next((one.parent for one in (first, second) if _is_journal(one)), out)
    names = "-".join(safe_name(side.metric or side.name) for side in agreement.about.compared)
    # Two files of one name are two sides.
    places = stable_hash([str(one.resolve()) for one in (first, second)])[:6]
    return folder / f"{safe_name(f'agreement-{names}')}-{places}.json"


def read_labels(path: Path, *, metric: str | None = None) -> LabelSet:
    """Labels by sample id, from a file of people's labels or a judge's journal.

    Args:
        metric: Which metric of a judge's journal, such as judge.rubric; None if it has but one.

    Raises:
        DataError: The file cannot be read, or a line is no label.
        UsageError: The journal has no such metric, or several.
    """
    if _is_journal(path):
        return _verdicts(path, metric)
    labels: dict[str, Label] = {}
    for number, line in read_jsonl(path, advice="a line is {id, label}"):
        name, label = _line(line, f"line {number} of {path}")
        if name in labels:
            raise DataError(
                f"The id '{name}' stands twice in {path}, again in line {number}; leave one out."
            )
        labels[name] = label
    return LabelSet(ComparedRun(path.name, labels_hash(labels)), labels)


def _line(line: Mapping[str, Any], where: str) -> tuple[str, Label]:
    if not {"id", "label"} <= line.keys():
        raise DataError(f"The object in {where} is not {{id, label}}; correct it.")
    name, label = line["id"], line["label"]
    if not isinstance(label, str | int | float):
        raise DataError(f"The label in {where} is neither a text nor a number; correct it.")
    return str(name), _label(label)


def _label(value: Any) -> Label:
    """A number where it can be read as one; true and false as judge.correct calls them."""
    if isinstance(value, bool):
        return "correct" if value else "incorrect"
    try:
        number = float(value)
    except ValueError:
        return str(value).strip()
    return number if number == number else str(value)


def _is_journal(path: Path) -> bool:
    return path.name.startswith("judge-") and path.suffix == ".jsonl"


def _verdicts(path: Path, metric: str | None) -> LabelSet:
    judge = read_journal(path).header.model["name"]
    run = RunDir(path.parent)
    rows = run.read_scores()
    there = {name for row in rows for name in row.scores if name.endswith(f"@{judge}")}
    wanted = there if metric is None else there & {metric, f"{metric}@{judge}"}
    if len(wanted) != 1:
        raise UsageError(
            f"{path} has verdicts of {', '.join(sorted(there)) or 'no metric'}; name one of them "
            "with --metric."
        )
    name = wanted.pop()
    found = {row.id: row.scores[name] for row in rows if name in row.scores}
    labels = {key: _verdict(score) for key, score in found.items() if score.vector is not None}
    record = run.read_record()
    signatures = {one.metric: one.signature for one in record.estimates if one.slice is None}
    side = dataclasses.replace(
        compared_run(read_journal(run.journal)), metric=name, signature=signatures.get(name)
    )
    return LabelSet(side, labels, {row.id: row.cluster for row in rows if row.cluster})


def _verdict(score: MetricScore) -> Label:
    """What the judge said; the mean of several replies, and of two grades the model's."""
    said = (score.extracted or "").partition(" / ")[0]
    if not said or ", " in said:
        assert score.vector is not None
        return score.vector[0]
    return _label(said)


def _some(labels: list[Label]) -> str:
    return ", ".join(str(one) for one in sorted(set(map(str, labels)))[:3])
