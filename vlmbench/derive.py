"""The second half of the pipeline: what a journal holds, scored, aggregated and recorded.

journal.jsonl (and judge-*.jsonl) -> scores.jsonl, run.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from vlmbench.judges.bounds import with_judged_bounds
from vlmbench.judges.scores import add_judge_scores, judge_usage, read_judges
from vlmbench.metrics.base import load_metric
from vlmbench.records import Coverage, Response, RunRecord, Sample, SampleScores
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import JournalContent, Session
from vlmbench.runs.spool import Spool
from vlmbench.scoring.aggregate import ScoredMetric, sizes_of, table_estimates, with_diagnostics
from vlmbench.scoring.encoded import add_encoder_scores
from vlmbench.scoring.extra import with_extra
from vlmbench.scoring.performance import UsageStats
from vlmbench.scoring.stream import stream_scores
from vlmbench.scoring.table import ScoreTable
from vlmbench.tasks.conditions import parse_where
from vlmbench.tasks.restore import restored
from vlmbench.tasks.samples import load_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import Variant, restore_variant


def score(directory: RunDir, *, extra: Sequence[ScoredMetric] = ()) -> RunRecord:
    """Derive scores.jsonl and run.json again from the journal; needs the data, but no model.

    Args:
        directory: The run's.
        extra: Metrics beside the task's own. They are no headline metrics, and the next call
            without them leaves them out again.

    Raises:
        JournalError: The journal cannot be read.
        DataError: The data is no longer what the model was asked about.
    """
    content, task = restored(directory)
    metrics = with_extra(load_metrics(task), extra)
    samples = load_texts(task, restore_variant(content.header.variant))
    return derive(directory, content, task, samples, metrics)


def derive(
    directory: RunDir,
    content: JournalContent,
    task: TaskSpec,
    samples: Collection[Sample],
    metrics: Sequence[ScoredMetric],
) -> RunRecord:
    """Score, aggregate and record what a journal holds, one sample after the other."""
    metrics = with_diagnostics(metrics)
    session = content.sessions[-1] if content.sessions else Session("", None, 0, {})
    variant = restore_variant(content.header.variant)
    judges = read_judges(directory.path, task)
    judged = [metric for judge in judges for metric in judge.metrics]
    everything = [*metrics, *(one.scored for one in judged)]
    usage, errors = UsageStats(), Counter[str]()

    def rows() -> Iterator[SampleScores]:
        scored = score_all(content, task, samples, metrics, limit=session.limit)
        if judged:
            images = any(one.settings.images for one in judged)
            asked_about = _with_rows(task, variant, images=images)
            scored = add_judge_scores(scored, task, asked_about, judged)
        for row, response in scored:
            usage.add(response)
            if row.error is not None:
                errors[row.error] += 1
            yield row

    directory.write_scores(rows())
    table = ScoreTable(directory.stream_scores(), sizes_of(everything), task.slices)
    total = asked_count(samples, variant, session.limit)
    found = table_estimates(table, everything, total=total, seed=session.seed)
    wanted = islice(samples, session.limit)
    asked = [one for one in wanted if variant is None or variant.concerns(one)] if judged else ()
    verdicts = {row.id: row.scores for row in directory.stream_scores()} if judged else {}
    record = RunRecord(
        model=content.header.model["name"],
        task=task.name,
        model_spec=content.header.model,
        task_spec=_task_card(task),
        fingerprints=content.header.fingerprints,
        estimates=with_judged_bounds(found, verdicts, asked, judged),
        coverage=Coverage(total, len(table) - errors.total(), dict(sorted(errors.items()))),
        performance={**usage.performance(content), **dict(judge_usage(judges))},
        environment=session.environment,
        seed=session.seed,
        created=session.created,
        limit=session.limit,
        variant=variant.label if variant else None,
    )
    directory.write_record(record)
    return record


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


def load_texts(task: TaskSpec, variant: Variant | None = None) -> Spool[Sample]:
    """All samples of the task without images and rows: what scoring and baselines look at."""
    samples = load_samples(task, images=False)
    return Spool(
        map(variant.of_sample, samples) if variant else samples,
        pack=lambda sample: (sample.id, sample.references, sample.choices, sample.meta),
        unpack=lambda texts: Sample(texts[0], (), texts[1], {}, texts[2], texts[3]),
    )


def asked_count(samples: Collection[Sample], variant: Variant | None, limit: int | None) -> int:
    """How many samples a run is to answer."""
    if variant is None:
        return len(samples) if limit is None else min(limit, len(samples))
    return sum(map(variant.concerns, islice(samples, limit)))


def score_all(
    content: JournalContent,
    task: TaskSpec,
    samples: Collection[Sample],
    metrics: Sequence[ScoredMetric],
    *,
    limit: int | None,
) -> Iterator[tuple[SampleScores, Response]]:
    """The scores of what a journal holds, in the order of the samples."""
    # The metrics see all samples, so that a limited run is scored by the same yardstick.
    encoded = [metric for metric in metrics if metric.metric.definition.encoder]
    others = [metric for metric in metrics if not metric.metric.definition.encoder]
    rows = stream_scores(samples, content.responses, others, slices=task.slices, limit=limit)
    if not encoded:
        return rows
    looks = any(metric.metric.definition.encoder == "images" for metric in encoded)
    return add_encoder_scores(rows, samples, load_samples(task) if looks else samples, encoded)


def _with_rows(task: TaskSpec, variant: Variant | None, *, images: bool) -> Iterator[Sample]:
    """All samples with their rows, as they are asked about."""
    samples = load_samples(task, images=images)
    return map(variant.of_sample, samples) if variant else samples


def _task_card(task: TaskSpec) -> dict[str, Any]:
    values = task.as_dict()
    values["data"].pop("local")  # a directory of this machine, which concerns no reader
    kept = ("data", "prompt", "system", "generation", "metrics", "slices", "image_order")
    return {**values["display"], **{name: values[name] for name in kept}}
