"""Which of two models answers better, by a judge that sees each pair in both orders.

    pairwise-<judge>-<second>-<hash>.jsonl   beside the first run's journal: the judge's replies
    pairwise-<judge>-<second>-<hash>.json    the result

A pair's score is the mean over both orders, so that a judge who prefers the first place moves no
model; how much the place mattered is reported by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vlmbench.errors import UsageError
from vlmbench.executors.base import Executor
from vlmbench.executors.progress import Progress, ProgressCounter
from vlmbench.judges.judging import Call, effective, make_header, refuse_other_judge
from vlmbench.judges.requests import JudgeSettings, case_of
from vlmbench.judges.results import PairResult, about, compared_run
from vlmbench.judges.scores import JudgedMetric, judged_metric
from vlmbench.metrics.judge_prompt import JudgeInput
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import MetricScore, Sample, stable_hash
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.runs.journal import Journal, JournalContent, read_journal
from vlmbench.stats import Interval, share_interval
from vlmbench.tasks.restore import restored
from vlmbench.tasks.samples import load_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import restore_variant

ORDERS = ("first-second", "second-first")


def judge_pair(
    first: RunDir,
    second: RunDir,
    judge: ModelSpec,
    *,
    executor: Executor,
    settings: JudgeSettings,
    fresh: bool = False,
    seed: int = 0,
    progress: Progress = lambda done, total, errors: None,
) -> PairResult:
    """Ask a judge which of two runs' answers is better, or go on where an earlier call stopped.

    Args:
        first: A run; the judge's replies are kept beside its journal.
        second: Another run of the same task.
        judge: Who is asked.
        executor: How requests get to the judge.
        settings: How it is asked.
        fresh: Drop the judge's replies of earlier calls.
        seed: Of the bootstrap.
        progress: Told how far it is.

    Raises:
        UsageError: The runs are not two runs of the same questions.
        VlmbenchError: See `derive.restored`, `Journal` and `Executor.map`.
    """
    settings = effective(settings, judge)
    (one, task), (other, _) = restored(first), restored(second)
    _refuse_different(first, second, one, other)
    header = make_header(judge, one)
    header = dataclasses.replace(header, task={**header.task, "other": other.header.model["name"]})
    path = pair_journal(first, second, judge.name)
    pairs = _Pairs(task, one, other, settings.images)
    refuse_other_judge(path, judge, fresh=fresh)
    with Journal(path, header, fresh=fresh) as journal:
        judged = judged_metric(task, "judge.pairwise", journal.content, settings)
        about = settings.as_scalars(["judge.pairwise"])
        total = 2 * sum(1 for _ in dataclasses.replace(pairs, images=False)) * settings.samples
        call = Call(judge, executor, journal, settings, about, ProgressCounter(total, progress))
        call.ask(lambda judge_prompt: pairs.cases(), [judged.judge_prompt])
    scores = [_mean_of_orders(judged, *pair) for pair in pairs]
    return _result(judged, one, other, scores, call.errors, seed)


def pair_journal(first: RunDir, second: RunDir, judge: str) -> Path:
    """Where a judge's replies about two runs are kept.

    Raises:
        JournalError: The second run cannot be read.
    """
    name = safe_name(str(read_journal(second.journal).header.model["name"]))
    # Two runs of one name are two opponents.
    place = stable_hash(str(second.path.resolve()))[:6]
    return first.path / f"pairwise-{judge}-{name}-{place}.jsonl"


def _refuse_different(
    first: RunDir, second: RunDir, one: JournalContent, other: JournalContent
) -> None:
    if first.path.resolve() == second.path.resolve():
        raise UsageError(f"{first.path} is there twice; give the runs of two models.")
    for field in ("task", "data"):
        here, there = (run.header.fingerprints[field] for run in (one, other))
        if here != there or one.header.task["name"] != other.header.task["name"]:
            raise UsageError(
                f"{first.path} and {second.path} are not of the same questions (another {field}); "
                "give two runs of one task."
            )
    variants = [restore_variant(run.header.variant) for run in (one, other)]
    turned = any(variant is not None and variant.kind == "options" for variant in variants)
    if turned and variants[0] != variants[1]:
        raise UsageError(
            f"{first.path} and {second.path} have their options in different orders; give two "
            "runs of one order."
        )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The samples that both runs have answered."""

    task: TaskSpec
    one: JournalContent
    other: JournalContent
    images: bool
    """Whether the cases have the samples' images."""

    def __iter__(self) -> Iterator[tuple[Sample, JudgeInput, JudgeInput]]:
        """The sample with the case in both orders."""
        variant = restore_variant(self.one.header.variant)
        for sample in load_samples(self.task, images=self.images):
            sample = variant.of_sample(sample) if variant else sample
            answers = [run.responses.get(sample.id) for run in (self.one, self.other)]
            texts = [answer.text for answer in answers if answer is not None]
            if len(texts) == 2 and texts[0] is not None and texts[1] is not None:
                case = case_of(self.task, sample, texts[0], other=texts[1])
                turned = dataclasses.replace(case, answer=texts[1], other=texts[0])
                yield sample, case, turned

    def cases(self) -> Iterator[tuple[str, JudgeInput]]:
        """Both orders of every pair under an id of its own."""
        for sample, *cases in self:
            for order, case in zip(ORDERS, cases, strict=True):
                yield f"{order}/{sample.id}", case


def _mean_of_orders(
    judged: JudgedMetric, sample: Sample, case: JudgeInput, turned: JudgeInput
) -> tuple[float, float] | None:
    """Preference for the place shown first, in each order; None where one is unreadable."""
    found: list[MetricScore] = [
        judged.score(dataclasses.replace(sample, id=f"{order}/{sample.id}"), one)
        for order, one in zip(ORDERS, (case, turned), strict=True)
    ]
    straight, reverse = (score.vector for score in found)
    return None if straight is None or reverse is None else (straight[0], reverse[0])


def _result(
    judged: JudgedMetric,
    one: JournalContent,
    other: JournalContent,
    scores: Sequence[tuple[float, float] | None],
    errors: int,
    seed: int,
) -> PairResult:
    known = [pair for pair in scores if pair is not None]
    unscored = len(scores) - len(known)
    wins = [(straight + 1 - reverse) / 2 for straight, reverse in known]
    preference = _share(wins, seed)
    bounds = (sum(wins) / len(scores), (sum(wins) + unscored) / len(scores)) if scores else None
    return PairResult(
        about=about([compared_run(one), compared_run(other)], seed),
        task=str(one.header.task["name"]),
        first=str(one.header.model["name"]),
        second=str(other.header.model["name"]),
        asked=judged.asked,
        preference=preference,
        first_shown=_share([(straight + reverse) / 2 for straight, reverse in known], seed),
        consistent=_share([float(straight == 1 - reverse) for straight, reverse in known], seed),
        n=len(known),
        unscored=unscored,
        bounds=bounds if unscored else None,
        errors=errors,
        signature=judged.scored.metric.signature,
    )


def _share(values: Sequence[float], seed: int) -> Interval | None:
    """Mean with its interval; None without values."""
    if not values:
        return None
    return share_interval(np.array(values), seed=seed)
