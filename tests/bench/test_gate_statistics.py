"""How often the gate is right: simulated models of known quality, compared many times.

Each trial draws answers of two models to 300 questions: both right, both wrong, or one of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from vlmbench.compare.gate import verdict_of
from vlmbench.stats import Floats, mean, paired_bootstrap

TRIALS = 300
QUESTIONS = 300
MARGIN = 0.02


def answers(losses: float, wins: float, trial: int) -> tuple[Floats, Floats]:
    """(baseline, run) as zeros and ones; only the run is wrong on `losses` of the questions."""
    draws = np.random.default_rng([trial, int(1e6 * losses)]).random(QUESTIONS)
    run = np.where(draws < losses, 0.0, np.where(draws < losses + wins, 1.0, draws > 0.5))
    old = np.where(draws < losses, 1.0, np.where(draws < losses + wins, 0.0, draws > 0.5))
    return old[:, None].astype(np.float64), run[:, None].astype(np.float64)


# With 300 trials, the standard error of a share of 0.95 is 0.013 and of one of 0.025 is 0.009.
@pytest.mark.parametrize(
    ("losses", "wins", "verdict", "at_least", "at_most"),
    [
        (0.10, 0.10, "regressed", 0.0, 0.05),  # no change: false alarms
        (0.10, 0.08, "within margin", 0.0, 0.05),  # a drop of just the margin must not pass
        # Hardly any change passes: sd = sqrt(.01 / 300) = .0058, so d > -.02 + 1.96 sd = -.0087,
        # which is 1.5 sd below 0: in 93 of 100 trials.
        (0.005, 0.005, "within margin", 0.85, 1.0),
        (0.20, 0.05, "regressed", 0.99, 1.0),  # a drop of 15 points is found
        (0.10, 0.10, "better", 0.0, 0.05),
        (0.05, 0.15, "better", 0.95, 1.0),  # a gain of 10 points is found
    ],
)
def test_share_of_verdicts(
    losses: float, wins: float, verdict: str, at_least: float, at_most: float
) -> None:
    truth = wins - losses
    covered = matching = 0
    for trial in range(TRIALS):
        old, run = answers(losses, wins, trial)
        found = paired_bootstrap(run, old, mean, resamples=500, seed=trial)
        covered += found.low <= truth + 1e-9 and truth - 1e-9 <= found.high
        decided = verdict_of(found.low, found.high, found.difference, margin=MARGIN)
        # A gain passes as well, and better.
        matching += decided == verdict or (verdict == "within margin" and decided == "better")
    assert 0.91 <= covered / TRIALS <= 0.99
    assert at_least <= matching / TRIALS <= at_most
