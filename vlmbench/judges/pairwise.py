"""Which of two models answers better, by a judge that sees each pair in both orders.

    pairwise-<judge>-<second>-<hash>.jsonl   beside the first run's journal: the judge's replies
    pairwise-<judge>-<second>-<hash>.json    the result

A pair's score is the mean over both orders, so that a judge who prefers the first place moves no
model; how much the place mattered is reported by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vlmbench.errors import UsageError
from vlmbench.executors.base import Executor
from vlmbench.executors.progress import Progress, ProgressCounter
from vlmbench.judges.judging import (
    Call,
    effective,
    judge_header,
    judged_images,
    refuse_other_judge,
)
from vlmbench.judges.requests import JudgeSettings, judge_input
from vlmbench.judges.results import PairResult, about, compared_run
from vlmbench.judges.scores import JudgedMetric, judged_metric
from vlmbench.metrics.judge_prompt import JudgeInput, JudgePrompt
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Image, JournalSample, stable_hash
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.runs.journal import Journal, JournalContent, read_journal
from vlmbench.stats import Interval, share_interval
from vlmbench.tasks.registry import journal_task
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
        fresh: Drop the judge's replies of earlier calls.
        progress: Called with the numbers of pairs that are done, in all, and of errors.

    Raises:
        UsageError: The runs are not two runs of the same questions.
        VlmbenchError: See `Journal` and `Executor.map`.
    """
    settings = effective(settings, judge)
    one, other = read_journal(first.journal), read_journal(second.journal)
    task = journal_task(one.header)
    _refuse_different(first, second, one, other)
    header = judge_header(judge, one)
    header = dataclasses.replace(header, task={**header.task, "other": other.header.model["name"]})
    path = pair_journal(first, second, judge.name)
    pairs = _pairs(one, other)
    refuse_other_judge(path, judge, fresh=fresh)
    with Journal(path, header, fresh=fresh) as journal:
        judged = judged_metric(task, "judge.pairwise", journal.content, settings)
        about = settings.as_scalars(["judge.pairwise"])
        total = 2 * len(pairs) * settings.samples
        call = Call(judge, executor, journal, settings, about, ProgressCounter(total, progress))
        samples = {name: pair.sample for name, pair in pairs.items()}

        def inputs(prompt: JudgePrompt) -> Iterator[tuple[str, JudgeInput]]:
            for name, images in judged_images(first, task, samples, settings.images):
                yield from pairs[name].inputs(name, images)

        call.ask(inputs, [judged.judge_prompt])
    scores = [_preferences(judged, name, pair) for name, pair in pairs.items()]
    clusters = [pair.sample.cluster or name for name, pair in pairs.items()]
    return _result(judged, one, other, scores, clusters, call.errors, seed)


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
class _Pair:
    """The two answers to a sample that both runs have answered."""

    sample: JournalSample
    first: str
    second: str

    def inputs(
        self, name: str, images: Mapping[str, Image] | None
    ) -> Iterator[tuple[str, JudgeInput]]:
        """Both orders, each under an id of its own."""
        answers = (self.first, self.second), (self.second, self.first)
        for order, (answer, other) in zip(ORDERS, answers, strict=True):
            case = judge_input(self.sample, answer, other=other, images=images)
            yield f"{order}/{name}", case


def _pairs(one: JournalContent, other: JournalContent) -> dict[str, _Pair]:
    """By sample id, in the order of the data."""
    found = {}
    for name, sample in sorted(one.samples.items(), key=lambda item: item[1].index):
        answers = [run.responses[name].text for run in (one, other) if name in run.responses]
        if len(answers) == 2 and answers[0] is not None and answers[1] is not None:
            found[name] = _Pair(sample, answers[0], answers[1])
    return found


def _preferences(judged: JudgedMetric, name: str, pair: _Pair) -> tuple[float, float] | None:
    """Preference for the place shown first, in each order; None where one is unreadable."""
    straight, reverse = (
        judged.score(key, pair.sample, case).vector for key, case in pair.inputs(name, None)
    )
    return None if straight is None or reverse is None else (straight[0], reverse[0])


def _result(
    judged: JudgedMetric,
    one: JournalContent,
    other: JournalContent,
    scores: Sequence[tuple[float, float] | None],
    clusters: Sequence[str],
    errors: int,
    seed: int,
) -> PairResult:
    known = [pair for pair in scores if pair is not None]
    share = partial(
        _share,
        clusters=[of for of, pair in zip(clusters, scores, strict=True) if pair is not None],
    )
    unscored = len(scores) - len(known)
    wins = [(straight + 1 - reverse) / 2 for straight, reverse in known]
    preference = share(wins)
    bounds = (sum(wins) / len(scores), (sum(wins) + unscored) / len(scores)) if scores else None
    return PairResult(
        about=about([compared_run(one), compared_run(other)], seed),
        task=str(one.header.task["name"]),
        first=str(one.header.model["name"]),
        second=str(other.header.model["name"]),
        asked=judged.asked,
        preference=preference,
        first_shown=share([(straight + reverse) / 2 for straight, reverse in known]),
        consistent=share([float(straight == 1 - reverse) for straight, reverse in known]),
        n=len(known),
        unscored=unscored,
        bounds=bounds if unscored else None,
        errors=errors,
        signature=judged.scored.metric.signature,
    )


def _share(values: Sequence[float], clusters: Sequence[str]) -> Interval | None:
    """Mean with its interval; None without values."""
    if not values:
        return None
    return share_interval(np.array(values), clusters=clusters)
