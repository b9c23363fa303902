"""How often vlmbench's intervals, tests and plans are right, as the tables of docs/statistics.md.

    python tests/bench/bench_statistics.py [--draws 2000]

Every number comes from the functions of `vlmbench.stats` that the commands use, on made-up scores
of known truth (simulated.py). Where answers are right or wrong and independent, the probability of
every outcome is added up, so nothing is drawn; elsewhere a share of 2,000 draws has a standard
error of 0.5 points.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom
from simulated import SCALES, clustered_answers, outcomes, paired_answers

from vlmbench.stats import (
    ConfidenceSequence,
    correlation_interval,
    holm,
    mean,
    mover,
    position_p_values,
    power_above,
    proportion_interval,
    value_interval,
)
from vlmbench.stats.paired import effective_pairs
from vlmbench.stats.score_pairs import score_limits, score_statistic

Z = float(ndtri(0.975))
MARGIN = 0.02
ALPHA = 0.025
SIZES = (20, 50, 200, 1000, 5000)
PROPORTIONS = (0.02, 0.1, 0.5, 0.9, 0.98)


class Rate(NamedTuple):
    """A share of cases, and the values that it should be between."""

    case: str
    share: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is."""
        return self.least <= self.share <= self.most


def proportions(sizes: Sequence[int] = SIZES) -> Iterator[Rate]:
    """Coverage of a share p of right answers, the mean over true shares within a quarter of p."""
    for n in sizes:
        for p in PROPORTIONS:
            rare = min(p, 1 - p)
            near = np.linspace(0.75 * rare, min(0.5, 1.25 * rare), 101)
            shares = near if p < 0.5 else 1 - near
            covered = np.mean([_wilson_coverage(n, share) for share in shares])
            yield Rate(f"{p} of {n:,}", float(covered), 0.935, 0.965)


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


def means(draws: int, sizes: Sequence[int] = SIZES) -> Iterator[Rate]:
    """Coverage of means that are not of right and wrong."""
    for name, scale in SCALES.items():
        truth = scale.truth()
        for n in sizes:
            some = draws if n < 5000 else draws // 2
            random = np.random.default_rng(n)
            found = [
                value_interval(scale.draw(random, (n, 1)), kind=scale.kind) for _ in range(some)
            ]
            inside = np.mean([one.low <= truth <= one.high for one in found])
            yield Rate(f"{name}, n = {n:,}", float(inside), 0.93, 1.0)


def clusters(draws: int, iccs: Sequence[float] = (0.0, 0.1, 0.3, 0.5)) -> Iterator[Rate]:
    """Coverage where questions share an image, of right and wrong answers and partly right ones."""
    for size, count in ((3, 36), (5, 20), (5, 100)):
        names = np.repeat(np.arange(count), size)
        for icc in iccs:
            for p, steps in ((0.5, 1), (0.9, 1), (0.8, 3)):
                random = np.random.default_rng([size, count, int(10 * icc)])
                inside = 0
                for _ in range(draws):
                    values = clustered_answers(random, count, size, p, icc, steps=steps)
                    found = value_interval(values.reshape(-1, 1), clusters=names, kind="bounded")
                    inside += found.low <= p <= found.high
                scores = f"p = {p}" if steps == 1 else f"scores in thirds of mean {p}"
                case = f"{count} images of {size} questions, ICC {icc}, {scores}"
                yield Rate(case, inside / draws, 0.935 if count >= 30 else 0.93, 0.98)


def groups(draws: int) -> Iterator[Rate]:
    """Coverage of the mean of eight tasks that are four pairs asking the same questions."""
    from scipy.stats import norm

    from vlmbench.metrics.base import load_metric
    from vlmbench.scoring.groups import Headline, macro_average
    from vlmbench.tasks.groups import SameQuestions

    metric, n = load_metric("match.exact"), 200
    names = tuple(f"q{number}" for number in range(n))
    same = [SameQuestions(tasks=(f"{pair}a", f"{pair}b"), by="id") for pair in range(4)]
    share = np.array([0.3, 0.5, 0.7, 0.85])
    for latent in (0.0, 0.5, 0.8):
        random = np.random.default_rng(int(10 * latent))
        inside = 0
        for _ in range(draws):
            common, own = random.normal(size=(4, n)), random.normal(size=(2, 4, n))
            drawn = math.sqrt(latent) * common + math.sqrt(1 - latent) * own
            right = (norm.cdf(drawn) < share[:, None]).astype(np.float64)
            tasks = {
                f"{pair}{'ab'[side]}": [
                    Headline(metric, right[side, pair][:, None], 0.0, names, names)
                ]
                for side in range(2)
                for pair in range(4)
            }
            found = macro_average(tasks, same=same)
            inside += found.low <= share.mean() <= found.high
        yield Rate(
            f"four pairs of tasks, latent correlation {latent}", inside / draws, 0.935, 0.965
        )


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


def _table(title: str, note: str, rates: Iterable[Rate]) -> None:
    print(f"\n### {title}\n\n{note}\n\n| case | share | wanted | |\n|---|--:|---|---|", flush=True)
    for one in rates:
        wanted = f"{one.least:.3f} to {one.most:.3f}"
        print(
            f"| {one.case} | {one.share:.3f} | {wanted} | {'' if one.holds else 'no'} |", flush=True
        )


def _print_powers() -> None:
    print("\n### Planning\n\nPower as planned and as it is.\n\n| case | planned | true | |")
    print("|---|--:|--:|---|")
    for one in powers():
        print(f"| {one.case} | {one.planned:.3f} | {one.true:.3f} | {'' if one.holds else 'no'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    parts: list[tuple[str, Callable[..., Iterator[Rate]], list[int]]] = [
        ("Shares of right answers", proportions, []),
        ("Means", means, [draws]),
        ("Questions that share an image", clusters, [draws]),
        ("Groups with shared questions", groups, [draws // 2]),
        ("Paired differences", paired, []),
        ("Paired differences, clustered", clustered_pairs, [draws]),
        ("Four tasks pooled", pooled_verdicts, [draws]),
        ("False exit 1", false_alarms, []),
        ("False passes", false_passes, []),
        ("Stopping early", sequential, [draws // 4]),
        ("Cohen's kappa", kappas, [draws // 4]),
        ("Rank correlation", correlations, [draws]),
        ("Position bias", position_bias, [draws // 2]),
    ]
    for title, part, numbers in parts:
        _table(title, str(part.__doc__), part(*numbers))
    _print_powers()


if __name__ == "__main__":
    main()
