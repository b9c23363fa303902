"""McNemar's mid-p test: do two systems differ in how often they are right on the same samples?

Sources: Q. McNemar, Psychometrika 12 (1947); M. W. Fagerland, S. Lydersen and P. Laake, The McNemar
test for binary matched-pairs data: mid-p and asymptotic are better than exact conditional, BMC
Medical Research Methodology 13:91 (2013).
"""

from __future__ import annotations


def mid_p(wins: int, losses: int) -> float:
    """Two-sided mid-p value of the hypothesis that wins and losses are equally likely.

    The exact binomial p-value, with the probability of what was observed counted half; 1 where
    nothing differs.
    """
    from scipy.special import bdtr

    differing, fewer = wins + losses, min(wins, losses)
    if not differing:
        return 1.0
    below = bdtr(fewer - 1, differing, 0.5) if fewer else 0.0
    tail = (below + bdtr(fewer, differing, 0.5)) / 2
    return float(min(1.0, 2 * tail))
