"""What judges said, read out of their journals: scores beside those of the other metrics.

A judge's journal `judge-<judge>.jsonl` lies beside the run's. A reply counts only if its key is
that of the request as it would be made now, so that no verdict outlives the answer it is about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vlmbench.judges.requests import (
    JudgeSettings,
    asked_settings,
    judge_input,
    judge_request,
    needs_retry,
)
from vlmbench.judges.results import JudgeConfig
from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.guarded import score_all
from vlmbench.metrics.judge_prompt import JudgeInput, JudgePrompt
from vlmbench.records import JournalSample, MetricScore, Response, SampleScores
from vlmbench.runs.journal import JournalContent, read_journal
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.scoring.performance import performance
from vlmbench.tasks.conditions import parse_where
from vlmbench.tasks.spec import TaskSpec

NOT_ASKED = "the judge has not been asked about this answer"


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """A metric with the replies of one judge."""

    scored: ScoredMetric
    """Its id names the judge, and so does its signature."""
    settings: JudgeSettings
    replies: Mapping[str, Response]
    """By the request's id."""

    asked: JudgeConfig

    @property
    def judge_prompt(self) -> JudgePrompt:
        """How the judge was asked."""
        judge_prompt = self.scored.metric.definition.judge_prompt
        assert judge_prompt is not None
        return judge_prompt

    def verdicts(self, name: str, sample: JournalSample, case: JudgeInput) -> list[MetricScore]:
        """What each of the judge's replies says of a sample's answer.

        Args:
            name: The sample's id, in a comparison with the order before it.
        """
        answer = Answer("", sample.references, sample.choices, sample.meta)
        return [
            self._verdict(answer, name, case, repeat) for repeat in range(self.settings.samples)
        ]

    def score(self, name: str, sample: JournalSample, case: JudgeInput) -> MetricScore:
        """The mean of the verdicts that can be read."""
        verdicts = self.verdicts(name, sample, case)
        if len(verdicts) == 1:
            return verdicts[0]
        vectors = [one.vector for one in verdicts if one.vector is not None]
        if not vectors:
            return verdicts[0]
        mean = tuple(float(number) for number in np.mean(vectors, axis=0))
        shown = ", ".join(one.extracted or "–" for one in verdicts)
        return MetricScore(mean, None, shown)

    def _verdict(
        self, answer: Answer, sample_id: str, case: JudgeInput, repeat: int
    ) -> MetricScore:
        score = MetricScore(unscored=NOT_ASKED)
        for again in (False, True):
            request = judge_request(
                self.judge_prompt, case, sample_id, self.settings, repeat=repeat, again=again
            )
            response = self.replies.get(request.sample_id)
            if response is None or response.key != request.key:
                return score
            if response.error is not None:
                return MetricScore(unscored=f"the judge gave no reply ({response.error.kind})")
            said = answer._replace(prediction=response.text or "")
            (score,) = score_all(self.scored.metric, [said])
            if not needs_retry(self.judge_prompt, response):
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
        settings = asked_settings(content.sessions)
        metrics = [judged_metric(task, name, content, how) for name, how in settings.items()]
        found.append(Judge(content, tuple(metrics)))
    return found


def judged_metric(
    task: TaskSpec, name: str, content: JournalContent, settings: JudgeSettings
) -> JudgedMetric:
    """A metric as one judge gives it.

    Args:
        name: Key of one of its metrics, or the name of any metric that a judge is asked for.

    Raises:
        UsageError: There is no such metric.
    """
    use = next((one for one in task.metrics if one.key == name), None)
    metric = load_metric(use.use, use.options) if use else load_metric(name)
    judge = content.header.model
    assert metric.definition.judge_prompt is not None
    words = metric.definition.judge_prompt.identity(images=settings.images)
    asked = JudgeConfig(str(judge["name"]), judge["fingerprint"], words, settings.signature)
    told = f"judge:{asked.judge}@{asked.fingerprint}|ask:{asked.prompt}|{asked.reply}"
    scored = ScoredMetric(
        id=f"{name}@{judge['name']}",
        metric=dataclasses.replace(metric, judge=told),
        headline=use is not None and use.key in task.headlines,
        where=parse_where(use.where) if use and use.where else None,
    )
    return JudgedMetric(scored, settings, content.responses, asked)


def with_judge_scores(
    rows: Sequence[SampleScores],
    samples: Mapping[str, JournalSample],
    responses: Mapping[str, Response],
    metrics: Sequence[JudgedMetric],
) -> list[SampleScores]:
    """The rows with judges' scores in them.

    Args:
        metrics: Those that a judge was asked for.
    """
    found = []
    for row in rows:
        sample, text = samples[row.id], responses[row.id].text
        if text is not None and metrics:
            case = judge_input(sample, text)
            own = {
                one.scored.id: one.score(row.id, sample, case)
                for one in metrics
                if one.scored.applies(sample.meta)
            }
            row = dataclasses.replace(row, scores={**row.scores, **own})
        found.append(row)
    return found


def judge_usage(judges: Iterable[Judge]) -> Iterator[tuple[str, float | None]]:
    """What asking the judges took, for `performance` in run.json; only replies that count."""
    used = [performance(one.content, [*one.content.responses.values()]) for one in judges]
    for name in ("prompt_tokens", "output_tokens", "cost_usd", "seconds"):
        known = [value for one in used if (value := one[name]) is not None]
        if used:
            yield f"judge_{name}", sum(known) if len(known) == len(used) else None
