"""Stops a run as soon as its verdict against a baseline is safe.

The questions are asked in an order drawn with the seed, cluster by cluster, and after each round
the differences seen so far go into confidence sequences (stats.ConfidenceSequence), which hold at
all times at once: looking after every round costs nothing of their level. A run stops

    no worse    where the lower end is at or above the margin on every headline metric, at 97.5 %
    regressed   where the upper end is below it on any, at 97.5 % for all metrics together

and goes to its end otherwise, where the ordinary interval has the other 2.5 %: so no more than 5 %
of runs get a wrong verdict, stopped or not. A metric that is no mean on a range can't be watched.

Samples without an answer or a score are the worst possible for passing, and the best possible for
"regressed"; a run that lacks more answers than tolerated is incomplete.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from vlmbench.compare.gate.baseline import BaselineMetric, BaselineTask, asked_prefix
from vlmbench.compare.gate.pairing import Pair, all_same, refuse_other_request
from vlmbench.compare.gate.report import Verdict
from vlmbench.compare.gate.rules import Rules, unit_of
from vlmbench.compare.gate.verdicts import TOLERANCE, verdict_of, what_decides
from vlmbench.compare.paired_runs import metric_difference
from vlmbench.derive import load_metrics, load_texts
from vlmbench.metrics.base import Answer, Metric
from vlmbench.records import JournalSample, Request, Response
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.scoring.sample_scores import prepare_metrics
from vlmbench.stats import ConfidenceSequence, PairedDifference
from vlmbench.tasks.spec import TaskSpec

Vector: TypeAlias = tuple[float, ...]
VectorPair: TypeAlias = tuple[Vector | None, Vector | None]
"""Before and after; None where there is no answer or it could not be scored."""

LEVEL = 0.975
"""Of the confidence sequences, and of the interval at the end."""


@dataclass(frozen=True, slots=True)
class EarlyVerdict:
    """How a watched run of a task ended."""

    task: str
    verdict: Verdict
    n: int
    """Samples of the baseline that were compared."""
    total: int
    """Samples of the baseline."""
    reason: str = ""
    """Of an incomplete one, why; of an undecided one, what would decide."""

    @property
    def text(self) -> str:
        """Such as "ja-vqa: regressed after 96 of 332 samples; 236 saved"."""
        saved = self.total - self.n
        end = f"; {saved:,} saved" if saved else ", all of them"
        reason = f": {self.reason}" if self.reason else ""
        return (
            f"{self.task}: {self.verdict} after {self.n:,} of {self.total:,} samples{end}{reason}"
        )


@dataclass
class WatchedMetric:
    """One headline metric as its scores come in."""

    scored: ScoredMetric
    saved: BaselineMetric
    place: int
    margin: float
    scale: float
    """What a margin of 1 is in the metric's unit."""
    passing: ConfidenceSequence
    failing: ConfidenceSequence
    hypotheses: int
    """Metrics of all tasks that are looked at."""
    pairs: list[VectorPair] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)

    @property
    def metric(self) -> Metric:
        """The metric."""
        return self.scored.metric

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return -1 if self.metric.definition.lower_is_better else 1

    @property
    def ends(self) -> tuple[Vector, Vector] | None:
        """The worst and the best vector; None where there is none, so that only the end decides."""
        if not self.metric.is_mean or self.metric.bounds is None:
            return None
        low, high = self.metric.bounds[:: self.sign]
        return (low,), (high,)

    def take(self, pairs: Sequence[VectorPair], cluster: str) -> None:
        """The vectors of a cluster's samples."""
        self.pairs += pairs
        self.clusters += [cluster] * len(pairs)
        if not pairs or self.ends is None:
            return
        for one, hopeful in ((self.passing, False), (self.failing, True)):
            total = sum(new[0] - old[0] for old, new in self._filled(pairs, hopeful=hopeful))
            one.update(np.array([self.sign * total]), np.array([float(len(pairs))]))

    def verdict(self) -> Verdict | None:
        """What is safe to say so far."""
        if self.failing.high < -self.margin - TOLERANCE:
            return "regressed"
        if self.passing.low >= -self.margin - TOLERANCE:
            return "better" if self.passing.low > TOLERANCE else "no worse"
        return None

    def last_verdict(self) -> tuple[Verdict, str]:
        """What all samples say; of an undecided one also what would decide."""
        whole = [pair for pair in self.pairs if None not in pair]
        if not whole or (self.ends is None and len(whole) < len(self.pairs)):
            return "undecided", "answers that can be scored"
        careful, hopeful = (self._difference(hopeful=hopeful) for hopeful in (False, True))
        low, high = careful.interval(LEVEL)[0], hopeful.interval(LEVEL)[1]
        # Half of the errors that verdict_of allows, shared by all that is looked at.
        p_regressed = 2 * self.hypotheses * hopeful.p_below(self.margin)
        verdict = verdict_of(low, high, margin=self.margin, p_regressed=p_regressed)
        if careful.small:
            verdict = "undecided"
        if verdict != "undecided":
            return verdict, ""
        return verdict, what_decides(
            careful,
            low=low,
            margin=self.margin,
            scale=self.scale,
            unit=self.metric.unit,
            level=LEVEL,
        )

    def _difference(self, *, hopeful: bool) -> PairedDifference:
        """Of all samples; better is positive."""
        old, new = (
            np.array(side, dtype=np.float64)
            for side in zip(*self._filled(self.pairs, hopeful=hopeful), strict=True)
        )
        found = metric_difference(self.metric, new, old, self.clusters)
        return found if self.sign > 0 else found.negated()

    def _filled(
        self, pairs: Sequence[VectorPair], *, hopeful: bool
    ) -> Iterator[tuple[Vector, Vector]]:
        """What is not known is the worst for a verdict to pass, and the best for it to fail."""
        worst, best = self.ends or ((), ())
        for_old, for_new = (worst, best) if hopeful else (best, worst)
        for old, new in pairs:
            yield for_old if old is None else old, for_new if new is None else new


