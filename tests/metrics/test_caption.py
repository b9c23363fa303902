from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.caption import cider_d_of, frequencies_of

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


@pytest.mark.parametrize("corpus", CORPORA)
def test_cider_d_equals_pycocoevalcap(corpus: list[tuple[str, list[str], float]]) -> None:
    metric = load_metric("caption.cider_d").prepare([references for _, references, _ in corpus])
    for prediction, references, expected in corpus:
        score = metric.score(Answer(prediction, tuple(references)))
        assert score.vector == pytest.approx((expected,), abs=1e-9)


def test_one_sample_has_no_frequencies() -> None:
    metric = load_metric("caption.cider_d").prepare([["猫が箱で寝る"]])
    score = metric.score(Answer("猫が箱で寝る", ("猫が箱で寝る",)))
    assert score.vector is None
    assert score.unscored == "a task of one sample has no document frequencies"


def test_a_wider_penalty_forgives_length() -> None:
    references = [["白い猫が箱で寝る"], ["犬"], ["鳥"]]
    answer = Answer("白い猫が箱で寝るところを上から撮った写真", ("白い猫が箱で寝る",))
    narrow, wide = (
        load_metric("caption.cider_d", {"sigma": sigma}).prepare(references).score(answer).vector
        for sigma in (1.0, 100.0)
    )
    assert narrow is not None
    assert wide is not None
    assert narrow < wide


@pytest.mark.reference
def test_real_captions_equal_pycocoevalcap(gold: Callable[[str], Any]) -> None:
    from vlmbench.text.japanese import _tagger

    content = gold("caption")
    run = next(run for run in content["runs"] if run["run_id"] == "caption.wakati")
    checked = 0
    for name, items in content["inputs"]["corpora"].items():
        if len(items) < 2:
            continue
        words = [[_tagger().parse(text).split() for text in i["refs"]] for i in items]
        frequencies = frequencies_of(words)
        for item, references in zip(items, words, strict=True):
            answer = _tagger().parse(item["hyp"]).split()
            value = cider_d_of(answer, references, frequencies, sigma=6.0)
            expected = run["per_item"][f"{name}::{item['id']}"]["CIDEr-D"]
            assert value == pytest.approx(expected, abs=1e-9), item["id"]
            checked += 1
    assert checked > 400
