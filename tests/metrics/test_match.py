from __future__ import annotations

from typing import Any

import pytest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.match import (
    anls,
    choice,
    choice_chance,
    choice_read,
    contains,
    exact,
    jdocqa,
    listed,
    numeric,
    relaxed,
    same,
    states,
    vqa,
)

# By the definition in the docstring.
EXACT = [
    ("東京", ["東京"], 1),
    ("東京。", ["東京"], 1),
    ("東京です。", ["東京"], 1),
    ("「東京」", ["東京"], 1),
    ("トウキョウ", ["ﾄｳｷｮｳ"], 1),
    ("<think>大阪？</think>東京", ["東京"], 1),
    ("ＵＳＢ", ["usb"], 1),
    ("3匹", ["三匹", "３匹"], 1),
    ("東京都", ["東京"], 0),
    ("東京か大阪", ["東京"], 0),
    ("フライパン", ["パン"], 0),
    ("犬ではなく猫です", ["犬"], 0),
    ("", ["東京"], 0),
    ("", [""], 1),
    ("。", ["東京"], 0),
    ("-3", ["3"], 0),
]

UNPACKED = ["東京です。", "「東京」", "**東京**", "# 東京", "東京😊", "\\boxed{東京}"]

# Agreeing annotators of ten -> score: the official VQA evaluation, leave one out.
TEN = [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0), (10, 1.0)]

# Fewer annotators: the same mean written out by hand.
FEWER = [
    ("赤", ["赤"], 1.0),
    ("青", ["赤"], 0.0),
    ("赤", ["赤", "赤"], 1.0),
    ("赤", ["赤", "青"], 0.5),  # alone left in: 1, left out: 0
    ("赤", ["赤", "赤", "青"], (0.5 + 0.5 + 1) / 3),
    ("赤", ["赤", "赤", "赤", "青"], (2 / 3 * 3 + 1) / 4),
]

AGREEING = [
    ("３人", "3", 1),
    ("1,000円", "1000", 1),
    ("1万円", "10000円", 1),
    ("100ドル", "100円", 0),
    ("the dog", "dog", 1),
    ("赤、青", "赤・青", 1),
    ("/", "・", 0),
    ("-3", "3", 0),
    ("a", "b", 0),
]

# ChartQA's rule (5 % of the reference) where it is about plain numbers; the rest by the docstring.
RELAXED = [
    ("105", "100", 1),
    ("95", "100", 1),
    ("105.1", "100", 0),
    ("94.9", "100", 0),
    ("-100", "-104", 1),
    ("104", "-100", 0),
    ("0", "0.0", 1),
    ("0.01", "0", 0),
    ("１，２３４", "1234", 1),
    ("1億2300万", "1.23億人", 1),
    ("12.9%", "12.5％", 1),
    ("12.5", "12.5%", 1),
    ("0.5", "50%", 0),
    ("半分", "50%", 1),
    ("10,000m", "10km", 1),
    ("大阪、東京", "東京、大阪", 1),
    ("約81.2歳です。", "81.2", 1),
    ("100ドル", "100円", 0),
    ("3億円", "3万円", 0),
    ("2025年", "2020年", 0),
    ("2025", "2020", 0),
    ("2020年", "2020", 1),
    ("2,060", "2,020", 1),
    ("3位", "3位", 1),
    ("日本", "日本", 1),
    ("日本です", "日本", 1),
    ("米国", "日本", 0),
    ("", "100", 0),
    ("inf", "100", 0),
    ("100と105", "100", 0),
]

OPTIONS = [
    ("102", "100", {"tolerance": 0.0}, 0),
    ("2019年", "2020年", {"labels_exact": False}, 1),
    ("97匹", "100匹", {"counts_exact": True}, 0),
    ("97%", "100%", {"counts_exact": True}, 1),
]


@pytest.mark.parametrize(("prediction", "references", "expected"), EXACT)
def test_exact(prediction: str, references: list[str], expected: float) -> None:
    score = load_metric("match.exact").score(Answer(prediction, tuple(references)))
    assert score.vector == (expected,)


@pytest.mark.parametrize(("agreeing", "expected"), TEN)
def test_vqa_with_ten_annotators(agreeing: int, expected: float) -> None:
    answers = ("赤",) * agreeing + ("青",) * (10 - agreeing)
    assert vqa(Answer("赤", answers)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("prediction", "references", "expected"), FEWER)
def test_vqa_with_fewer_annotators(prediction: str, references: list[str], expected: float) -> None:
    assert vqa(Answer(prediction, tuple(references))) == pytest.approx(expected)


@pytest.mark.parametrize(("prediction", "reference", "expected"), AGREEING)
def test_when_annotators_agree(prediction: str, reference: str, expected: float) -> None:
    assert vqa(Answer(prediction, (reference,))) == expected


@pytest.mark.parametrize(("prediction", "reference", "expected"), RELAXED)
def test_relaxed(prediction: str, reference: str, expected: float) -> None:
    assert relaxed(Answer(prediction, (reference,))).vector == (expected,)


@pytest.mark.parametrize(("prediction", "reference", "options", "expected"), OPTIONS)
def test_relaxed_with_options(
    prediction: str, reference: str, options: dict[str, Any], expected: float
) -> None:
    score = load_metric("match.relaxed", options).score(Answer(prediction, (reference,)))
    assert score.vector == (expected,)


def test_relaxed_tells_the_number_it_read() -> None:
    assert relaxed(Answer("約１，２３４万円です", ("1",))).extracted == "12340000円"
    assert relaxed(Answer("わかりません", ("1",))).extracted is None


@pytest.mark.parametrize("text", UNPACKED)
def test_exact_takes_packaging_off_unless_told_not_to(text: str) -> None:
    assert exact(Answer(text, ("東京",))) == 1
    assert exact(Answer(text, ("東京",)), unpack=False) == 0


