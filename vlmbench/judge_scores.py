"""What judges said, read out of their journals: scores beside those of the other metrics.

A judge's journal `judge-<judge>.jsonl` lies beside the run's. A reply counts only if its key is
that of the request as it would be made now, so that no verdict outlives the answer it is about.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlmbench.aggregate import ScoredMetric
from vlmbench.journal import JournalContent, Session, read_journal
from vlmbench.metrics.asking import SYSTEM, Asking, Case, Vector, read_json
from vlmbench.metrics.base import Answer, Metric, load_metric
from vlmbench.performance import Effort
from vlmbench.prompt import IMAGE_MARK
from vlmbench.records import (
    Estimate,
    Generation,
    MetricScore,
    Request,
    Response,
    Sample,
    SampleScores,
    Scalar,
    TextPart,
)
from vlmbench.stats import value_of
from vlmbench.task import TaskSpec
from vlmbench.template import render
from vlmbench.where import parse_where

NOT_ASKED = "the judge has not been asked about this answer"

_PREFIX = "judge_"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How a judge is asked."""

    samples: int = 1
    """Replies to each prompt; the score is the mean of those that can be read."""
    temperature: float = 0.0
    max_new_tokens: int = 1024
    structured: bool = True
    """Whether the reply's schema goes with the request, where the judge is a service."""

    def as_scalars(self, metrics: Sequence[str]) -> dict[str, Scalar]:
        """For a session of the judge's journal."""
        values: dict[str, Scalar] = {
            f"{_PREFIX}{name}": value for name, value in dataclasses.asdict(self).items()
        }
        return {**values, f"{_PREFIX}metrics": json.dumps(list(metrics), ensure_ascii=False)}

    @property
    def signature(self) -> str:
        """The part of a metric's signature that tells them."""
        form = "schema" if self.structured else "text"
        return f"reply:{form},x{self.samples},t{self.temperature:g},{self.max_new_tokens}"


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """A metric with the replies of one judge."""

    scored: ScoredMetric
    """Its id names the judge, and so does its signature."""
    settings: JudgeSettings
    replies: Mapping[str, Response]
    """By the request's id."""

    @property
    def asking(self) -> Asking:
        """How the judge was asked."""
        asking = self.scored.metric.kind.asks
        assert asking is not None
        return asking

    def verdicts(self, sample: Sample, case: Case) -> list[MetricScore]:
        """What each of the judge's replies says of a sample's answer."""
        answer = Answer("", sample.references, sample.choices, sample.meta)
        return [
            self._verdict(answer, sample.id, case, repeat)
            for repeat in range(self.settings.samples)
        ]

    def score(self, sample: Sample, case: Case) -> MetricScore:
        """The mean of the verdicts that can be read."""
        verdicts = self.verdicts(sample, case)
        if len(verdicts) == 1:
            return verdicts[0]
        vectors = [one.vector for one in verdicts if one.vector is not None]
        if not vectors:
            return verdicts[0]
        mean = tuple(float(number) for number in np.mean(vectors, axis=0))
        shown = ", ".join(one.extracted or "–" for one in verdicts)
        return MetricScore(mean, None, shown)

    def _verdict(self, answer: Answer, sample_id: str, case: Case, repeat: int) -> MetricScore:
        score = MetricScore(unscored=NOT_ASKED)
        for again in (False, True):
            request = judge_request(
                self.asking, case, sample_id, self.settings, repeat=repeat, again=again
            )
            response = self.replies.get(request.sample_id)
            if response is None or response.key != request.key:
                return score
            if response.error is not None:
                return MetricScore(unscored=f"the judge gave no reply ({response.error.kind})")
            said = dataclasses.replace(answer, prediction=response.text or "")
            score = self.scored.metric.score(said)
            if not must_ask_again(self.asking, response):
                return score
        return score


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge's journal and the metrics that read it."""

    content: JournalContent
    metrics: tuple[JudgedMetric, ...]

    @property
    def name(self) -> str:
        """The judge's display name."""
        return str(self.content.header.model["name"])


