"""The English VQA processing; values are lmms-eval's and VLMEvalKit's in gold vqa_accuracy."""

from __future__ import annotations

import pytest

from vlmbench.metrics.compat.text_evalai import (
    contractions,
    evalai,
    evalai_words,
    leave_one_out,
    vlmevalkit,
)

# text, TextVQA's form, VQAv2's, VLMEvalKit's
FORMS = [
    ("The dog", "dog", "dog", "dog"),
    ("ten", "10", "10", "10"),
    ("none", "0", "0", "0"),
    ("dont know", "don't know", "don't know", "don't know"),
    ("(東京)", "東京", "東京", "東京"),
    ("東京-大阪", "東京 大阪", "東京 大阪", "東京 大阪"),
    ("3.", "3", "3", "3."),
    (".5", ".5", ".5", ".5"),
    ("1,000 円", "1000 円", "1000 円", "1000 円"),
    ("赤,青", "赤青", "赤 青", "赤 青"),
    ("東\n京", "東 京", "東 京", "東 京"),
    ("Ａ", "ａ", "ａ", "ａ"),
    ("はい。", "はい。", "はい。", "はい。"),
    ("", "", "", ""),
]


@pytest.mark.parametrize(("text", "textvqa", "vqav2", "kit"), FORMS)
def test_forms(text: str, textvqa: str, vqav2: str, kit: str) -> None:
    assert evalai(text) == textvqa
    assert evalai_words(text) == vqav2
    assert vlmevalkit(text) == kit


def test_only_so_many_full_stops_go() -> None:
    # The flag re.UNICODE, 32, stands where the count should.
    assert evalai("." * 40) == "." * 8


def test_contractions_as_published() -> None:
    table = contractions()
    assert len(table) == 116
    assert table["couldnt've"] == table["couldn'tve"] == "couldn't've"
    assert table["he'dve"] == "he'd've"
    assert table["somebody'd"] == "somebodyd"  # an oddity of the list
    assert "cannot" not in table


@pytest.mark.parametrize(
    ("agreeing", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_ten_annotators(agreeing: int, score: float) -> None:
    # Notes of the gold file vqa_accuracy.
    assert leave_one_out(agreeing, 10) == pytest.approx(score)
