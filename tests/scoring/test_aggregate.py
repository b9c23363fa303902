from __future__ import annotations

import dataclasses
import random
from dataclasses import replace

import pytest
from made_samples import journal_sample

from vlmbench.errors import DataError
from vlmbench.metrics.base import load_metric
from vlmbench.records import Estimate, MetricScore, Response, ResponseError, SampleScores
from vlmbench.scoring.aggregate import ScoredMetric, estimates
from vlmbench.scoring.sample_scores import score_samples
from vlmbench.tasks.conditions import parse_where

EXACT = ScoredMetric("exact", load_metric("match.exact"), headline=True)
BLEU = ScoredMetric("bleu", load_metric("overlap.bleu"), where=parse_where("meta.open == True"))


def answered(id_: str, text: str) -> Response:
    return Response(id_, f"{id_}#key", text=text)


SAMPLES = {
    "a": journal_sample("東京", open=False, kind="where"),
    "b": journal_sample("大阪", open=False, kind="where"),
    "c": journal_sample("猫が箱の中で寝ている", open=True, kind="what"),
    "d": journal_sample("京都", open=False, kind=None),
    "e": journal_sample("奈良", open=False, kind="where"),
}
RESPONSES = {
    "a": answered("a", "東京"),
    "b": answered("b", "神戸"),
    "c": answered("c", "猫が箱の中で寝ている"),
    "d": Response("d", "d#key", error=ResponseError("timeout", "no answer in 60 s")),
}


def row(
    id_: str, value: float | None, kind: str | None = None, *, error: bool = False
) -> SampleScores:
    score = MetricScore((value,)) if value is not None else MetricScore(unscored="nothing found")
    scores = {} if error else {"exact": score}
    return SampleScores(id_, id_, {"kind": kind}, scores, "timeout" if error else None)


def test_samples_are_scored_by_the_metrics_that_are_for_them() -> None:
    rows = score_samples(SAMPLES, RESPONSES, [EXACT, BLEU], slices=["kind"])
    assert [r.id for r in rows] == ["a", "b", "c", "d"]  # e has no response yet
    assert [sorted(r.scores) for r in rows] == [["exact"], ["exact"], ["bleu", "exact"], []]
    assert [r.scores["exact"].vector for r in rows[:3]] == [(1.0,), (0.0,), (1.0,)]
    assert (rows[3].error, rows[3].slices, rows[3].key) == ("timeout", {"kind": None}, "d#key")


def test_frequencies_come_from_the_whole_task_and_not_from_what_is_answered() -> None:
    cider = ScoredMetric("cider", load_metric("caption.cider_d"))
    all_rows = score_samples(SAMPLES, RESPONSES, [cider])
    one_row = score_samples(SAMPLES, {"c": RESPONSES["c"]}, [cider])
    assert one_row[0].scores == all_rows[2].scores
    # A part of the task, with the references of the whole.
    corpus = [(sample.references, sample.meta) for sample in SAMPLES.values()]
    part = {"c": SAMPLES["c"]}
    assert score_samples(part, RESPONSES, [cider], corpus=corpus) == one_row
    assert score_samples(part, RESPONSES, [cider]) != one_row


def test_estimates_overall_and_by_slice() -> None:
    rows = score_samples(SAMPLES, RESPONSES, [EXACT, BLEU], slices=["kind"])
    found = estimates(rows, [EXACT, BLEU], slices=["kind"], total=5)
    summary = [(e.metric, e.slice, e.value, e.n) for e in found]
    assert summary == [
        ("exact", None, 2 / 3, 3),
        ("bleu", None, pytest.approx(1.0), 1),
        ("exact", {"kind": "what"}, 1.0, 1),
        ("bleu", {"kind": "what"}, pytest.approx(1.0), 1),
        ("exact", {"kind": "where"}, 0.5, 2),
    ]
    assert [e.headline for e in found[:2]] == [True, False]
    assert found[0].signature == EXACT.metric.signature


def test_bounds_are_what_missing_samples_still_allow() -> None:
    rows = score_samples(SAMPLES, RESPONSES, [EXACT, BLEU], slices=["kind"])
    found = estimates(rows, [EXACT, BLEU], slices=["kind"], total=5)
    # Two of three are right; d failed and e is missing: 2/5 to 4/5.
    assert found[0].bounds == pytest.approx((0.4, 0.8))
    assert found[1].bounds == (0, 1)
    # e may be of this slice, d is of none.
    assert found[4].bounds == pytest.approx((1 / 3, 2 / 3))
    complete = estimates([row("a", 1.0)], [EXACT], total=1)
    assert complete[0].bounds is None


def test_unscored_answers_are_counted_apart() -> None:
    (estimate,) = estimates([row("a", 1.0), row("b", None)], [EXACT], total=2)
    assert (estimate.value, estimate.n, estimate.unscored) == (1.0, 1, 1)


