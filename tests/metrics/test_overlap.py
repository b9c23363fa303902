from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.ngrams.scores import bleu_score, chrf_score
from vlmbench.records import Scalar
from vlmbench.text.japanese import normalize, tokenize

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

# By hand, on the words 私 は 猫 です 。 and the like.
ROUGE_N = [
    (1, "私は猫です。", ["私は犬です。"], 4 / 5),
    (2, "私は猫です。", ["私は犬です。"], 2 / 4),
    (1, "猫、猫、猫", ["猫"], 2 * (1 / 5) * 1 / (1 / 5 + 1)),
    (2, "猫", ["猫"], 1.0),
    (2, "猫", ["犬"], 0.0),
    (2, "猫", ["猫です。"], 0.0),
    (2, "", [""], 1.0),
    (1, "", ["猫"], 0.0),
    (2, "猫です。", ["犬", "猫です。"], 1.0),
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
    "nothing shared": [("かもめ", ["地下鉄の駅"])],
    "nothing at all": [("", ["地下鉄の駅"])],
    "empty reference": [("猫がいる", [""]), ("犬が走って来る", ["犬が走って行く"])],
    "moved": [
        ("公園で猫が箱の中で寝ている", ["箱の中で猫が公園で寝ている"]),
        ("左に犬、右に猫、上に鳥がいる写真", ["上に鳥、左に犬、右に猫がいる写真", "鳥と犬と猫"]),
    ],
}


def value(name: str, corpus: Sequence[tuple[str, list[str]]], **options: Scalar) -> float:
    """The metric's value on a corpus."""
    metric = load_metric(name, options)
    scores = metric.score_all([Answer(answer, tuple(refs)) for answer, refs in corpus])
    return float(metric.combine(np.sum([s.vector or () for s in scores], axis=0), len(corpus)))


def spaced(corpus: list[tuple[str, list[str]]]) -> tuple[list[str], list[list[str]]]:
    """The corpus for sacrebleu, in words: a column per reference, the first one repeated."""
    width = max(len(references) for _, references in corpus)
    return [" ".join(tokenize(answer)) for answer, _ in corpus], [
        [" ".join(tokenize((refs + refs[:1] * width)[column])) for _, refs in corpus]
        for column in range(width)
    ]


@pytest.mark.parametrize(("prediction", "references", "expected"), ROUGE_L)
def test_rouge_l(prediction: str, references: list[str], expected: float) -> None:
    assert value("overlap.rouge_l", [(prediction, references)]) == pytest.approx(expected)


def test_rouge_l_weighs_recall_by_beta() -> None:
    # P = 1/2, R = 1: F2 = 5 * 0.5 / (1 + 4 * 0.5) = 5/6
    assert value("overlap.rouge_l", [("猫犬", ["猫"])], beta=2) == pytest.approx(5 / 6)


@pytest.mark.parametrize(("order", "prediction", "references", "expected"), ROUGE_N)
def test_rouge_n(order: int, prediction: str, references: list[str], expected: float) -> None:
    assert value(f"overlap.rouge_{order}", [(prediction, references)]) == pytest.approx(expected)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_bleu_equals_sacrebleu(corpus: list[tuple[str, list[str]]]) -> None:
    theirs = sacrebleu.corpus_bleu(*spaced(corpus), tokenize="none", force=True)
    assert value("overlap.bleu", corpus) == pytest.approx(theirs.score / 100, abs=1e-9)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_sentence_bleu_equals_sacrebleu(corpus: list[tuple[str, list[str]]]) -> None:
    theirs = [
        sacrebleu.sentence_bleu(
            " ".join(tokenize(answer)),
            [" ".join(tokenize(text)) for text in references],
            tokenize="none",
            use_effective_order=True,
        ).score
        for answer, references in corpus
    ]
    ours = value("overlap.sentence_bleu", corpus)
    assert ours == pytest.approx(sum(theirs) / len(theirs) / 100, abs=1e-9)


# sacrebleu leaves out what is said where the reference is empty.
@pytest.mark.parametrize("corpus", [CORPORA[name] for name in CORPORA if "empty" not in name])
@pytest.mark.parametrize(("name", "word_order"), [("chrf", 0), ("chrf_pp", 2)])
def test_chrf_equals_sacrebleu(
    name: str, word_order: int, corpus: list[tuple[str, list[str]]]
) -> None:
    from sacrebleu.metrics.chrf import CHRF

    theirs = CHRF(word_order=word_order)
    # sacrebleu would cut ASCII punctuation off words, which fugashi has done already.
    theirs._remove_punctuation = str.split  # type: ignore[method-assign, assignment]
    expected = theirs.corpus_score(*spaced(corpus)).score / 100
    assert value(f"overlap.{name}", corpus) == pytest.approx(expected, abs=1e-9)


def test_bleu_leaves_out_orders_that_no_answer_is_long_enough_for() -> None:
    assert value("overlap.bleu", [("猫", ["猫"]), ("犬だ", ["犬だ"])]) == 1.0


@pytest.mark.parametrize(
    "name", ["rouge_1", "rouge_2", "rouge_l", "bleu", "sentence_bleu", "chrf", "chrf_pp"]
)
@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("", ""),
        ("猫", "猫"),
        ("価格は￥１，２００です", "価格は¥1,200です"),
        ("ｺｰﾋｰを飲む｡", "コーヒーを飲む。"),
        ("天然水-　Ｌｅｍｏｎ＋レモン", "天然水-Lemon+レモン"),
        ("URLはhttps://example.jp/a?b=c です", "URLは https://example.jp/a?b=cです"),
    ],
)
def test_what_differs_in_width_or_white_space_is_the_same(
    name: str, answer: str, reference: str
) -> None:
    assert value(f"overlap.{name}", [(answer, [reference])]) == pytest.approx(1.0, abs=1e-12)


def test_characters_are_an_option() -> None:
    # 東京都 against 京都府: two of three characters, in order.
    assert value("overlap.rouge_l", [("東京都", ["京都府"])], tokenizer="characters") == (
        pytest.approx(2 / 3)
    )


def test_case_counts() -> None:
    assert value("overlap.rouge_1", [("jr", ["JR"])]) == 0.0


TEXT = st.text("猫が犬をabＡ 。\u3099\ud800", max_size=12)


@given(
    corpus=st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=4)
)
@settings(max_examples=25, deadline=None)
def test_a_score_does_not_depend_on_the_other_answers(
    corpus: list[tuple[str, list[str]]],
) -> None:
    answers = [Answer(answer, tuple(references)) for answer, references in corpus]
    for name in ("rouge_1", "rouge_2", "rouge_l", "bleu", "sentence_bleu", "chrf", "chrf_pp"):
        metric = load_metric(f"overlap.{name}")
        assert metric.score_all(answers) == [metric.score(answer) for answer in answers]


def test_no_answers_have_no_scores() -> None:
    assert load_metric("overlap.bleu").score_all([]) == []


def test_scores_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(bleu_score(np.zeros(10), effective_order=False)) == 0
        assert float(chrf_score(np.zeros(18))) == 1


def test_normalization_comes_first() -> None:
    assert normalize("ｺｰﾋｰ") == "コーヒー"
    assert value("overlap.chrf", [("ｺｰﾋｰ", ["コーヒー"])]) == pytest.approx(1.0)