def judged_key(estimate: str) -> str:
    """The key of the task's metric that a judge's estimate is of."""
    return estimate.rpartition("@")[0]


def judge_journal(directory: Path, name: str) -> Path:
    """Where a judge's replies about a run are kept.

    Args:
        directory: The run's.
        name: The judge's, safe as a file name.
    """
    return directory / f"judge-{name}.jsonl"


def has_header(path: Path) -> bool:
    """Whether a journal is there whose first line is whole."""
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return handle.readline().endswith(b"\n")


def read_judges(directory: Path, task: TaskSpec) -> list[Judge]:
    """The judges that have been asked about a run, by name.

    Raises:
        JournalError: A judge's journal cannot be read.
        UsageError: It is about a metric that there is no more.
    """
    found = []
    for path in sorted(directory.glob("judge-*.jsonl")):
        if not has_header(path):
            continue  # its writer was killed before the first line was whole
        content = read_journal(path)
        settings = _settings(content.sessions)
        metrics = [judged_metric(task, name, content, how) for name, how in settings.items()]
        found.append(Judge(content, tuple(metrics)))
    return found


def judged_metric(
    task: TaskSpec, name: str, content: JournalContent, settings: JudgeSettings
) -> JudgedMetric:
    """A metric as one judge gives it.

    Args:
        task: The task.
        name: Key of one of its metrics, or the name of any metric that a judge is asked for.
        content: The judge's journal.
        settings: How the judge is asked.

    Raises:
        UsageError: There is no such metric.
    """
    use = next((one for one in task.metrics if one.key == name), None)
    metric = load_metric(use.use, use.options) if use else load_metric(name)
    judge = content.header.model
    assert metric.kind.asks is not None
    told = (
        f"judge:{judge['name']}@{judge['fingerprint']}|ask:{metric.kind.asks.identity}"
        f"|{settings.signature}"
    )
    scored = ScoredMetric(
        id=f"{name}@{judge['name']}",
        metric=dataclasses.replace(metric, judge=told),
        headline=use is not None and use.key in task.headlines,
        where=parse_where(use.where) if use and use.where else None,
    )
    return JudgedMetric(scored, settings, content.responses)


def _settings(sessions: Iterable[Session]) -> dict[str, JudgeSettings]:
    """How each metric was asked for last."""
    found: dict[str, JudgeSettings] = {}
    for session in sessions:
        values: dict[str, Any] = {
            key.removeprefix(_PREFIX): value
            for key, value in session.environment.items()
            if key.startswith(_PREFIX)
        }
        names = json.loads(values.pop("metrics", "[]"))
        found.update(dict.fromkeys(names, JudgeSettings(**values)))
    return found


def judge_request(
    asking: Asking,
    case: Case,
    sample_id: str,
    settings: JudgeSettings,
    *,
    repeat: int = 0,
    again: bool = False,
) -> Request:
    """What a judge is asked about one answer.

    Args:
        asking: How.
        case: What it is told.
        sample_id: The sample's.
        settings: Of the reply.
        repeat: Which of the replies to the same prompt, from 0.
        again: The first reply could not be read.
    """
    form = "schema" if settings.structured else "text"
    return Request(
        sample_id=f"{asking.name}/{form}/{repeat}/{int(again)}/{sample_id}",
        parts=(TextPart(asking.prompt(case, again=again)),),
        generation=Generation(
            max_new_tokens=settings.max_new_tokens, temperature=settings.temperature
        ),
        system=SYSTEM,
    )


def must_ask_again(asking: Asking, response: Response) -> bool:
    """Whether a reply is there that is not of the form that was asked for."""
    if asking.schema is None or response.text is None:
        return False
    return read_json(response.text, asking.schema) is None


