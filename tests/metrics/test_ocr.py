from __future__ import annotations

import numpy as np
import pytest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.ocr import cer, character_f1, receipt, similarity

# (answer, reference, edits, length of the reference, F1 of characters): counted by hand.
PAIRS = [
    ("東京都", "東京", 1, 2, 4 / 5),
    ("東京", "東京", 0, 2, 1),
    ("東 京\n都", "東京都", 0, 3, 1),
    ("ＡＢＣ", "abc", 0, 3, 1),
    ("ｶﾞｿﾘﾝ", "ガソリン", 0, 4, 1),
    ("デ一タ", "データ", 1, 3, 2 / 3),
    ("止禁入立", "立入禁止", 4, 4, 1),
    ("```\n東京駅\n```", "東京駅", 0, 3, 1),
    ("", "東京", 2, 2, 0),
    ("東京", "", 2, 0, 0),
    ("", " \n", 0, 0, 1),
]


@pytest.mark.parametrize(("text", "reference", "edits", "length", "f1"), PAIRS)
def test_reading(text: str, reference: str, edits: int, length: int, f1: float) -> None:
    answer = Answer(text, (reference,))
    assert cer(answer) == (edits, length)
    assert similarity(answer) == pytest.approx(max(0, 1 - edits / max(length, 1)))
    assert character_f1(answer) == pytest.approx(f1)


def test_the_error_rate_is_that_of_the_corpus() -> None:
    metric = load_metric("ocr.cer")
    vectors = [metric.score(Answer("あ", (text,))).vector for text in ("あ", "あいうえおかきくけ")]
    totals = np.array(vectors, dtype=float).sum(axis=0)
    assert metric.combine(totals, 2) == pytest.approx(8 / 10)


def test_the_best_reference_counts() -> None:
    answer = Answer("東京都", ("大阪", "東京"))
    assert cer(answer) == (1, 2)
    assert similarity(answer) == 0.5
    assert character_f1(answer) == pytest.approx(0.8)


WHOLE = (
    '{"store": "丸山", "total": "1280", "date": "2024-05-03", "items": [{"n": "茶"}, {"n": "鮭"}]}'
)

# F1 of the values, counted by hand: the reference has five.
RECEIPTS = [
    (WHOLE, 1.0),
    (WHOLE.replace("1280", "￥1,280").replace("2024-05-03", "令和6年5月3日"), 1.0),
    (f"読み取り結果\n```json\n{WHOLE}\n```", 1.0),
    (WHOLE.replace("1280", "1281"), 0.8),
    (WHOLE.replace('{"n": "茶"}, ', ""), 8 / 9),
    ('{"store": "丸山"}', 2 / 6),
    ("{}", 0.0),
]


@pytest.mark.parametrize(("text", "expected"), RECEIPTS)
def test_receipt(text: str, expected: float) -> None:
    score = receipt(Answer(text, (WHOLE,)))
    assert score.vector == (pytest.approx(expected),)
    assert score.extracted


def test_a_receipt_without_an_object_is_wrong_and_says_so() -> None:
    score = receipt(Answer("読めません", (WHOLE,)))
    assert (score.vector, score.extracted) == ((0.0,), None)


def test_a_reference_that_is_no_object_leaves_the_sample_unscored() -> None:
    score = receipt(Answer(WHOLE, ("丸山",)))
    assert score.vector is None
    assert score.unscored is not None
    assert "no JSON object" in score.unscored
