"""How often vlmbench's intervals, tests and plans are right, as the tables of docs/statistics.md.

    python tests/bench/bench_statistics.py [--draws 2000] [--only clusters,groups]

Every number comes from the functions of `vlmbench.stats` that the commands use, on made-up scores
of known truth (simulated.py). Where answers are right or wrong and independent, the probability of
every outcome is added up, so nothing is drawn; elsewhere a share of 2,000 draws has a standard
error of 0.5 points.
"""

from __future__ import annotations

import argparse
import functools
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binom
from simulated import (
    OTHER_SCALES,
    SCALES,
    Scale,
    alike_answers,
    clustered_answers,
    latent_answers,
    outcomes,
    paired_answers,
    paired_scores,
)

from vlmbench.metrics.base import load_metric
from vlmbench.stats import (
    ConfidenceSequence,
    Floats,
    correlation_interval,
    holm,
    mean,
    mover,
    paired_difference,
    pooled,
    position_p_values,
    power_above,
    proportion_interval,
    resampled_totals,
    value_interval,
)
from vlmbench.stats.paired import effective_pairs
from vlmbench.stats.score_pairs import score_limits, score_statistic

if TYPE_CHECKING:
    from vlmbench.compare.gate.report import GateReport

Z = float(ndtri(0.975))
MARGIN = 0.02
ALPHA = 0.025
SIZES = (20, 50, 200, 1000, 5000)
PROPORTIONS = (0.02, 0.1, 0.5, 0.9, 0.98)


class Rate(NamedTuple):
    """A share of cases, the values that it should be between, and those that it is held to."""

    case: str
    share: float
    least: float
    most: float
    floor: float | None = None
    """Where that falls short of what is wanted: what it is held to instead."""
    ceiling: float | None = None

    @property
    def mark(self) -> str:
        """Empty where the share is as wanted; else to which side it is not."""
        seen = round(self.share, 3)
        return "below" if seen < self.least else "above" if seen > self.most else ""

    @property
    def held(self) -> tuple[float, float]:
        """The ends that the share is held to."""
        return (
            self.least if self.floor is None else self.floor,
            self.most if self.ceiling is None else self.ceiling,
        )


COVERED = (0.935, 0.965)


def proportions(sizes: Sequence[int] = SIZES) -> Iterator[Rate]:
    """Coverage of a share p of right answers, the mean over true shares within a quarter of p."""
    for n in sizes:
        for p in PROPORTIONS:
            covered = np.mean([_wilson_coverage(n, share) for share in shares_near(p, 101)])
            yield Rate(f"{p} of {n:,}", float(covered), 0.935, 0.965)


def shares_near(p: float, count: int) -> list[float]:
    """Evenly spaced shares within a quarter of the rarer one of p and 1 - p."""
    rare = min(p, 1 - p)
    near = np.linspace(0.75 * rare, min(0.5, 1.25 * rare), count)
    return [float(share) for share in (near if p < 0.5 else 1 - near)]


def _wilson_coverage(n: int, share: float) -> float:
    # Only counts near the expected one can have an interval with the truth in it.
    spread = 8 * math.sqrt(n * share * (1 - share)) + 8
    counts = np.arange(max(0, int(n * share - spread)), min(n, int(n * share + spread)) + 1)
    ends = np.array([_wilson(count, n) for count in counts.tolist()])
    inside = (ends[:, 0] <= share) & (share <= ends[:, 1])
    return float(binom.pmf(counts, n, share)[inside].sum())


_KNOWN: dict[tuple[int, int], tuple[float, float]] = {}


def _wilson(count: int, n: int) -> tuple[float, float]:
    if (count, n) not in _KNOWN:
        _KNOWN[count, n] = proportion_interval(count / n, n)
    return _KNOWN[count, n]