# The same questions to metrics that differ in how far they look: exact, same, states, contains.
FOUR = [
    ("東京", "東京", (1, 1, 1, 1)),
    ("とうきょう", "東京", (0, 1, 1, 0)),
    ("これは東京です", "東京", (0, 0, 1, 1)),
    ("東京ではなく大阪です", "東京", (0, 0, 0, 1)),
    ("東京か大阪のどちらかです", "東京", (0, 0, 0, 1)),
    ("東京、大阪", "大阪", (0, 0, 0, 1)),
    ("塔が見えるので、東京です", "東京", (0, 0, 1, 1)),
    ("フライパン", "パン", (0, 0, 0, 0)),
    ("東京都", "京都", (0, 0, 0, 0)),
    ("2015年", "5", (0, 0, 0, 0)),
    ("3.14", "3", (0, 0, 0, 0)),
    ("", "東京", (0, 0, 0, 0)),
    ("東京", "", (0, 0, 0, 0)),
    ("", "", (1, 1, 1, 1)),
]


@pytest.mark.parametrize(("prediction", "reference", "expected"), FOUR)
def test_how_far_metrics_look(prediction: str, reference: str, expected: tuple[int, ...]) -> None:
    answer = Answer(prediction, (reference,))
    assert (exact(answer), same(answer), states(answer), contains(answer)) == expected


def test_contains_anything_without_whole_words() -> None:
    assert contains(Answer("フライパン", ("パン",)), whole_words=False) == 1


NUMERIC = [
    ("答えは1,234円です", "1234円", 1, "1234円"),
    ("100.9", "100", 1, "100.9"),
    ("101.1", "100", 0, "101.1"),
    ("101個", "100個", 0, "101個"),
    ("2021年", "2020年", 0, "2021年"),
    ("犬が3匹と猫が2匹", "3", 0, None),
    ("東京", "東京", 1, None),
    ("最高は32度、最低は25度です", "25度", 0, None),
    ("わかりません", "3", 0, None),
]


@pytest.mark.parametrize(("prediction", "reference", "expected", "read"), NUMERIC)
def test_numeric(prediction: str, reference: str, expected: float, read: str | None) -> None:
    score = numeric(Answer(prediction, (reference,)))
    assert (score.vector, score.extracted) == ((expected,), read)


# 1 - edits / longer length, by hand.
ANLS = [
    ("東京", "東京", 1.0),
    ("ＵＳＢ。", "usb", 1.0),
    ("東京都", "東京", 2 / 3),
    ("abef", "abcd", 0.5),
    ("大阪", "東京", 0.0),
    ("abefg", "abcd", 0.0),
    ("", "", 1.0),
]


@pytest.mark.parametrize(("prediction", "reference", "expected"), ANLS)
def test_anls(prediction: str, reference: str, expected: float) -> None:
    assert anls(Answer(prediction, (reference,))) == pytest.approx(expected)


CITIES = ("東京", "大阪", "京都", "名古屋")


@pytest.mark.parametrize(
    ("prediction", "reference", "vector", "read"),
    [
        ("答えはＢです", "B", (1.0,), "B"),
        ("答えはＢです", "大阪", (1.0,), "B"),
        ("大阪です", "B", (1.0,), "B"),
        ("Cです", "B", (0.0,), "C"),
        ("AかBです", "B", (0.0,), None),
        ("", "B", (0.0,), None),
        ("B", "札幌", None, None),
    ],
)
def test_choice(
    prediction: str, reference: str, vector: tuple[float, ...] | None, read: str | None
) -> None:
    score = choice(Answer(prediction, (reference,), CITIES))
    assert (score.vector, score.extracted) == (vector, read)
    assert (score.unscored is None) == (vector is not None)
    assert choice_read(Answer(prediction, (reference,), CITIES)).extracted in (read, "B")


@pytest.mark.parametrize(("options", "vector"), [(4, (0.25,)), (3, (1 / 3,)), (0, None)])
def test_choice_chance(options: int, vector: tuple[float, ...] | None) -> None:
    assert choice_chance(Answer("B", ("A",), ("x",) * options)).vector == vector


LISTED = [
    ("東京、大阪", "大阪と東京", 1.0, 1.0),
    ("答えは東京と大阪です", "大阪、東京", 1.0, 1.0),
    ("東京", "東京、大阪", 2 / 3, 0.0),
    ("東京、大阪、京都", "東京、大阪", 0.8, 0.0),
    ("東京、東京", "東京、大阪", 0.5, 0.0),
    ("三つ", "3個", 1.0, 1.0),
    ("札幌", "東京、大阪", 0.0, 0.0),
    ("", "", 1.0, 1.0),
    ("", "東京", 0.0, 0.0),
]


@pytest.mark.parametrize(("prediction", "reference", "f1", "whole"), LISTED)
def test_listed(prediction: str, reference: str, f1: float, whole: float) -> None:
    answer = Answer(prediction, (reference,))
    assert listed(answer).vector == (pytest.approx(f1),)
    assert listed(answer, score="exact").vector == (whole,)


def test_jdocqa_goes_by_answer_type() -> None:
    def score(kind: str | int | None, prediction: str, reference: str) -> Any:
        return jdocqa(Answer(prediction, (reference,), (), {"answer_type": kind}))

    assert score("yesno", "はい、そうです", "はい").vector == (1.0,)
    assert score(2, "10", "2010年").vector == (0.0,)
    assert score("factoid", "東京　都", "東京都").vector == (1.0,)
    assert score("open-ended", "赤い橋", "赤い橋").vector == (pytest.approx(1.0),)
    assert "none of JDocQA's types" in score(None, "a", "a").unscored
