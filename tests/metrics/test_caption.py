from __future__ import annotations

import numpy as np
import pytest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.records import Scalar

# Words and values of pycocoevalcap 1.2 (Cider.compute_score), a corpus a list.
CORPORA = [
    [
        ("猫が箱で寝る", ["猫が箱で寝る"] * 5, 10.0),
        ("犬が庭で遊ぶ", ["犬が庭を走る"] * 3, 10 / 3),
        ("電車が来る", ["電車が来る", "電車が来る", "バスが来る"], 5.833333333333334),
    ],
    [
        ("猫が寝る", ["猫が寝る"], 7.5),  # three words: no n-gram of order 4
        ("犬が走る", ["犬が走る", "走る犬", "犬の散歩"], 3.6620461726731497),
        (
            "鳥が飛ぶ",
            ["空を飛ぶ鳥", "鳥が飛んでいる", "飛ぶ鳥", "鳥", "羽ばたく鳥"],
            1.7572265627015642,
        ),
    ],
    [
        ("", ["犬が走る", "走る犬"], 0.0),
        ("犬が走る", ["", ""], 0.0),
        ("", [""], 0.0),
        ("猫が眠る", ["猫が眠る", ""], 3.75),
        ("   ", ["鳥が飛ぶ"], 0.0),
    ],
    [("猫が寝ている", ["猫が寝ている", "寝ている猫"], 0.0)] * 4,  # nothing tells them apart
]


def scores(name: str, corpus: list[tuple[str, list[str]]], **options: Scalar) -> list[float]:
    """Each answer's score on its own."""
    metric = load_metric(name, options).prepare([references for _, references in corpus])
    found = metric.score_all([Answer(text, tuple(references)) for text, references in corpus])
    return [score.vector[0] if score.vector else float("nan") for score in found]


@pytest.mark.parametrize("corpus", CORPORA)
def test_cider_d_equals_pycocoevalcap(corpus: list[tuple[str, list[str], float]]) -> None:
    found = scores("caption.cider_d", [(text, references) for text, references, _ in corpus])
    assert found == pytest.approx([expected for *_, expected in corpus], abs=1e-9)


def test_cider_forgives_length_and_repetition() -> None:
    corpus = [("猫が箱で寝る猫が箱で寝る", ["猫が箱で寝る"]), ("犬が走る", ["犬が走る"])]
    plain, clipped = scores("caption.cider", corpus), scores("caption.cider_d", corpus)
    assert plain[0] > clipped[0]
    # Three words of which no other sample has the n-grams: three orders of four are perfect.
    assert plain[1] == clipped[1] == pytest.approx(7.5)


@pytest.mark.parametrize("name", ["caption.cider", "caption.cider_d"])
def test_one_sample_has_no_frequencies(name: str) -> None:
    metric = load_metric(name).prepare([["猫が箱で寝る"]])
    score = metric.score(Answer("猫が箱で寝る", ("猫が箱で寝る",)))
    assert score.vector is None
    assert score.unscored == "a task of one sample has no document frequencies"


def test_a_wider_penalty_forgives_length() -> None:
    references = [["白い猫が箱で寝る"], ["犬"], ["鳥"]]
    corpus = [
        ("白い猫が箱で寝るところを上から撮った写真", references[0]),
        ("", ["犬"]),
        ("", ["鳥"]),
    ]
    narrow, wide = (scores("caption.cider_d", corpus, sigma=sigma)[0] for sigma in (1.0, 100.0))
    assert narrow < wide


@pytest.mark.parametrize("name", ["caption.cider", "caption.cider_d"])
def test_a_score_does_not_depend_on_the_other_answers(name: str) -> None:
    corpus = [(text, tuple(refs)) for part in CORPORA for text, refs, _ in part]
    metric = load_metric(name).prepare([references for _, references in corpus])
    answers = [Answer(*pair) for pair in corpus]
    alone = [metric.score(answer) for answer in answers]
    assert metric.score_all(answers) == alone
    assert metric.score_all(answers[::-1]) == alone[::-1]


# Values of pycocoevalcap 1.2 (Bleu(4) and Rouge, compute_score) on fugashi's words, by the
# formulas of its source: precisions 4/5 3/4 2/3 1/2 and no penalty; precision 4/5, recall 4/4.
def test_bleu_and_rouge_l_of_a_caption() -> None:
    corpus = [
        ("白い猫が箱で", ["白い猫が箱"]),
    ]
    metric = load_metric("caption.bleu_4")
    vector = metric.score_all([Answer("白い猫が箱で", ("白い猫が箱",))])[0].vector
    assert vector == (4, 3, 2, 1, 5, 4, 3, 2, 5, 4)
    expected = {1: 4 / 5, 2: (4 / 5 * 3 / 4) ** (1 / 2), 3: (2 / 5) ** (1 / 3), 4: 0.2 ** (1 / 4)}
    for order, value in expected.items():
        assert _corpus_value(f"caption.bleu_{order}", corpus) == pytest.approx(value)
    f = (1 + 1.2**2) * 0.8 / (1 + 1.2**2 * 0.8)
    assert scores("caption.rouge_l", corpus) == pytest.approx([f])


def test_rouge_l_takes_the_best_of_several_references() -> None:
    # Precision 2/2 with the first, recall 1/1 with the second.
    found = scores("caption.rouge_l", [("白い猫", ["白い猫が寝る", "猫"])])
    assert found == [pytest.approx(1.0)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_has_no_smoothing_but_leaves_out_what_cannot_be(order: int) -> None:
    name = f"caption.bleu_{order}"
    assert _corpus_value(name, [("猫", ["猫"])]) == 1.0
    assert _corpus_value(name, [("", [""])]) == 1.0
    assert _corpus_value(name, [("", ["猫"])]) == 0.0
    turned = _corpus_value(name, [("寝る箱で猫が", ["猫が箱で寝る"])])
    assert (turned > 0) == (order <= 2)


def _corpus_value(name: str, corpus: list[tuple[str, list[str]]]) -> float:
    metric = load_metric(name)
    found = metric.score_all([Answer(text, tuple(references)) for text, references in corpus])
    return float(metric.combine(np.sum([s.vector or () for s in found], axis=0), len(corpus)))