def case_of(task: TaskSpec, sample: Sample, answer: str, *, other: str | None = None) -> Case:
    """What a judge is told of a sample; the sample must have its row.

    Raises:
        DataError: A column is missing that the task's prompt names.
    """
    question = render(
        task.prompt,
        sample.row,
        where=f"sample '{sample.id}' of task '{task.name}'",
        choices=sample.choices,
        image=lambda number: IMAGE_MARK,
        place_marks=lambda text: text,
    )
    context = sample.meta.get("context")
    return Case(question, answer, sample.references, str(context) if context else None, other)


def add_judge_scores(
    rows: Iterable[tuple[SampleScores, Response]],
    task: TaskSpec,
    samples: Iterator[Sample],
    metrics: Sequence[JudgedMetric],
) -> Iterator[tuple[SampleScores, Response]]:
    """The rows with judges' scores in them.

    Args:
        rows: What the other metrics said, and of which response, in the order of the samples.
        task: The task.
        samples: Its samples with their rows. Read once.
        metrics: Those that a judge was asked for.
    """
    for row, response in rows:
        sample = next(one for one in samples if one.id == row.id)
        if response.text is not None:
            case = case_of(task, sample, response.text)
            own = {
                one.scored.id: one.score(sample, case)
                for one in metrics
                if one.scored.applies(sample.meta)
            }
            row = dataclasses.replace(row, scores={**row.scores, **own})
        yield row, response


def with_judged_bounds(
    estimates: Iterable[Estimate],
    scores: Mapping[str, Mapping[str, MetricScore]],
    samples: Sequence[Sample],
    metrics: Sequence[JudgedMetric],
) -> tuple[Estimate, ...]:
    """The estimates, those by a judge with the values that missing verdicts still allow.

    Args:
        estimates: All of the run's.
        scores: By sample id and metric.
        samples: All samples that the run is to answer.
        metrics: Those that a judge was asked for.
    """
    by_id = {one.scored.id: one.scored for one in metrics}
    return tuple(
        dataclasses.replace(one, bounds=_bounds(by_id[one.metric], one, samples, scores))
        if one.metric in by_id
        else one
        for one in estimates
    )


def _bounds(
    scored: ScoredMetric,
    estimate: Estimate,
    samples: Sequence[Sample],
    scores: Mapping[str, Mapping[str, MetricScore]],
) -> tuple[float, float] | None:
    """The value with the worst, and with the best, in place of each missing verdict."""
    worst: list[Vector] = []
    best: list[Vector] = []
    missing = 0
    for sample in samples:
        if not (scored.applies(sample.meta) and _in_slice(sample, estimate.slice)):
            continue
        score = scores.get(sample.id, {}).get(scored.id)
        if score is not None and score.vector is not None:
            worst.append(score.vector)
            best.append(score.vector)
            continue
        missing += 1
        ends = _extremes(scored.metric, sample.meta)
        if ends is None:
            return scored.metric.bounds
        worst.append(ends[0])
        best.append(ends[1])
    if not missing:
        return None
    low, high = (value_of(np.array(one), scored.metric.combine) for one in (worst, best))
    return low, high


def _extremes(metric: Metric, meta: Mapping[str, Scalar]) -> tuple[Vector, Vector] | None:
    if metric.kind.extremes is not None:
        return metric.kind.extremes(meta)
    if metric.bounds is None or not metric.is_mean:
        return None
    low, high = metric.bounds
    return (low,), (high,)


def _in_slice(sample: Sample, part: Mapping[str, Scalar] | None) -> bool:
    return part is None or all(
        type(sample.meta.get(field)) is type(value) and sample.meta.get(field) == value
        for field, value in part.items()
    )


def judge_usage(judges: Iterable[Judge]) -> Iterator[tuple[str, float | None]]:
    """What asking the judges took, for `performance` in run.json; only replies that count."""
    used = [_performance(one.content) for one in judges]
    for name in ("prompt_tokens", "output_tokens", "cost_usd", "seconds"):
        known = [value for one in used if (value := one[name]) is not None]
        if used:
            yield f"judge_{name}", sum(known) if len(known) == len(used) else None


def _performance(content: JournalContent) -> dict[str, float | None]:
    effort = Effort()
    for response in content.responses.values():
        effort.add(response)
    return effort.performance(content)