def means(
    draws: int, sizes: Sequence[int] = SIZES, scales: Mapping[str, Scale] = SCALES
) -> Iterator[Rate]:
    """Coverage of means that are not of right and wrong; none may be below 93 %."""
    for name, scale in scales.items():
        truth = scale.truth()
        for n in sizes:
            some = draws if n < 5000 else draws // 2
            random = np.random.default_rng(n)
            found = [
                value_interval(scale.draw(random, (n, 1)), kind=scale.kind) for _ in range(some)
            ]
            inside = np.mean([one.low <= truth <= one.high for one in found])
            yield Rate(f"{name}, n = {n:,}", float(inside), 0.93, 0.965, ceiling=1.0)


def other_means(draws: int, sizes: Sequence[int] = (20, 50, 200, 1000)) -> Iterator[Rate]:
    """The same for shapes that were not looked at when the methods were chosen."""
    for rate in means(draws, sizes, OTHER_SCALES):
        yield rate._replace(floor=0.9)


def clusters(draws: int, iccs: Sequence[float] = (0.0, 0.1, 0.3, 0.5)) -> Iterator[Rate]:
    """Coverage where questions share an image; of a share p as above, the mean over nearby shares.

    p and 1 - p are the same. The last of each four are scores in thirds.
    """
    for size, count in ((3, 36), (5, 20), (5, 100), (3, 300)):
        for icc in iccs:
            random = np.random.default_rng([size, count, int(10 * icc)])
            for p, steps in ((0.5, 1), (0.9, 1), (0.98, 1), (0.8, 3)):
                draw = functools.partial(clustered_answers, random, count, size, steps=steps)
                covered = _clustered_coverage(draw, p, icc, draws)
                scores = f"p = {p}" if steps == 1 else f"thirds of mean {p}"
                case = f"{count} images of {size}, ICC {icc}, {scores}"
                yield Rate(case, covered, *COVERED, 0.93, 0.985)


def other_clusters(draws: int, iccs: Sequence[float] = (0.1, 0.5)) -> Iterator[Rate]:
    """The same where images are as not looked at when the methods were chosen."""
    ways = {"all alike or not at all": alike_answers, "latent ability": latent_answers}
    for name, way in ways.items():
        for size, count in ((3, 36), (5, 20), (5, 100)):
            for icc in iccs:
                random = np.random.default_rng([size, count, int(10 * icc)])
                draw = functools.partial(way, random, count, size)
                for p in (0.5, 0.9):
                    covered = _clustered_coverage(draw, p, icc, draws)
                    case = f"{name}, {count} images of {size}, ICC {icc}, p = {p}"
                    yield Rate(case, covered, *COVERED, 0.92, 0.985)


def _clustered_coverage(
    draw: Callable[[float, float], Floats], p: float, icc: float, draws: int
) -> float:
    inside = 0
    shares = shares_near(p, 20) if p != 0.5 else [p]
    for number in range(draws):
        share = shares[number % len(shares)]
        values = draw(share, icc)
        names = np.repeat(np.arange(len(values)), values.shape[1])
        found = value_interval(values.reshape(-1, 1), clusters=names, kind="bounded")
        inside += found.low <= share <= found.high
    return inside / draws


def groups(draws: int) -> Iterator[Rate]:
    """Coverage of the mean of eight tasks that are four pairs asking the same questions."""
    n = 200
    names = tuple(f"q{number}" for number in range(n))
    share = np.array([0.3, 0.5, 0.7, 0.85])
    for latent in (0.0, 0.5, 0.8):
        random = np.random.default_rng(int(10 * latent))
        inside = 0
        for _ in range(draws):
            common, own = random.normal(size=(4, n)), random.normal(size=(2, 4, n))
            drawn = math.sqrt(latent) * common + math.sqrt(1 - latent) * own
            right = (ndtr(drawn) < share[:, None]).astype(np.float64)
            inside += _pairs_covered(right, share, names, names)
        yield Rate(f"four pairs of tasks, latent correlation {latent}", inside / draws, *COVERED)


