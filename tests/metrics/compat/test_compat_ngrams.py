"""compat_sacrebleu and compat_coco against the values that the originals gave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest
import sacrebleu

from vlmbench.metrics.base import Answer, Metric, load_metric
from vlmbench.records import MetricScore, Scalar

Options = Mapping[str, Scalar]

# gold file, run, metric, options, field of an item's values (None: a number or its score)
SACREBLEU = [
    ("text_bleu", "bleu.13a", "sentence_bleu", {"tokenizer": "13a"}, "sentence_bleu"),
    ("text_bleu", "bleu.char", "sentence_bleu", {"tokenizer": "char"}, "sentence_bleu"),
    ("text_bleu", "bleu.ja-mecab", "sentence_bleu", {"tokenizer": "ja-mecab"}, "sentence_bleu"),
    ("text_bleu", "bleu.fugashi-none", "sentence_bleu", {"tokenizer": "fugashi"}, "sentence_bleu"),
    *[
        ("text_bleu", run, "bleu", {"tokenizer": name}, "sentence_bleu_no_effective_order")
        for run, name in (
            ("bleu.13a", "13a"),
            ("bleu.char", "char"),
            ("bleu.ja-mecab", "ja-mecab"),
            ("bleu.fugashi-none", "fugashi"),
        )
    ],
    ("text_chrf", "chrf", "chrf", {}, None),
    ("text_chrf", "chrf++", "chrf_pp", {"tokenizer": "none"}, None),
    ("text_chrf", "chrf++.fugashi", "chrf_pp", {"tokenizer": "fugashi"}, None),
    ("text_ter", "ter", "ter", {}, None),
    ("text_ter", "ter.asian", "ter", {"normalized": True}, None),
    ("text_ter", "ter.fugashi", "ter", {"tokenizer": "fugashi"}, None),
]
MOST_CHARACTERS = {"ter": 60}
"""Of answer and reference: a paragraph takes sacrebleu's TER a second and more. `python -m parity`
compares all of them."""

COCO_TOKENIZERS = {
    "caption.wakati": "fugashi",
    "caption.char": "characters",
    "caption.wakati+ptb": "fugashi+penn",
    "caption.ptb-raw": "penn",
}
COCO_METRICS = {
    "CIDEr-D": "cider_d",
    "CIDEr": "cider",
    "Bleu_1": "bleu_1",
    "Bleu_2": "bleu_2",
    "Bleu_3": "bleu_3",
    "Bleu_4": "bleu_4",
    "ROUGE_L.coco": "rouge_l",
}


def answers(items: Iterable[Mapping[str, Any]]) -> list[Answer]:
    """Gold inputs as a metric sees them."""
    return [Answer(item["hyp"], tuple(item["refs"])) for item in items]


def value(metric: Metric, scores: list[MetricScore]) -> float:
    """The corpus value."""
    return float(metric.combine(np.sum([s.vector or () for s in scores], axis=0), len(scores)))


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "run_id", "name", "options", "field"),
    SACREBLEU,
    ids=[f"{run}-{name}" for _, run, name, *_ in SACREBLEU],
)
def test_sacrebleu(
    gold: Callable[[str], Any], file: str, run_id: str, name: str, options: Options, field: str
) -> None:
    if options.get("tokenizer") == "ja-mecab":
        pytest.importorskip("ipadic", reason="the extra 'compat' is not installed")
    content = gold(file)
    run = next(run for run in content["runs"] if run["run_id"] == run_id)
    metric = load_metric(f"compat_sacrebleu.{name}", options)
    scores: dict[str, MetricScore] = {}
    longest = MOST_CHARACTERS.get(name, 10**6)
    for corpus, items in content["inputs"]["corpora"].items():
        chosen = [
            item
            for item in items
            if item["id"] in run["per_item"] and len(item["hyp"] + item["refs"][0]) <= longest
        ]
        found = metric.score_all(answers(chosen))
        scores |= {item["id"]: score for item, score in zip(chosen, found, strict=True)}
        summary = run["corpus"].get(corpus)
        ids = summary and (summary["ids"] or [item["id"] for item in items])
        if ids and name != "sentence_bleu" and scores.keys() >= set(ids):
            ours = value(metric, [scores[id_] for id_ in ids])
            assert ours == pytest.approx(summary["expected"]["score"], abs=1e-9), corpus
    assert set(scores) == set(run["per_item"]) or name in MOST_CHARACTERS
    for id_ in scores:
        expected = run["per_item"][id_]
        if field:
            expected = expected[field]
        elif isinstance(expected, dict):
            expected = expected["score"]
        assert value(metric, [scores[id_]]) == pytest.approx(expected, abs=1e-9), id_


# Different numbers of references, short answers, ties, punctuation, nothing.
CORPUS: list[tuple[str, list[str]]] = [
    ("赤い橋の上を 電車が走っている.", ["電車が 赤い橋を 渡っている.", "赤い橋の上を電車が走る"]),
    ("the cat sat on the mat, quietly", ["on the mat the cat sat, quietly"]),
    ("JR&amp;E235 系 (電車)", ["JR&E235 系 電車", "山手線", "電車"]),
    ("猫", ["犬", "鳥と猫"]),
    ("", ["何も写っていない"]),
    ("猫が いる", [""]),
]


@pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        ("bleu", {}, sacrebleu.BLEU()),
        ("bleu", {"tokenizer": "char"}, sacrebleu.BLEU(tokenize="char")),
        ("bleu", {"tokenizer": "none"}, sacrebleu.BLEU(tokenize="none")),
        ("chrf", {}, sacrebleu.CHRF()),
        ("chrf_pp", {}, sacrebleu.CHRF(word_order=2)),
        ("ter", {}, sacrebleu.TER()),
        ("ter", {"normalized": True}, sacrebleu.TER(normalized=True, asian_support=True)),
    ],
)
def test_a_corpus_has_the_score_that_sacrebleu_gives(
    name: str, options: Options, theirs: Any
) -> None:
    metric = load_metric(f"compat_sacrebleu.{name}", options)
    scores = [metric.score(Answer(text, tuple(references))) for text, references in CORPUS]
    columns = itertools.zip_longest(*(references for _, references in CORPUS))
    expected = theirs.corpus_score([text for text, _ in CORPUS], list(columns)).score
    assert value(metric, scores) == pytest.approx(expected, abs=1e-12)
    assert f"sacrebleu|{theirs.get_signature()}" in metric.signature


def test_many_sums_are_combined_at_once() -> None:
    metric = load_metric("compat_sacrebleu.chrf")
    rows = [metric.score(Answer(text, tuple(others))).vector for text, others in CORPUS]
    both = metric.combine(np.array([[rows[0], rows[1]], [rows[2], rows[3]]]), 1)
    assert both.tolist() == [
        [value(metric, [MetricScore(row)]) for row in pair]
        for pair in ((rows[0], rows[1]), (rows[2], rows[3]))
    ]


def test_long_texts_are_compared_without_shifts(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = load_metric("compat_sacrebleu.ter")
    moved = Answer("c d a b", ("a b c d",))
    assert metric.score(moved).vector == (1.0, 4.0)
    monkeypatch.setattr("vlmbench.metrics.compat.sacrebleu._LONGEST_SHIFTED", 3)
    assert metric.score(moved).vector == (4.0, 4.0)


def test_long_texts_take_seconds_not_hours() -> None:
    long = Answer("猫 が 犬 " * 20_000, ("犬 は 猫 " * 20_000,))
    start = time.process_time()
    load_metric("compat_sacrebleu.ter").score(long)
    assert time.process_time() - start < 10


@pytest.mark.reference
@pytest.mark.parametrize("run_id", COCO_TOKENIZERS)
def test_coco(gold: Callable[[str], Any], run_id: str) -> None:
    content = gold("caption")
    run = next(run for run in content["runs"] if run["run_id"] == run_id)
    for corpus, summary in run["corpus"].items():
        items = content["inputs"]["corpora"][corpus.removesuffix(".detail")]
        chosen = [item for item in items if item["id"] in set(summary["ids"])]
        for key, name in COCO_METRICS.items():
            metric = load_metric(f"compat_coco.{name}", {"tokenizer": COCO_TOKENIZERS[run_id]})
            metric = metric.prepare([item["refs"] for item in chosen])
            scores = list(metric.score_all(answers(chosen)))
            expected = summary["expected"][key]
            assert value(metric, scores) == pytest.approx(expected, abs=1e-9), (corpus, key)
            for item, score in zip(chosen, scores, strict=True):
                expected = run["per_item"][f"{corpus}::{item['id']}"][key]
                assert value(metric, [score]) == pytest.approx(expected, abs=1e-9), item["id"]


# By hand, from the rules in the docstrings; sacrebleu 2.6.0 and pycocoevalcap 1.2 give the same.
STRICT: dict[str, Scalar] = {"tokenizer": "none", "effective_order": False}
QUIRKS: list[tuple[str, dict[str, Scalar], str, str, float]] = [
    ("compat_sacrebleu.bleu", {"tokenizer": "fugashi"}, "猫", "猫", 0.0),
    ("compat_sacrebleu.sentence_bleu", {"tokenizer": "fugashi"}, "猫", "猫", 100.0),
    ("compat_sacrebleu.sentence_bleu", {"tokenizer": "13a"}, "猫が寝る", "猫が寝た", 0.0),
    ("compat_sacrebleu.sentence_bleu", {"tokenizer": "13a"}, "", "", 0.0),
    # Without effective order, as JDocQA has it: fewer than four words; all of four; half of the
    # unigrams and one smoothed order after the other; nothing.
    ("compat_sacrebleu.sentence_bleu", STRICT, "猫 だ", "猫 だ", 0.0),
    ("compat_sacrebleu.sentence_bleu", STRICT, "a b c d", "a b c d", 100.0),
    (
        "compat_sacrebleu.sentence_bleu",
        STRICT,
        "a x b x",
        "a y b z",
        100 * (2 / 4 * 1 / 2 / 3 * 1 / 4 / 2 * 1 / 8) ** 0.25,
    ),
    ("compat_sacrebleu.sentence_bleu", STRICT, "a b c d", "w x y z", 0.0),
    ("compat_sacrebleu.chrf", {}, "", "", 0.0),
    ("compat_sacrebleu.chrf", {}, "ｶﾞ", "ガ", 0.0),
    ("compat_sacrebleu.ter", {}, "猫が寝る", "猫が寝た", 100.0),
    ("compat_sacrebleu.ter", {"normalized": True}, "猫が寝る", "猫が寝た", 100 / 4),
    ("compat_sacrebleu.ter", {}, "猫", "", 100.0),
    ("compat_coco.rouge_l", {}, "", "", 1.0),
    ("compat_coco.bleu_1", {}, "", "", 1e-15 / 1e-9 * np.exp(1 - 1 / (1e-15 / 1e-9))),
]


@pytest.mark.parametrize(("name", "options", "answer", "reference", "expected"), QUIRKS)
def test_quirks(name: str, options: Options, answer: str, reference: str, expected: float) -> None:
    metric = load_metric(name, options)
    score = metric.score(Answer(answer, (reference,)))
    assert value(metric, [score]) == pytest.approx(expected, abs=1e-9)


def test_one_caption_alone_scores_nothing() -> None:
    metric = load_metric("compat_coco.cider_d").prepare([["猫が寝る"]])
    assert metric.score(Answer("猫が寝る", ("猫が寝る",))).vector == (0.0,)
