"""From an interval to a verdict, and from verdicts to an exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_gate import color_answers, color_task, gate, task_row

from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.compare.gate.verdicts import verdict_of, what_decides
from vlmbench.stats import PairedDifference, paired_difference


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (0.01, 0.05, 1.0, "better"),
        (0.0, 0.05, 1.0, "no worse"),
        (-0.1, 0.05, 1.0, "no worse"),
        (-0.11, 0.05, 1.0, "undecided"),
        (-0.2, -0.01, 1.0, "undecided"),  # surely a drop, not surely more than tolerated
        (-0.2, -0.1, 0.02, "undecided"),
        (-0.3, -0.11, 0.02, "regressed"),
        (-0.3, -0.11, 0.03, "undecided"),  # not after Holm
        (-0.1 - 1e-10, 0.05, 1.0, "no worse"),
        (1e-10, 0.05, 1.0, "no worse"),
        (-0.3, -0.1 - 1e-10, 0.0, "undecided"),
    ],
)
def test_verdicts_at_the_edges_of_a_margin_of_a_tenth(
    low: float, high: float, p: float, verdict: str
) -> None:
    assert verdict_of(low, high, margin=0.1, p_regressed=p) == verdict


@pytest.mark.parametrize("base", [0.7, 0.1, 0.52, 0.333, 1.0])
def test_floats_decide_nothing(base: float) -> None:
    """0.70 - 0.72 is -0.020000000000000018, which is not below -0.02."""
    assert verdict_of(base - (base + 0.02), 0.05, margin=0.02) == "no worse"
    assert verdict_of(-0.2, base - (base + 0.02), margin=0.02) == "undecided"


def row(verdict: Any, kind: Any = "task", **changes: Any) -> GateRow:
    return GateRow(kind, "ja-small", "match.exact", verdict, **changes)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row("better"), row("no worse"), row("unchanged")], 0),
        ([row("no worse"), row("undecided")], 4),
        ([row("undecided"), row("incomplete")], 3),
        ([row("incomplete"), row("regressed"), row("better")], 1),
        # The pooled verdict speaks for tasks that are undecided, not for one that is surely worse.
        ([row("undecided", p_worse=0.2), row("no worse", "pooled")], 0),
        ([row("undecided", p_worse=0.02), row("no worse", "pooled")], 4),
        ([row("no worse"), row("undecided", "pooled")], 4),
        ([row("no worse"), row("regressed", "pooled")], 1),
        # Slices and shares: only where gated; a share doesn't hold the gate up.
        ([row("no worse"), row("regressed", "slice", gated=False)], 0),
        ([row("no worse"), row("regressed", "slice")], 1),
        ([row("no worse"), row("undecided", "slice")], 4),
        ([row("no worse"), row("undecided", "share")], 0),
        ([row("no worse"), row("regressed", "share")], 1),
        ([row("no worse"), row("undecided", "resource")], 4),
    ],
)
def test_exit_code(rows: list[GateRow], code: int) -> None:
    report = GateReport("a", "b", tuple(rows))
    assert report.exit_code == code
    assert json.loads(json.dumps(report.as_json()))["exit_code"] == code


@pytest.mark.parametrize(("undecided", "code"), [("pass", 0), ("fail", 1), (4, 4)])
def test_what_undecided_means_is_the_projects_to_say(undecided: Any, code: int) -> None:
    assert GateReport("a", "b", (row("undecided"),), undecided=undecided).exit_code == code
    assert GateReport("a", "b", (row("regressed"),), undecided=undecided).exit_code == 1
    assert GateReport("a", "b", (row("incomplete"),), undecided=undecided).exit_code == 3


# Without a sample that differs, Tango's interval passes a margin of 0.02 from 189 samples on, of
# 0.05 from 73, of 0.1 from 35: z^2 / (n + z^2) <= m, with z = 1.96 (T. Tango, Equivalence test and
# confidence interval for the difference in proportions for the paired-sample design, Statistics
# in Medicine 17, 1998).
@pytest.mark.parametrize(("n", "margin"), [(189, 0.02), (73, 0.05), (35, 0.1)])
def test_equal_scores_pass_from_so_many_samples_on(tmp_path: Path, n: int, margin: float) -> None:
    for count, verdict in ((n, "no worse"), (n - 1, "undecided")):
        folder = tmp_path / str(count)
        task = color_task(folder / "tasks", count)
        half = count // 2
        old = color_answers(half, count - half)
        new = color_answers(half, count - half, other="緑")
        row = task_row(gate(folder, task, old, new, margin=margin))
        assert (row.verdict, row.difference) == (verdict, 0)
        assert row.text.endswith(f"n = {n} instead of {count}, or a margin of {row.text[-5:]}") or (
            verdict == "no worse"
        )


@pytest.mark.parametrize("n", [1, 3, 9])
def test_the_same_answers_are_unchanged_however_few(tmp_path: Path, n: int) -> None:
    task = color_task(tmp_path / "tasks", n)
    same = color_answers(n)
    report = gate(tmp_path, task, same, same)
    assert task_row(report).verdict == "unchanged" == report.verdict
    assert report.exit_code == 0


@pytest.mark.parametrize("n", [1, 3, 9])
@pytest.mark.parametrize("margin", [0.02, 0.9])
def test_few_samples_are_not_called(tmp_path: Path, n: int, margin: float) -> None:
    """Neither a loss of everything nor a gain, whatever the margin."""
    task = color_task(tmp_path / "tasks", n)
    for old, new in (
        (color_answers(n), color_answers(0, n)),
        (color_answers(0, n), color_answers(n)),
    ):
        row = task_row(gate(tmp_path, task, old, new, margin=margin))
        assert row.verdict == "undecided"
        assert "too few to call" in row.text
        assert row.text.endswith(f" instead of {n}")


# d = -0.2 and -0.15 of 100; the standard error of the difference of paired proportions (A. Agresti,
# Categorical Data Analysis, 11.1) is sqrt((b + c - (b - c)^2 / n)) / n: 0.04 for 20 losses, 0.0477
# for 20 and 5 wins; 0.0245 for 3 and 3.
@pytest.mark.parametrize(
    ("losses", "wins", "margin", "verdict"),
    [
        (20, 0, 0.02, "regressed"),
        (20, 0, 0.3, "no worse"),
        (20, 0, 0.25, "undecided"),
        (20, 5, 0.02, "regressed"),
        (20, 5, 0.1, "undecided"),
        (0, 12, 0.02, "better"),
        (3, 3, 0.02, "undecided"),
        (3, 3, 0.1, "no worse"),
        (1, 0, 0.02, "undecided"),
        # Tolerated drops are not called regressed, however sure the drop is: d = -0.08, se 0.027.
        (8, 0, 0.16, "no worse"),
        (8, 0, 0.05, "undecided"),
    ],
)
def test_verdicts_of_right_and_wrong_answers(
    tmp_path: Path, losses: int, wins: int, margin: float, verdict: str
) -> None:
    task = color_task(tmp_path / "tasks", 100)
    old = color_answers(70, 30)
    new = {f"q{n}": "赤" if losses <= n < 70 + wins else "青" for n in range(100)}
    report = gate(tmp_path, task, old, new, margin=margin)
    row = task_row(report)
    assert row.verdict == verdict
    assert row.baseline == 0.7
    assert row.value == pytest.approx(0.7 + (wins - losses) / 100)
    assert row.difference == pytest.approx((wins - losses) / 100)
    assert row.margin == pytest.approx(margin)
    if verdict == "undecided":
        assert row.text.endswith(row.decides) and "margin of" in row.decides
        assert ("worse, how much is open" in row.text) == row.worse
    assert report.exit_code == {"regressed": 1, "undecided": 4}.get(verdict, 0)


def test_the_margin_that_would_decide_decides(tmp_path: Path) -> None:
    task = color_task(tmp_path / "tasks", 100)
    old, new = color_answers(70, 30), color_answers(68, 32)
    row = task_row(gate(tmp_path, task, old, new))
    assert row.verdict == "undecided"
    margin = float(row.decides.rpartition(" ")[2])
    assert task_row(gate(tmp_path, task, old, new, margin=margin)).verdict == "no worse"


def same_scores(images: int, questions: int) -> PairedDifference:
    """Two models with the same scores, though other answers, on so many questions an image."""
    scores = np.zeros((images * questions, 1))
    clusters = np.repeat(np.arange(images), questions).astype(str)
    return paired_difference(scores, scores, clusters=clusters, kind="binary")


@pytest.mark.parametrize(("images", "questions"), [(36, 3), (20, 5), (40, 1)])
def test_the_number_that_decides_does_decide_where_no_score_differs(
    images: int, questions: int
) -> None:
    seen = same_scores(images, questions)
    text = what_decides(seen, low=seen.low, margin=0.02, scale=1.0, unit=1.0)
    (needed,) = re.findall(rf"n = (\d+) instead of {images * questions},", text)
    enough = -(-int(needed) // questions)
    assert same_scores(enough, questions).low >= -0.02
    # Student's t of more images is smaller, so that up to a fifth fewer would do.
    assert same_scores(int(0.8 * enough), questions).low < -0.02