def clustered_groups(draws: int) -> Iterator[Rate]:
    """The same of tasks whose questions share images; and of three tasks with no question shared.

    A third of what an answer depends on is the image's, so much the question's, the rest its own.
    """
    from vlmbench.scoring.groups import Headline, macro_average

    metric = load_metric("match.exact")
    share = np.array([0.3, 0.5, 0.7, 0.85])
    for size, count in ((3, 60), (5, 21)):
        random = np.random.default_rng([size, count])
        names = tuple(f"q{number}" for number in range(size * count))
        images = tuple(f"i{number // size}" for number in range(size * count))
        inside = 0
        for _ in range(draws):
            image = np.repeat(random.normal(size=(4, count)), size, axis=1)
            common, own = random.normal(size=image.shape), random.normal(size=(2, *image.shape))
            right = ndtr((image + common + own) / math.sqrt(3)) < share[:, None]
            inside += _pairs_covered(right.astype(np.float64), share, names, images)
        case = f"four pairs of tasks of {count} images with {size} questions"
        yield Rate(case, inside / draws, *COVERED)
    shapes = ((5, 21, 0.3), (3, 30, 0.5), (3, 36, 0.7))
    random = np.random.default_rng(3)
    inside = 0
    for _ in range(draws):
        tasks = {}
        for size, count, p in shapes:
            values = clustered_answers(random, count, size, p, 0.3).reshape(-1, 1)
            ids = tuple(map(str, range(len(values))))
            images = tuple(str(number // size) for number in range(len(values)))
            tasks[str(count)] = [Headline(metric, values, 0.0, ids, images)]
        found = macro_average(tasks)
        inside += found.low <= 0.5 <= found.high
    yield Rate("three tasks of 21, 30 and 36 images, ICC 0.3", inside / draws, *COVERED)


def _pairs_covered(
    right: Floats, share: Floats, names: tuple[str, ...], images: tuple[str, ...]
) -> bool:
    """Whether the interval over eight tasks has the true mean in it.

    Args:
        right: (2, 4, n): the first four tasks ask what the other four ask.
    """
    from vlmbench.scoring.groups import Headline, macro_average
    from vlmbench.tasks.groups import SameQuestions

    metric = load_metric("match.exact")
    tasks = {
        f"{pair}{'ab'[side]}": [Headline(metric, right[side, pair][:, None], 0.0, names, images)]
        for side in range(2)
        for pair in range(4)
    }
    same = [SameQuestions(tasks=(f"{pair}a", f"{pair}b"), by="id") for pair in range(4)]
    found = macro_average(tasks, same=same)
    return bool(found.low <= share.mean() <= found.high)


def paired(sizes: Sequence[int] = (20, 50, 200, 1000)) -> Iterator[Rate]:
    """Coverage of the difference of two models, right or wrong."""
    for n in sizes:
        for differing, drop in ((0.4, 0.0), (0.2, 0.0), (0.1, 0.0), (0.1, 0.05), (0.05, 0.02)):
            seen = outcomes(n, (differing + drop) / 2, (differing - drop) / 2)
            low, high = score_limits(seen.wins, seen.losses, n, Z)
            inside = seen.chance[(low <= -drop) & (-drop <= high)].sum()
            case = f"n = {n:,}, {differing:.0%} differ, drop {drop}"
            # With few differing samples nothing can be as wrong as 5 %.
            yield Rate(case, float(inside), 0.935, 0.965 if n * differing >= 10 else 1.0)


def paired_means(draws: int, sizes: Sequence[int] = (20, 50, 200, 1000)) -> Iterator[Rate]:
    """Coverage of the difference of two models with ROUGE-like scores."""
    for n in sizes:
        for differing, drop in ((1.0, 0.0), (0.2, 0.0), (0.2, 0.05)):
            random = np.random.default_rng([n, int(10 * differing)])
            inside = 0
            for _ in range(draws):
                new, old = paired_scores(random, n, differing, drop)
                found = paired_difference(new, old, kind="bounded")
                inside += found.low <= -drop <= found.high
            case = f"n = {n:,}, {differing:.0%} differ, drop {drop}"
            yield Rate(case, inside / draws, *COVERED, ceiling=1.0)


def clustered_pairs(draws: int) -> Iterator[Rate]:
    """False alarms of equal models where questions share an image, at margin 0."""
    for size, count in ((3, 36), (5, 20), (5, 60)):
        for icc in (0.0, 0.3):
            random = np.random.default_rng([size, count, int(10 * icc)])
            names = np.repeat(np.arange(count), size)
            below = 0
            for _ in range(draws):
                new, old = paired_answers(random, count, size, 0.1, 0.1, icc)
                pairs, _ = effective_pairs(new, old, names, mean, float((new - old).mean()), 1.0)
                below += pairs.below(0.0) < ALPHA
            case = f"{count} images of {size} questions, ICC {icc}"
            yield Rate(case, below / draws, 0.0, 0.035)


def false_alarms(tasks: Sequence[int] = (1, 4, 20)) -> Iterator[Rate]:
    """Exit 1 though nothing changed, or though each task lost half of what is tolerated."""
    for drop, most in ((0.0, 0.05), (MARGIN / 2, 0.025)):
        for count in tasks:
            for differing in (0.4, 0.2, 0.05):
                for n in (50, 300):
                    seen = outcomes(n, (differing + drop) / 2, (differing - drop) / 2)
                    # Holm rejects something exactly where the least p-value is below alpha / T.
                    assert holm([ALPHA / count] + [1.0] * (count - 1))[0] == ALPHA
                    t = score_statistic(seen.wins, seen.losses, n, -MARGIN)
                    alarm = seen.chance[t < float(ndtri(ALPHA / count))].sum()
                    share = 1 - (1 - float(alarm)) ** count
                    what = "no change" if not drop else f"{drop} lost each"
                    tasks_of = f"{count} tasks of" if count > 1 else "1 task of"
                    case = f"{tasks_of} {n:,}, {differing:.0%} differ, {what}"
                    yield Rate(case, share, 0.0, most)


def gate_alarms(draws: int, tasks: Sequence[int] = (1, 4, 20)) -> Iterator[Rate]:
    """Exit 1 of the whole gate, the pooled verdict included, of models that are none the worse.

    Half of the tasks have answers that are right or wrong with 3 questions an image and ICC 0.3,
    half have ROUGE-like scores.
    """
    for drop, most in ((0.0, 0.05), (MARGIN / 2, 0.025)):
        for count in tasks:
            random = np.random.default_rng([count, int(1000 * drop)])
            some = max(draws // count, draws // 10)
            failed = sum(_gate_of(random, count, drop).exit_code == 1 for _ in range(some))
            plural = "s" if count > 1 else ""
            what = "no change" if not drop else f"{drop} lost each"
            yield Rate(f"{count} task{plural}, {what}, {some:,} gates", failed / some, 0.0, most)


def pooled_alarms(draws: int) -> Iterator[Rate]:
    """The pooled verdict of four tasks alone: regressed, though at most half a margin is lost."""
    for drop in (0.0, MARGIN / 2):
        random = np.random.default_rng(int(1000 * drop))
        failed = 0
        for _ in range(draws):
            (row,) = (one for one in _gate_of(random, 4, drop).rows if one.kind == "pooled")
            failed += row.high is not None and row.high < -MARGIN
        what = "no change" if not drop else f"{drop} lost each"
        yield Rate(f"four tasks, {what}", failed / draws, 0.0, 0.025)


def _gate_of(random: np.random.Generator, tasks: int, drop: float) -> GateReport:
    """The gate's verdicts on made-up tasks, by its own rules."""
    from vlmbench.compare.gate.pooling import pooled_judged
    from vlmbench.compare.gate.report import GateReport, GateRow
    from vlmbench.compare.gate.verdicts import Judged, decide

    judged = []
    for number in range(tasks):
        if number % 2:
            seen = paired_difference(*paired_scores(random, 100, 0.2, drop), kind="bounded")
        else:
            rates = (0.1 + drop / 2, 0.1 - drop / 2)
            new, old = paired_answers(random, 36, 3, *rates, 0.3)
            images = np.repeat(np.arange(36), 3)
            seen = paired_difference(new, old, clusters=images, kind="binary")
        row = GateRow("task", f"task-{number}", "match.exact", "undecided", decides="more")
        judged.append(Judged(row, seen, low=seen.low, high=seen.high, margin=MARGIN))
    if (over_all := pooled_judged(judged)) is not None:
        # What would decide is a plan of its own, which takes longer than all of the rest.
        judged.append(replace(over_all, row=replace(over_all.row, decides="more")))
    return GateReport("old", "new", tuple(decide(judged)))


def partial_passes(draws: int, sizes: Sequence[int] = (1, 2, 3, 5, 10, 20, 30)) -> Iterator[Rate]:
    """The same with ROUGE-like scores: a share of the answers loses all, or each loses a little."""
    for drop in (0.05, 0.1, 0.2):
        for n in sizes:
            random = np.random.default_rng([n, int(100 * drop)])
            passed = {"some lose all": 0, "each loses as much": 0}
            for _ in range(draws):
                new, old = paired_scores(random, n, 0.05, drop)
                less = old - drop + random.normal(0, 0.02, old.shape)
                for name, answers in zip(passed, (new, less), strict=True):
                    found = paired_difference(answers, old, kind="bounded")
                    passed[name] += not found.small and found.low >= -MARGIN
            for name, count in passed.items():
                yield Rate(f"drop {drop}, n = {n}, {name}", count / draws, 0.0, 0.025)


def false_passes() -> Iterator[Rate]:
    """A model that lost more than the margin passes, on one to thirty samples."""
    for drop in (0.05, 0.1, 0.2):
        for n in (1, 2, 3, 5, 10, 20, 30):
            seen = outcomes(n, drop, 0.0)
            low, _ = score_limits(seen.wins, seen.losses, n, Z)
            yield Rate(
                f"drop {drop}, n = {n}", float(seen.chance[low >= -MARGIN].sum()), 0.0, 0.025
            )


class Power(NamedTuple):
    """How often a difference is seen, as planned and truly."""

    case: str
    planned: float
    true: float

    @property
    def holds(self) -> bool:
        """Whether the plan is within 3 points."""
        return abs(self.planned - self.true) <= 0.03


def powers(sizes: Sequence[int] = (100, 300, 1000, 2000)) -> Iterator[Power]:
    """Planned power beside the true one: a drop is seen, and equal models pass a margin."""
    for n in sizes:
        for differing in (0.2, 0.1, 0.05):
            for drop, margin in ((0.05, 0.0), (0.02, 0.0), (0.0, 0.02), (0.0, 0.05)):
                seen = outcomes(n, (differing + drop) / 2, (differing - drop) / 2)
                low, high = score_limits(seen.wins, seen.losses, n, Z)
                passed = seen.chance[(high < 0) if drop else (low > -margin)].sum()
                sd = math.sqrt(differing - drop**2)
                planned = power_above(-margin, drop, sd, n)
                what = f"a drop of {drop} is seen" if drop else f"equal models pass {margin}"
                yield Power(f"{what}, n = {n:,}, {differing:.0%} differ", planned, float(passed))


def sequential(draws: int, samples: int = 400) -> Iterator[Rate]:
    """A confidence sequence, looked at every 20 samples, ever leaves out the truth."""
    for differing, drop in ((0.2, 0.0), (0.1, 0.05), (0.4, 0.0)):
        random = np.random.default_rng(int(100 * differing))
        shares = [(differing + drop) / 2, (differing - drop) / 2, 1 - differing]
        wrong = 0
        for _ in range(draws):
            sequence = ConfidenceSequence()
            values = random.choice([-1.0, 1.0, 0.0], p=shares, size=samples)
            ends = [sequence.update(values[start : start + 20]) for start in range(0, samples, 20)]
            wrong += any(not low <= -drop <= high for low, high in ends)
        yield Rate(f"{differing:.0%} differ, drop {drop}", wrong / draws, 0.0, 0.05)


def early_verdicts(draws: int, samples: int = 300) -> Iterator[Rate]:
    """What `run --sequential` says in the end of models that are none the worse, or far worse.

    The verdict is looked at after every image of 3 questions, and after the last by the interval.
    """
    from vlmbench.compare.gate.baseline import BaselineMetric
    from vlmbench.compare.gate.sequential import watch_metric
    from vlmbench.scoring.aggregate import ScoredMetric

    scored = ScoredMetric("match.exact", load_metric("match.exact"), headline=True)
    saved = BaselineMetric("match.exact", "match.exact", {}, "", True, 0.5, samples)
    cases = ((0.0, "regressed"), (MARGIN / 2, "regressed"), (0.05, "no worse"), (0.1, "no worse"))
    for drop, wrong in cases:
        random = np.random.default_rng(int(1000 * drop))
        failed = 0
        for _ in range(draws):
            rates = (0.1 + drop / 2, 0.1 - drop / 2)
            new, old = paired_answers(random, samples // 3, 3, *rates, 0.3)
            one = watch_metric(
                scored, saved, place=0, margin=MARGIN, scale=1.0, largest=3, hypotheses=1
            )
            verdict = None
            for start in range(0, samples, 3):
                image = range(start, start + 3)
                one.take([((old[i, 0],), (new[i, 0],)) for i in image], str(start))
                if (verdict := one.verdict()) is not None:
                    break
            verdict = verdict or one.last_verdict()[0]
            failed += verdict == wrong or (wrong == "no worse" and verdict == "better")
        yield Rate(f"drop {drop} called {wrong}", failed / draws, 0.0, 0.05)


def kappas(draws: int) -> Iterator[Rate]:
    """Coverage of Cohen's kappa of two raters with two labels, where it is defined."""
    from vlmbench.judges.agreement import cohen_kappa

    for n in (20, 50, 200):
        for p, kappa in ((0.5, 0.6), (0.9, 0.6), (0.5, 0.9), (0.9, 0.9)):
            both = p * (1 - p)
            cells = [p * p + kappa * both, (1 - kappa) * both, (1 - kappa) * both]
            random = np.random.default_rng([n, int(10 * p)])
            found = []
            for _ in range(draws):
                drawn = random.choice(4, p=[*cells, 1 - sum(cells)], size=n)
                first, second = drawn // 2, drawn % 2
                found.append(cohen_kappa(first.tolist(), second.tolist()))
            known = [one for one in found if one is not None]
            inside = np.mean([one.low <= kappa <= one.high for one in known])
            yield Rate(f"n = {n}, p = {p}, kappa {kappa}", float(inside), 0.9, 1.0)


def correlations(draws: int) -> Iterator[Rate]:
    """Coverage of Spearman's correlation of a normal pair."""
    from scipy.stats import rankdata

    for n in (10, 20, 100):
        for true in (0.0, 0.5, 0.8):
            random = np.random.default_rng([n, int(10 * true)])
            pairs = random.multivariate_normal([0, 0], [[1, true], [true, 1]], (draws, n))
            rho = 6 / math.pi * math.asin(true / 2)
            ranks = rankdata(pairs, axis=1)
            centered = ranks - ranks.mean(axis=1, keepdims=True)
            x, y = centered[..., 0], centered[..., 1]
            values = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
            found = [correlation_interval(float(value), n) for value in values]
            inside = np.mean([one.low <= rho <= one.high for one in found])
            yield Rate(f"n = {n}, rho = {rho:.2f}", float(inside), 0.925, 0.98)


def position_bias(draws: int) -> Iterator[Rate]:
    """A model that guesses is said to prefer a place."""
    for n in (5, 10, 20, 50):
        random = np.random.default_rng(n)
        flagged = sum(
            min(position_p_values(random.integers(0, 4, (n, 4)).tolist(), exchanges=399)) <= 0.05
            for _ in range(draws)
        )
        yield Rate(f"{n} questions of 4 options", flagged / draws, 0.0, 0.065)


def pooled_verdicts(draws: int) -> Iterator[Rate]:
    """The pooled difference of four tasks: coverage, and passes of equal models."""
    for n, differing in ((300, 0.1), (50, 0.2)):
        random = np.random.default_rng(n)
        counts = random.multinomial(n, [differing / 2, differing / 2, 1 - differing], (draws, 4))
        low, high = score_limits(counts[..., 1], counts[..., 0], n, Z)
        values, weights = (counts[..., 1] - counts[..., 0]) / n, np.full(4, 0.25)
        ends = [mover(*one, weights) for one in zip(values, low, high, strict=True)]
        inside = np.mean([a <= 0 <= b for a, b in ends])
        yield Rate(f"four tasks of {n}, {differing:.0%} differ", float(inside), 0.935, 0.965)


def gate_seconds(tasks: int = 20, n: int = 5000, resamples: int = 10_000) -> float:
    """Seconds of one core for a gate's statistics: values, pairs, Holm, pooled, resamples."""
    random = np.random.default_rng(0)
    scores = random.random((n, 2 * tasks))
    images = np.arange(n) // 3
    start = time.process_time()
    resampled_totals(scores, resamples=resamples, seed=0)
    found = []
    for task in range(tasks):
        new, old = scores[:, 2 * task : 2 * task + 1], scores[:, 2 * task + 1 : 2 * task + 2]
        value_interval(new, clusters=images, kind="bounded")
        found.append(paired_difference(new, old, clusters=images, kind="bounded"))
    holm([one.p_below(MARGIN) for one in found])
    pooled(found).p_below(MARGIN)
    return time.process_time() - start


def _table(title: str, note: str, rates: Iterable[Rate]) -> None:
    note = re.sub(r"\s+", " ", note.replace("\n\n", "\n")).strip()
    print(f"\n### {title}\n\n{note}\n\n| case | share | wanted | |\n|---|--:|---|---|", flush=True)
    for one in rates:
        wanted = f"{one.least:.3f} to {one.most:.3f}"
        print(f"| {one.case} | {one.share:.3f} | {wanted} | {one.mark} |", flush=True)


def _print_powers() -> None:
    print("\n### Planning\n\nPower as planned and as it is.\n\n| case | planned | true | |")
    print("|---|--:|--:|---|")
    for one in powers():
        print(f"| {one.case} | {one.planned:.3f} | {one.true:.3f} | {'' if one.holds else 'no'} |")


class Part(NamedTuple):
    """A table of the page."""

    title: str
    rates: Callable[..., Iterator[Rate]]
    thinned: int = 1
    """One of so many of the draws are enough; 0: nothing is drawn."""


PARTS = (
    Part("Shares of right answers", proportions, 0),
    Part("Means", means),
    Part("Means of other shapes", other_means),
    Part("Questions that share an image", clusters),
    Part("Questions that share an image in other ways", other_clusters),
    Part("Groups with shared questions", groups, 2),
    Part("Groups of tasks with shared images", clustered_groups, 2),
    Part("Paired differences", paired, 0),
    Part("Paired differences, partly right", paired_means),
    Part("Paired differences, clustered", clustered_pairs),
    Part("Four tasks pooled", pooled_verdicts),
    Part("Four tasks pooled: false alarms", pooled_alarms, 8),
    Part("False exit 1", false_alarms, 0),
    Part("False exit 1 of the whole gate", gate_alarms, 2),
    Part("False passes", false_passes, 0),
    Part("False passes, partly right", partial_passes, 2),
    Part("Stopping early", sequential, 4),
    Part("Stopping early: the verdicts", early_verdicts, 10),
    Part("Cohen's kappa", kappas, 4),
    Part("Rank correlation", correlations),
    Part("Position bias", position_bias, 2),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--only", help="names of functions here, such as clusters,groups")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else []
    for part in PARTS:
        if not only or part.rates.__name__ in only:
            draws = [options.draws // part.thinned] if part.thinned else []
            _table(part.title, str(part.rates.__doc__), part.rates(*draws))
    if not only or "powers" in only:
        _print_powers()
    if not only or "gate_seconds" in only:
        print(
            f"\n### Speed\n\n20 tasks of 5,000 samples: {gate_seconds():.1f} seconds of one core."
        )


if __name__ == "__main__":
    main()
