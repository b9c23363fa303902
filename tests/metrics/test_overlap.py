from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sacrebleu

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.overlap import (
    bleu_counts,
    bleu_score,
    chrf_counts,
    chrf_score,
    rouge_l,
    subsequence_f,
)
from vlmbench.text.japanese import normalise, tokenise

# F of rouge_score on fugashi words: the test values of llm-jp-eval-mm's ROUGE-L scorer.
ROUGE_L = [
    ("たかしが公園で遊んでいた。", ["たかしが公園にいたようだ。"], 2 / 3),
    ("池のほとりです。", ["ここは湖の岸です。"], 0.5),
    ("私は猫です。", ["私は犬です。"], 0.8),
    ("私は猫です。", ["私は犬です。", "私は猫です。"], 1.0),
    ("", ["私は猫です。"], 0.0),
    ("猫", ["犬"], 0.0),
    ("", ["\u3000"], 1.0),
]

# (answer, references): lengths, repeats, several references and degenerate texts.
CORPORA = {
    "captions": [
        (
            "赤い橋の上を電車が走っている。",
            ["電車が赤い橋を渡っている。", "赤い橋の上を列車が走る"],
        ),
        ("猫が二匹、箱の中で寝ています", ["箱の中で猫が二匹寝ている。"]),
        ("ＪＲ東日本のＥ２３５系電車です。", ["これはJR東日本E235系です。", "山手線の電車。"]),
        ("です。です。です。です。", ["これは猫です。"]),
        ("", ["何も写っていない。"]),
    ],
    "same": [("白い皿に盛られた赤いりんご", ["白い皿に盛られた赤いりんご"])] * 3,
    "no match of order 4": [("猫が公園で遊ぶ", ["公園で猫が昼寝する"]), ("犬", ["犬"])],
    "short": [("猫", ["猫"]), ("犬だ", ["犬だ"])],
    "nothing shared": [("かもめ", ["地下鉄の駅"])],
    "nothing at all": [("", ["地下鉄の駅"])],
    "empty reference": [("猫がいる", [""]), ("犬が走って来る", ["犬が走って行く"])],
}


@pytest.mark.parametrize(("prediction", "references", "expected"), ROUGE_L)
def test_rouge_l(prediction: str, references: list[str], expected: float) -> None:
    assert rouge_l(Answer(prediction, tuple(references))) == pytest.approx(expected, abs=1e-12)


def test_rouge_l_weighs_recall_by_beta() -> None:
    # P = 1/2, R = 1: F2 = 5 * 0.5 / (1 + 4 * 0.5) = 5/6
    assert subsequence_f(["猫", "犬"], ["猫"], beta=2) == pytest.approx(5 / 6)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_bleu_equals_sacrebleu(corpus: list[tuple[str, list[str]]]) -> None:
    ours = _corpus_value("overlap.bleu", corpus)
    words = [(_joined(answer), list(map(_joined, refs))) for answer, refs in corpus]
    theirs = sacrebleu.corpus_bleu(*_columns(words), tokenize="none", force=True)
    assert ours == pytest.approx(theirs.score / 100, abs=1e-9)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_chrf_equals_sacrebleu(corpus: list[tuple[str, list[str]]]) -> None:
    ours = _corpus_value("overlap.chrf", corpus)
    texts = [(normalise(answer), list(map(normalise, refs))) for answer, refs in corpus]
    assert ours == pytest.approx(sacrebleu.corpus_chrf(*_columns(texts)).score / 100, abs=1e-9)


@pytest.mark.reference
def test_rouge_l_equals_rouge_score(gold: Callable[[str], Any]) -> None:
    for run in gold("text_rouge")["runs"]:
        for id_, item in run["per_item"].items():
            # edge/074 is stored with its words cut off; without words ours is 1, theirs 0.
            if item.get("tokens_hyp") and id_ not in {"edge/074", "edge/077"}:
                f = subsequence_f(item["tokens_hyp"], item["tokens_ref0"], beta=1)
                assert f == pytest.approx(item["rougeL"]["f"], abs=1e-9), id_


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "run_id", "counts", "score"),
    [
        ("text_bleu", "bleu.fugashi-none", bleu_counts, bleu_score),
        ("text_chrf", "chrf", chrf_counts, chrf_score),
    ],
)
def test_corpora_equal_sacrebleu(
    gold: Callable[[str], Any], file: str, run_id: str, counts: Any, score: Any
) -> None:
    content = gold(file)
    run = next(run for run in content["runs"] if run["run_id"] == run_id)
    prepare = _plain_words if file == "text_bleu" else _without_spaces
    checked = 0
    for name, corpus in run["corpus"].items():
        if name not in content["inputs"]["corpora"]:
            continue
        items = {item["id"]: item for item in content["inputs"]["corpora"][name]}
        chosen = [items[id_] for id_ in corpus["ids"] or items]
        rows = [counts(prepare(i["hyp"]), [prepare(r) for r in i["refs"]]) for i in chosen]
        value = float(score(np.sum(rows, axis=0)))
        assert value == pytest.approx(corpus["expected"]["score"] / 100, abs=1e-9), name
        checked += 1
    assert checked >= 8


def _corpus_value(name: str, corpus: list[tuple[str, list[str]]]) -> float:
    metric = load_metric(name)
    vectors = [metric.score(Answer(answer, tuple(refs))).vector for answer, refs in corpus]
    return float(metric.combine(np.sum(np.array(vectors), axis=0), len(vectors)))


def _columns(corpus: list[tuple[str, list[str]]]) -> tuple[list[str], list[list[str]]]:
    """sacrebleu wants a column per reference; missing ones repeat the first."""
    width = max(len(references) for _, references in corpus)
    return [answer for answer, _ in corpus], [
        [(references + [references[0]] * width)[column] for _, references in corpus]
        for column in range(width)
    ]


def _joined(text: str) -> str:
    return " ".join(tokenise(text))


def _plain_words(text: str) -> list[str]:
    """fugashi without our normalisation, as the reference was computed."""
    from vlmbench.text.japanese import _tagger

    return list(_tagger().parse(text).split()) if text else []


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def test_scores_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(bleu_score(np.zeros(10))) == 0
        assert float(chrf_score(np.zeros(18))) == 0
