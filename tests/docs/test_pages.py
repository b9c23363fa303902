"""docs/metrics.md says what the code says, and docs/benchmarks.md what the task files say."""

from __future__ import annotations

from datetime import date

import pytest
from benchmark_pages import cards_part
from pages import BENCHMARKS_PAGE, PAGE, measured_part, metrics_part, with_benchmarks, with_part

from vlmbench.errors import DataError
from vlmbench.metrics.base import metric_names
from vlmbench.tasks.registry import task_names


def test_the_page_lists_the_metrics_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_part(page, "metrics", metrics_part()) == page, "run: python docs/build/pages.py"


def test_the_page_of_benchmarks_is_what_the_task_files_say() -> None:
    page = BENCHMARKS_PAGE.read_text(encoding="utf-8")
    assert with_benchmarks(page) == page, "run: python docs/build/pages.py"


def test_every_task_has_one_card() -> None:
    cards = cards_part().split("\n")
    for name in task_names():
        assert cards.count(f"### {name}") == 1


def test_every_metric_has_one_row() -> None:
    rows = metrics_part().split("\n")
    for name in metric_names():
        assert sum(row.startswith(f"| `{name}` |") for row in rows) == 1


def test_every_command_of_the_page_exists() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("overlap.chrf", "caption.cider_d", "overlap.rouge_l", "match.relaxed"):
        assert name in page and name in metric_names()


@pytest.mark.parametrize("name", ["parity", "reader", "speed", "long"])
def test_measurements_are_on_the_page(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    part = page.partition(f"<!-- begin: {name} -->")[2].partition(f"<!-- end: {name} -->")[0]
    assert "|---" in part, "see the docstring of docs/build/pages.py"


def test_a_part_is_replaced_and_nothing_else() -> None:
    page = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n"
    assert with_part(page, "x", "new") == "a\n<!-- begin: x -->\n\nnew\n\n<!-- end: x -->\nb\n"
    with pytest.raises(DataError, match="no part 'y'"):
        with_part(page, "y", "new")


def test_measurements_say_when_and_where() -> None:
    assert measured_part("| a |", date(2026, 1, 2)).startswith("Measured on 2026-01-02: ")
