"""Whether a judge can be trusted: what it could not say, and what its grades go along with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vlmbench.judges.agreement import krippendorff_alpha, rank_correlation
from vlmbench.judges.requests import judge_input
from vlmbench.judges.results import (
    CheckRecord,
    ComparedRun,
    JudgeCheck,
    about,
    compared_run,
    write_result,
)
from vlmbench.judges.scores import JudgedMetric, judge_journal, read_judges
from vlmbench.metrics.base import Metric
from vlmbench.records import MetricScore
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal
from vlmbench.stats import value_of
from vlmbench.tasks.registry import journal_task


def check_judge(directory: RunDir, judge: str, *, seed: int = 0) -> CheckRecord:
    """Look at all verdicts of a judge about a run, and write down what they are like.

    Args:
        directory: The run's; the record lies beside the judge's journal, see `check_path`.

    Raises:
        VlmbenchError: See `read_journal`, `read_judges` and `write_result`.
    """
    content = read_journal(directory.journal)
    judges = read_judges(directory.path, journal_task(content.header))
    metrics = [metric for one in judges if one.name == judge for metric in one.metrics]
    lengths: dict[str, list[int]] = {one.scored.id: [] for one in metrics}
    verdicts: dict[str, list[list[MetricScore]]] = {one.scored.id: [] for one in metrics}
    clusters: dict[str, list[str]] = {one.scored.id: [] for one in metrics}
    for name, sample in sorted(content.asked.items(), key=lambda item: item[1].index):
        text = content.responses[name].text
        if text is None:
            continue
        case = judge_input(sample, text)
        for one in metrics:
            if one.scored.applies(sample.meta):
                lengths[one.scored.id].append(len(case.answer))
                verdicts[one.scored.id].append(one.verdicts(name, sample, case))
                clusters[one.scored.id].append(sample.cluster or name)
    side = compared_run(content)
    record = CheckRecord(
        about([side], seed),
        tuple(
            _check(
                side,
                one,
                verdicts[one.scored.id],
                lengths[one.scored.id],
                clusters[one.scored.id],
                seed,
            )
            for one in metrics
        ),
    )
    write_result(check_path(directory, judge), record)
    return record


def check_path(directory: RunDir, judge: str) -> Path:
    """Where it is written down what a judge's verdicts about a run are like."""
    return judge_journal(directory.path, judge).with_suffix(".json")


def _check(
    side: ComparedRun,
    judged: JudgedMetric,
    verdicts: Sequence[Sequence[MetricScore]],
    lengths: Sequence[int],
    clusters: Sequence[str],
    seed: int,
) -> JudgeCheck:
    metric = judged.scored.metric
    values = [[_value(metric, one) for one in several] for several in verdicts]
    known = [[value for value in several if value is not None] for several in values]
    graded = [
        (float(np.mean(some)), length, cluster)
        for some, length, cluster in zip(known, lengths, clusters, strict=True)
        if some
    ]
    return JudgeCheck(
        side.name,
        side.task or "",
        judged.scored.id,
        judged.asked,
        metric.signature,
        answers=len(verdicts),
        unscored=sum(not one for one in known),
        verbosity=rank_correlation(
            [grade for grade, _, _ in graded],
            [length for _, length, _ in graded],
            clusters=[cluster for _, _, cluster in graded],
        ),
        consistency=(
            krippendorff_alpha(values, level="interval", clusters=clusters, seed=seed)
            if judged.settings.samples > 1
            else None
        ),
    )


def _value(metric: Metric, score: MetricScore) -> float | None:
    """A verdict as a number: what the metric comes to on this answer alone."""
    if score.vector is None:
        return None
    return value_of(np.array([score.vector]), metric.combine)
