from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.match import exact, relaxed, vqa

# By the definition in the docstring.
EXACT = [
    ("東京", ["東京"], 1),
    ("東京です。", ["東京"], 1),
    ("「トウキョウ」", ["ﾄｳｷｮｳ"], 1),
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
    ("半分", "50%", 0),
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
    assert exact(Answer(prediction, tuple(references))) == expected


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


@pytest.mark.reference
def test_exact_is_what_a_careful_reader_says(gold: Callable[[str], Any]) -> None:
    """All but the answers with packaging that match.exact takes off and the reader did not."""
    content = gold("short_answers")
    judged = {run["run_id"]: run["per_item"] for run in content["runs"]}
    verdicts = judged["exact_match.vlmevalkit"]
    differing = {
        item["pred"]
        for item in content["inputs"]["items"]
        if exact(Answer(item["pred"], tuple(item["gold"]))) != _sensible(verdicts[item["id"]])
    }
    assert differing == {
        "100円です。",
        "東京です。",
        "「はい」です",
        "**富士山**",
        "10〜20",
        "\ufeff東京",
        "葛\U000e0100城",
    }


@pytest.mark.reference
def test_vqa_is_what_a_careful_reader_says(gold: Callable[[str], Any]) -> None:
    """All but synonyms, English and emoji, which the metric leaves apart."""
    differing = set()
    for item in gold("vqa_accuracy")["inputs"]["items"]:
        expected = min(1.0, 0.3 * item["n_agree_sensible"]) if item["n_agree_sensible"] < 4 else 1.0
        if vqa(Answer(item["pred"], tuple(item["answers"]))) != pytest.approx(expected):
            differing.add(item["pred"])
    assert differing == {
        "赤い",
        "ten",
        "東京-大阪",
        "yes",
        "はい、そうです",
        "dont know",
        "猫😺",
        "髙島屋",
    }


def _sensible(verdict: dict[str, Any]) -> float:
    return float(verdict["sensible"] if verdict.get("quirk") else verdict["expected"])