class SequentialGate:
    """Looks on at one task's answers (`evaluate.Watch`).

    Args:
        task: The task that is run.
        saved: The baseline's.
        tasks: Tasks that are looked at in all, for how sure "regressed" must be of each.
        file: The baseline, for messages.

    Raises:
        ConfigError: Later, in `arrange`: a question is not the one of the baseline.
    """

    def __init__(
        self, task: TaskSpec, saved: BaselineTask, rules: Rules, *, tasks: int, seed: int, file: str
    ) -> None:
        self._task, self._saved, self._seed, self._file = task, saved, seed, file
        self._samples = {one.id: one for one in saved.samples}
        self._order: list[list[str]] = []
        """Ids of the baseline's samples, a list a cluster, as they are asked."""
        self._answers: dict[str, tuple[Response, JournalSample]] = {}
        self._next = 0
        self._seen = 0
        self._failures: list[str] = []
        """Messages of the samples without an answer."""
        self._tolerated = rules.max_missing * len(saved.samples)
        self._largest = 1
        self._watched = self._make_watched(rules, tasks)
        self.stopped: Verdict | None = None

    def arrange(
        self, questions: Iterator[tuple[Request, JournalSample]]
    ) -> Iterator[tuple[Request, JournalSample]]:
        """The baseline's questions by cluster in random order, then the others."""
        groups: dict[int, list[tuple[Request, JournalSample]]] = {}
        others = []
        for question in questions:
            request, _ = question
            known = self._samples.get(request.sample_id)
            if known is None:
                others.append(question)
            else:
                refuse_other_request(
                    self._task.name, known, asked_prefix(request.content_hash), self._file
                )
                groups.setdefault(known.cluster, []).append(question)
        drawn = [groups[cluster] for cluster in sorted(groups)]
        random.Random(self._seed).shuffle(drawn)
        self._order = [[request.sample_id for request, _ in group] for group in drawn]
        yield from (question for group in drawn for question in group)
        yield from others

    def see(self, response: Response, sample: JournalSample) -> bool:
        """Take an answer into account; whether the verdict is safe."""
        if response.sample_id in self._samples:
            self._answers[response.sample_id] = response, sample
        while self._next < len(self._order) and all(
            name in self._answers for name in self._order[self._next]
        ):
            self._take(self._order[self._next])
            self._next += 1
        if self.stopped is None:
            self.stopped = self._safe()
        return self.stopped is not None

    def result(self) -> EarlyVerdict:
        """How the run ended."""
        verdict, reason = self._ended()
        return EarlyVerdict(self._task.name, verdict, self._seen, len(self._samples), reason)

    def _ended(self) -> tuple[Verdict, str]:
        if self.stopped is not None:
            return self.stopped, ""
        answers = {name: response.text for name, (response, _) in self._answers.items()}
        if all_same([Pair(one, None, answers.get(one.id)) for one in self._saved.samples]):
            return "unchanged", ""
        found = [one.last_verdict() for one in self._watched]
        verdict = _worst([one for one, _ in found])
        if verdict != "regressed" and self._incomplete:
            return "incomplete", (
                f"{len(self._failures):,} have no answer (first reason: {self._failures[0]})"
            )
        return verdict, next((reason for one, reason in found if one == verdict), "")

    @property
    def _incomplete(self) -> bool:
        """Whether more answers are missing than tolerated: without a worst score, any."""
        tolerated = self._tolerated if all(one.ends for one in self._watched) else 0.0
        return len(self._failures) > tolerated + TOLERANCE

    def _make_watched(self, rules: Rules, tasks: int) -> list[WatchedMetric]:
        corpus = [(one.references, one.meta) for one in load_texts(self._task)]
        scored = {one.id: one for one in prepare_metrics(load_metrics(self._task), corpus)}
        places = [(place, one) for place, one in enumerate(self._saved.metrics) if one.id in scored]
        headlines = [(place, one) for place, one in places if one.headline]
        clusters = [one.cluster for one in self._saved.samples]
        self._largest = max(clusters.count(one) for one in set(clusters))
        hypotheses = tasks * max(1, len(headlines))
        return [
            watch_metric(
                metric := scored[one.id],
                one,
                place=place,
                margin=rules.margin_share(self._task.name, one.id, metric.metric),
                scale=unit_of(metric.metric, one.value or 0.0),
                largest=self._largest,
                hypotheses=hypotheses,
            )
            for place, one in headlines
        ]

    def _take(self, ids: Sequence[str]) -> None:
        """One cluster's answers."""
        self._seen += len(ids)
        errors = (self._answers[name][0].error for name in ids)
        self._failures += [error.message.rstrip(".") for error in errors if error is not None]
        for one in self._watched:
            pairs = [found for name in ids if (found := self._vectors(one, name)) is not None]
            one.take(pairs, str(self._samples[ids[0]].cluster))

    def _vectors(self, one: WatchedMetric, name: str) -> VectorPair | None:
        """A sample's vectors in the baseline and now; None where it tells nothing."""
        before = self._samples[name].vectors[one.place]
        response, sample = self._answers[name]
        if before is False or not one.scored.applies(sample.meta):
            return None
        after = None
        if response.text is not None:
            answer = Answer(
                response.text,
                sample.references,
                sample.choices,
                sample.meta,
                finish=response.finish,
            )
            after = one.metric.score(answer).vector
        return None if before is None and after is None else (before, after)

    def _safe(self) -> Verdict | None:
        verdicts = [one.verdict() for one in self._watched]
        if "regressed" in verdicts:
            return "regressed"
        if not verdicts or None in verdicts or self._incomplete:
            return None
        return _worst([verdict for verdict in verdicts if verdict is not None])


def watch_metric(
    scored: ScoredMetric,
    saved: BaselineMetric,
    *,
    place: int,
    margin: float,
    scale: float,
    largest: int,
    hypotheses: int,
) -> WatchedMetric:
    """A metric before its first score.

    Args:
        place: Of its vectors in the baseline's samples.
        margin: The tolerated drop as a share.
        scale: What a share of 1 is in the metric's unit.
        largest: Samples of the largest cluster.
        hypotheses: Metrics of all tasks that are looked at.
    """
    bounds = scored.metric.bounds
    width = bounds[1] - bounds[0] if bounds else 1.0
    passing, failing = (
        ConfidenceSequence((-width, width), level=level, largest=largest)
        for level in (LEVEL, 1 - (1 - LEVEL) / hypotheses)
    )
    return WatchedMetric(scored, saved, place, margin * scale, scale, passing, failing, hypotheses)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("regressed", "undecided", "no worse", "better")
    return next((one for one in order if one in verdicts), "undecided")
