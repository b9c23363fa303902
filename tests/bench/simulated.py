"""Made-up scores of known truth: what bench_statistics.py tries the intervals and tests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from vlmbench.stats import Floats


class Scale(NamedTuple):
    """A metric's scores on independent samples."""

    kind: Literal["binary", "bounded", "free"]
    draw: Callable[[np.random.Generator, tuple[int, ...]], Floats]

    def truth(self) -> float:
        """The mean of all scores that there could be."""
        return float(self.draw(np.random.default_rng(12345), (4_000_000,)).mean())


def _cider(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """A weak captioner: a third of its captions share nothing with the references."""
    drawn = np.minimum(random.lognormal(-0.5, 1, size), 10)
    return np.where(random.random(size) < 0.35, 0, drawn)


def _cer(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Half read without an error, the others with few to many."""
    drawn = random.lognormal(np.log(0.15) - 0.5, 1, size)
    return np.where(random.random(size) < 0.5, 0, drawn)


def _anls(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Near the ceiling: 95 % right, half of the others in part."""
    rest = np.where(random.random(size) < 0.5, 0, random.uniform(0.5, 1, size))
    return np.where(random.random(size) < 0.95, 1, rest)


def _sparse(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """A weak model: 92 % of its answers share nothing with the references."""
    return np.where(random.random(size) < 0.92, 0, random.beta(2, 2, size))


def _rouge(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    return np.where(random.random(size) < 0.1, 0, random.beta(2, 3, size))


def _vqa(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """VQA accuracy by how many of ten people said the same."""
    return random.choice([0, 1 / 3, 2 / 3, 1], p=[0.3, 0.1, 0.1, 0.5], size=size)


def _lognormal(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    return random.lognormal(0, 1, size)


def _rare_zeros(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Much alike, but one in twenty got nothing."""
    return np.where(random.random(size) < 0.05, 0, random.beta(20, 30, size))


def _rare_misreadings(random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    return np.where(random.random(size) < 0.9, 0, random.gamma(1.5, 0.3, size))


SCALES = {
    "VQA accuracy": Scale("bounded", _vqa),
    "ROUGE": Scale("bounded", _rouge),
    "sparse ROUGE (92 % zeros)": Scale("bounded", _sparse),
    "ANLS near the ceiling": Scale("bounded", _anls),
    "CIDEr of a weak model": Scale("free", _cider),
    "character error rate": Scale("free", _cer),
}


OTHER_SCALES = {
    "Beta(0.3, 0.3), mostly near 0 or 1": Scale("bounded", lambda r, size: r.beta(0.3, 0.3, size)),
    "Beta(8, 1), near the ceiling": Scale("bounded", lambda r, size: r.beta(8, 1, size)),
    "Beta(20, 30), much alike": Scale("bounded", lambda r, size: r.beta(20, 30, size)),
    "Beta(20, 30), 5 % zeros": Scale("bounded", _rare_zeros),
    "exponential": Scale("free", lambda r, size: r.exponential(0.3, size)),
    "gamma, 90 % zeros": Scale("free", _rare_misreadings),
    "gamma of shape 4": Scale("free", lambda r, size: r.gamma(4, 0.5, size)),
    "lognormal": Scale("free", _lognormal),
}
"""Shapes that were not looked at when the methods were chosen."""


def clustered_answers(
    random: np.random.Generator,
    clusters: int,
    size: int,
    share: float,
    icc: float,
    *,
    steps: int = 1,
) -> Floats:
    """Scores of `size` questions about each image, (clusters, size).

    Args:
        icc: Of right and wrong answers; those in several steps correlate more.
        steps: How many parts an answer has that are each right or wrong.
    """
    rate: Floats = np.full((clusters, 1), share)
    if icc:
        rate = random.beta(share * (1 / icc - 1), (1 - share) * (1 / icc - 1), (clusters, 1))
    right = random.random((steps, clusters, size)) < rate
    return np.asarray(right.mean(axis=0))


def alike_answers(
    random: np.random.Generator, clusters: int, size: int, share: float, icc: float
) -> Floats:
    """A share `icc` of the images has all its questions right or all wrong, (clusters, size)."""
    alike = random.random((clusters, 1)) < icc
    whole = random.random((clusters, 1)) < share
    single = random.random((clusters, size)) < share
    return np.where(alike, whole, single).astype(np.float64)


def latent_answers(
    random: np.random.Generator, clusters: int, size: int, share: float, icc: float
) -> Floats:
    """Right where a normal ability of the image and one of the question reach a bar.

    Args:
        icc: Of the abilities; that of the answers is lower.
    """
    image, question = random.normal(size=(clusters, 1)), random.normal(size=(clusters, size))
    ability = np.sqrt(icc) * image + np.sqrt(1 - icc) * question
    return (ability < ndtri(share)).astype(np.float64)


def paired_answers(
    random: np.random.Generator, clusters: int, size: int, losses: float, wins: float, icc: float
) -> tuple[Floats, Floats]:
    """(new, old), right or wrong; the differences correlate within a cluster. (n, 1) each."""
    shares = np.array([losses, wins, 1 - losses - wins])
    rates = (
        random.dirichlet(shares * (1 / icc - 1), clusters)
        if icc
        else np.tile(shares, (clusters, 1))
    )
    drawn = random.random((clusters, size))
    lost = drawn < rates[:, :1]
    won = ~lost & (drawn < rates[:, :1] + rates[:, 1:2])
    both = random.random((clusters, size)) < 0.5
    new, old = np.where(lost, 0, np.where(won, 1, both)), np.where(lost, 1, np.where(won, 0, both))
    return new.reshape(-1, 1).astype(np.float64), old.reshape(-1, 1).astype(np.float64)


def paired_scores(
    random: np.random.Generator, n: int, differing: float, drop: float
) -> tuple[Floats, Floats]:
    """(new, old), ROUGE-like: a share of the answers is another one, and some of those are lost.

    Args:
        differing: Share of the answers that are new ones.
        drop: The mean of old minus new.
    """
    old = np.where(random.random(n) < 0.1, 0, random.beta(2, 3, n))
    other = np.where(random.random(n) < 0.1, 0, random.beta(2, 3, n))
    new = np.where(random.random(n) < differing, other, old)
    # The mean of a score is 0.36.
    new = np.where(random.random(n) < drop / 0.36, 0, new)
    return new.reshape(-1, 1), old.reshape(-1, 1)


class Outcomes(NamedTuple):
    """Every pair of wins and losses that n samples may show, with its probability."""

    wins: Floats
    losses: Floats
    chance: Floats
    n: int


def outcomes(n: int, losses: float, wins: float) -> Outcomes:
    """Those that are not rarer than one in 10^10."""
    lost = np.arange(n + 1)
    lost = lost[binom.pmf(lost, n, losses) > 1e-10]
    share = wins / (1 - losses)
    won = np.arange(n + 1)
    won = won[binom.pmf(won, n - lost[0], share) + binom.pmf(won, n - lost[-1], share) > 1e-10]
    grid_lost, grid_won = (of.ravel() for of in np.meshgrid(lost, won, indexing="ij"))
    chance = binom.pmf(grid_lost, n, losses) * binom.pmf(grid_won, n - grid_lost, share)
    some = chance > 1e-12
    return Outcomes(grid_won[some].astype(float), grid_lost[some].astype(float), chance[some], n)