def test_nothing_to_score_is_no_number() -> None:
    (estimate,) = estimates([row("a", None, error=True)], [EXACT], total=2)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (None, None, None, 0)
    assert estimate.bounds == (0, 1)
    (empty,) = estimates([], [EXACT], total=0)
    assert (empty.value, empty.bounds) == (None, None)


def test_a_slice_of_errors_only_still_shows() -> None:
    rows = [row("a", 1.0, "what"), row("b", None, "where", error=True)]
    found = estimates(rows, [EXACT], slices=["kind"], total=2)
    assert [(e.slice, e.n) for e in found] == [
        (None, 1),
        ({"kind": "what"}, 1),
        ({"kind": "where"}, 0),
    ]


def test_values_of_other_types_are_other_slices() -> None:
    rows = [
        replace(row(str(n), 1.0), slices={"kind": v}) for n, v in enumerate([1, True, 10, 9, "1"])
    ]
    found = estimates(rows, [EXACT], slices=["kind"], total=5)[1:]
    assert [repr(e.slice["kind"]) for e in found if e.slice] == ["True", "1", "9", "10", "'1'"]


def test_the_order_of_rows_changes_nothing() -> None:
    source = random.Random(0)
    rouge = ScoredMetric("exact", load_metric("overlap.rouge_l"))
    rows = [row(f"{n:03}", source.random(), source.choice("abc")) for n in range(200)]
    first = estimates(rows, [rouge], slices=["kind"], total=200)
    source.shuffle(rows)
    assert estimates(rows, [rouge], slices=["kind"], total=200) == first


def only(values: list[float], metric: ScoredMetric) -> Estimate:
    rows = [row(f"{n:03}", value) for n, value in enumerate(values)]
    (estimate,) = estimates(rows, [metric], total=len(values))
    return estimate


# Ends by scipy 1.17.1: stats.binomtest(k, n).proportion_ci(method="wilson")
@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([1.0] * 300, 0.9873570287754541, 1.0),
        ([0.0] * 300, 0.0, 0.012642971224546036),
        ([1.0] * 7 + [0.0] * 2, 0.4525889691069889, 0.9367748928821533),
        ([1.0], 0.20654931437723745, 1.0),
    ],
)
def test_shares_get_wilson_intervals(values: list[float], low: float, high: float) -> None:
    estimate = only(values, EXACT)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-12)


def test_intervals_that_would_collapse_use_the_range_of_the_metric() -> None:
    cider = ScoredMetric("exact", load_metric("caption.cider_d"))
    estimate = only([10.0] * 300, cider)
    assert (estimate.low, estimate.high) == pytest.approx((9.873570287754541, 10.0), abs=1e-9)


def test_other_means_get_as_much_as_zeros_and_ones_of_their_spread() -> None:
    rouge = ScoredMetric("exact", load_metric("overlap.rouge_l"))
    estimate = only([n / 99 for n in range(100)], rouge)
    # Mean 0.5; standard error sqrt(1/12 * 101/99) / 10 = 0.02915, times 1.984 (t of 99)
    assert (estimate.low, estimate.high) == pytest.approx((0.4421, 0.5579), abs=0.002)
    assert estimate.method == "Wilson on effective n"


def test_one_partly_right_answer_does_not_narrow_the_interval() -> None:
    rouge = ScoredMetric("exact", load_metric("overlap.rouge_l"))
    whole, partly, wrong = (only([1.0] * 49 + [last], rouge) for last in (1.0, 0.8, 0.0))
    ends = [one.low for one in (whole, partly, wrong)]
    assert ends == pytest.approx([0.9286, 0.9342, 0.8950], abs=1e-3)


def test_questions_about_one_image_are_one_cluster() -> None:
    values = [float(number % 3 == 0) for number in range(60)]
    rows = [
        dataclasses.replace(row(f"{number:03}-{again}", value), cluster=f"image {number}")
        for number, value in enumerate(values)
        for again in range(3)
    ]
    (estimate,) = estimates(rows, [EXACT], total=180)
    alone = only(values, EXACT)
    assert (estimate.n, estimate.clusters, alone.clusters) == (180, 60, 60)
    assert (alone.method, estimate.method) == ("Wilson", "Wilson on effective n, clustered")
    assert estimate.low is not None and alone.low is not None
    # Asked three times, each answer says as much as asked once, and t of 59 is 2 % above 1.96.
    assert estimate.low == pytest.approx(alone.low, abs=0.005)


def test_a_slice_that_no_sample_has_is_an_error() -> None:
    with pytest.raises(DataError, match=r"Unknown slice 'kid'\. Did you mean 'kind'"):
        score_samples(SAMPLES, RESPONSES, [EXACT], slices=["kid"])


def test_a_condition_on_a_missing_field_is_an_error() -> None:
    other = ScoredMetric("x", EXACT.metric, where=parse_where("meta.answer == 'open'"))
    with pytest.raises(DataError, match=r"meta\.answer"):
        score_samples(SAMPLES, RESPONSES, [other])
