"""The speed of metrics, with room for a busy machine; bench_metrics.py measures it properly."""

from __future__ import annotations

import tracemalloc

from bench_metrics import CAPTION, OVERLAP, ROUGE_L, bootstrap_seconds, cpu, made, ratio, scorer


def test_rouge_l_costs_little_more_than_tokenizing() -> None:
    assert ratio(made(400, 5), ROUGE_L, repeats=5) < 2


def test_all_metrics_share_what_they_need() -> None:
    assert ratio(made(400, 5), (*OVERLAP, *CAPTION), repeats=5) < 5


def test_cost_is_linear() -> None:
    few, many = made(300, 1), made(3000, 1)
    names = (*OVERLAP, *CAPTION)
    assert cpu(scorer(many, names), 2) < 20 * cpu(scorer(few, names), 3)


def test_memory_a_pair_is_bounded() -> None:
    pairs = made(2000, 1)
    tracemalloc.start()
    scorer(pairs, (*OVERLAP, *CAPTION))()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / len(pairs) < 30_000


def test_intervals_of_all_metrics_are_quick() -> None:
    # 10,000 samples are to take 2 s.
    assert bootstrap_seconds(2000) < 1
