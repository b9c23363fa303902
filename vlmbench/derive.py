"""The second half of the pipeline: what a journal holds, scored, aggregated and recorded.

journal.jsonl (and judge-*.jsonl) -> scores.jsonl, run.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from vlmbench.errors import JournalError
from vlmbench.judges.bounds import with_judged_bounds
from vlmbench.judges.scores import judge_usage, read_judges, with_judge_scores
from vlmbench.metrics.base import load_metric
from vlmbench.records import (
    Coverage,
    Estimate,
    RunRecord,
    Sample,
    SampleScores,
    TrainingOverlap,
    stable_hash,
)
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import JournalContent, read_journal
from vlmbench.scoring.aggregate import ScoredMetric, estimates, with_diagnostics
from vlmbench.scoring.extra import with_extra
from vlmbench.scoring.performance import performance
from vlmbench.scoring.sample_scores import score_samples
from vlmbench.tasks.conditions import parse_where
from vlmbench.tasks.journal_images import journal_images
from vlmbench.tasks.registry import journal_task
from vlmbench.tasks.row_problems import Problems, text_problems
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import Variant, restore_variant


def score(
    directory: RunDir,
    *,
    extra: Sequence[ScoredMetric] = (),
    notify: Callable[[str], None] = lambda sentence: None,
) -> RunRecord:
    """Derive scores.jsonl and run.json again from the journal: no model, and no data set.

    Args:
        extra: Metrics beside the task's own. They are no headline metrics, and the next call
            without them leaves them out again.
        notify: Called with what a person should know, a sentence each.

    Raises:
        JournalError: The journal cannot be read, or the run has not begun.
        DataError: A metric looks at images, and they are neither kept nor in the data set.
    """
    content = read_journal(directory.journal)
    if damage := content.damage(directory.journal):
        notify(damage)
    if not content.sessions:
        raise JournalError(
            f"The run in {directory.path} was stopped before its first answer, so there is nothing "
            "to score; run the same 'vlmbench run' again."
        )
    task = journal_task(content.header)
    return derive(directory, content, task, with_extra(load_metrics(task), extra))


def derive(
    directory: RunDir,
    content: JournalContent,
    task: TaskSpec,
    metrics: Sequence[ScoredMetric],
) -> RunRecord:
    """Score, aggregate and record what a journal holds."""
    metrics = with_diagnostics(metrics)
    session = content.sessions[-1]
    samples = content.asked
    judges = read_judges(directory.path, task)
    judged = [metric for judge in judges for metric in judge.metrics]
    rows = score_samples(
        samples,
        content.responses,
        metrics,
        slices=task.slices,
        corpus=content.corpus,
        read_images=partial(journal_images, directory, task),
    )
    rows = with_judge_scores(rows, samples, content.responses, judged)
    total = len(rows) if session.total is None else session.total
    scored = [*metrics, *(one.scored for one in judged)]
    found = estimates(rows, scored, slices=task.slices, total=total)
    overlap = content.header.overlap
    variant = restore_variant(content.header.variant)
    record = RunRecord(
        model=content.header.model["name"],
        task=task.name,
        model_spec=content.header.model,
        task_spec=_task_card(task),
        fingerprints=content.header.fingerprints,
        estimates=with_judged_bounds(found, rows, samples, judged, total=total),
        coverage=_coverage(rows, total),
        performance={
            **performance(content, [content.responses[row.id] for row in rows]),
            **dict(judge_usage(judges)),
        },
        environment=session.environment,
        seed=session.seed,
        created=session.created,
        limit=session.limit,
        available=session.available,
        drawn=None if session.drawn is None else stable_hash(session.drawn),
        without_image=sum(not one.images for one in samples.values()) if task.fields.images else 0,
        variant=variant.label if variant else None,
        overlap=overlap,
        clean=_clean_part(rows, scored, overlap, total=total),
    )
    directory.write_scores(rows)
    directory.write_record(record)
    return record


def _clean_part(
    rows: Sequence[SampleScores],
    metrics: Sequence[ScoredMetric],
    overlap: TrainingOverlap | None,
    *,
    total: int,
) -> tuple[Estimate, ...]:
    """The headline metrics on the samples that training did not see; empty if it saw none."""
    seen = {*overlap.seen} if overlap else set()
    clean = [row for row in rows if row.id not in seen]
    if len(clean) == len(rows):
        return ()
    headlines = [one for one in metrics if one.headline]
    return estimates(clean, headlines, total=total - len(rows) + len(clean))


def load_metrics(task: TaskSpec) -> list[ScoredMetric]:
    """The task's metrics with their options, those left out that a judge is asked for.

    Raises:
        UsageError: A metric or option is unknown.
    """
    return [
        ScoredMetric(
            id=use.key,
            metric=metric,
            headline=use.key in task.headlines,
            where=parse_where(use.where) if use.where else None,
        )
        for use in task.metrics
        if (metric := load_metric(use.use, use.options)).definition.judge_prompt is None
    ]


def load_texts(
    task: TaskSpec, variant: Variant | None = None, *, problems: Problems | None = None
) -> list[Sample]:
    """All samples of the task, as they are asked, without images and rows but for the subset.

    Args:
        problems: Takes what is wrong with their texts.
    """
    samples = read_samples(task, images=False)
    if problems is not None:
        samples = _looked_at(task, samples, problems)
    asked = map(variant.of_sample, samples) if variant else samples
    return [replace(sample, row=_subset_of(sample)) for sample in asked]


def _looked_at(task: TaskSpec, samples: Iterable[Sample], problems: Problems) -> Iterator[Sample]:
    for sample in samples:
        problems.add(sample, text_problems(task, sample))
        yield sample


def _subset_of(sample: Sample) -> dict[str, Any]:
    return {"subset": sample.row["subset"]} if "subset" in sample.row else {}


def asked_count(
    samples: Sequence[Sample], variant: Variant | None, drawn: Collection[int] | None = None
) -> int:
    """How many samples a run is to answer: of all, or of those at the drawn positions."""
    chosen = samples if drawn is None else [samples[position] for position in drawn]
    return sum(variant is None or variant.concerns(one) for one in chosen)


def _coverage(rows: Sequence[SampleScores], total: int) -> Coverage:
    errors = Counter(row.error for row in rows if row.error is not None)
    return Coverage(total, len(rows) - errors.total(), dict(sorted(errors.items())))


def _task_card(task: TaskSpec) -> dict[str, Any]:
    values = task.as_dict()
    values["data"].pop("local")  # a directory of this machine, which concerns no reader
    kept = ("data", "prompt", "system", "generation", "metrics", "slices", "image_order")
    return {**values["display"], **{name: values[name] for name in kept}}
