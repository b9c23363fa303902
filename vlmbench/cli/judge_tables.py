"""What `vlmbench judge` prints beside the runs' own tables."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.cli.console import print_table
from vlmbench.judges.results import Agreement, JudgeCheck, PairResult
from vlmbench.stats import Interval


def print_checks(checks: Sequence[JudgeCheck], *, verbosity: bool) -> None:
    """A row for each metric of each run; what nobody asked for has no column."""
    several = any(one.consistency is not None for one in checks)
    rows = [
        [
            *(one.model, one.task, one.metric, str(one.answers), str(one.unscored)),
            *([_shown(one.verbosity)] if verbosity else []),
            *([_shown(one.consistency)] if several else []),
        ]
        for one in checks
    ]
    names = dict.fromkeys(("model", "task", "metric"), "left")
    numbers = dict.fromkeys(
        (
            *("answers", "unscored"),
            *(["score and length"] if verbosity else []),
            *(["replies among themselves"] if several else []),
        ),
        "right",
    )
    print_table(names | numbers, rows, title="The judge")
    if verbosity:
        print("score and length: Spearman's correlation")
    if several:
        print("replies among themselves: Krippendorff's alpha")


def print_pair(result: PairResult) -> None:
    """Who is preferred, and whether the place of an answer mattered."""
    preference = _shown(result.preference)
    if result.bounds is not None:
        low, high = result.bounds
        preference += f" {result.unscored} unscored: {low:.3f} to {high:.3f} possible"
    rows = [
        [f"preference for {result.first}", preference],
        ["preference for the answer shown first", _shown(result.first_shown)],
        ["same verdict in both orders", _shown(result.consistent)],
        ["pairs", str(result.n)],
    ]
    title = f"{result.first} or {result.second} on {result.task}, judged by {result.asked.judge}"
    print_table({"": "left", "value and 95 % interval": "left"}, rows, title=title)
    print("0.5 is no preference; a tie counts half, and each pair is the mean of both orders")


def print_agreement(found: Agreement) -> None:
    """Kappa and alpha."""
    rows = [
        ["samples with both labels", str(found.n)],
        ["with the first only", str(found.only_first)],
        ["with the second only", str(found.only_second)],
        ["equal labels", f"{found.equal:.3f}"],
        ["Cohen's kappa", _shown(found.kappa)],
        [f"Krippendorff's alpha ({found.level})", _shown(found.alpha)],
    ]
    print_table({"": "left", "value and 95 % interval": "left"}, rows, title="Agreement")


def _shown(value: Interval | None) -> str:
    return "–" if value is None else f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"
