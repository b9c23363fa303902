"""What holds for every metric, whichever there are: tried on made-up and on hostile texts.

Metrics with a neural encoder have their own in test_semantic.py. Compat forms keep the quirks of
the harness they are named after, so for them only range, robustness and speed are promised.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlmbench.metrics.base import Answer, Metric, load_metric, metric_names
from vlmbench.stats import value_of

NAMES = [name for name in metric_names() if load_metric(name).definition.encoder is None]
OWN = [name for name in NAMES if not name.startswith("compat_")]
NOT_COMPARING = ("language.", "judge.", "match.jdocqa", "match.choice_chance")
COMPARING = [name for name in OWN if not name.startswith(NOT_COMPARING)]
"""Own forms that compare the answer with references, so that a reference itself is the best."""

SNIPPETS = (
    "答えはＢです",
    "「B」",
    "B：東京タワー",
    "AではなくBです",
    "\\boxed{B}",
    "<think>猫</think>犬",
    "１２３",
    "12万3千円",
    "▲3%",
    "令和5年",
    "1時間30分",
    "3〜5人",
    "-0.0",
    "nan",
    "inf",
    "1e999",
    '{"total": "1,200円"}',
    "```json\n{}\n```",
    "はい。",
    "いいえ",
    "特になし",
    "[[8, 7]]",
    "5点",
    "\ud800",
    "\udfff猫",
    "\x00",
    "\ufeff",
    "\u202e",
    "👩‍👩‍👧",
    "か\u3099",
    "①",
    "…",
    "\u2028",
    "　",
)
CHARACTERS = st.one_of(
    st.characters(exclude_categories=()), st.sampled_from("あ猫Ａ1。、（」ー〜 \n\ud83d\udc4d\x00")
)
TEXT = st.one_of(st.text(CHARACTERS, max_size=20), st.sampled_from(SNIPPETS))
REFERENCES = st.lists(TEXT, min_size=1, max_size=4)
CHOICES = ("東京タワー", "りんご", "12", "ア")
QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def answer(prediction: str, references: Sequence[str]) -> Answer:
    return Answer(prediction, tuple(references), CHOICES)


def values(name: str, answers: Sequence[Answer]) -> tuple[list[float | None], float | None]:
    """Each answer's own value, and that of all together."""
    metric = load_metric(name).prepare([one.references for one in answers])
    scores = metric.score_all(answers)
    vectors = [score.vector for score in scores]
    kept = np.array([vector for vector in vectors if vector is not None], dtype=float)
    for vector, score in zip(vectors, scores, strict=True):
        assert (vector is None) == (score.unscored is not None)
        assert vector is None or len(vector) == metric.size
        assert score.extracted is None or isinstance(score.extracted, str)
    single = [None if v is None else value_of(np.array([v]), metric.combine) for v in vectors]
    return single, value_of(kept, metric.combine) if len(kept) else None


def best(metric: Metric) -> float:
    """The highest value, or no errors at all."""
    if metric.definition.lower_is_better:
        return 0.0
    assert metric.bounds is not None
    return metric.bounds[1]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.lists(st.tuples(TEXT, REFERENCES), min_size=1, max_size=4))
@QUICK
def test_values_lie_in_the_range(name: str, data: list[tuple[str, list[str]]]) -> None:
    low, high = load_metric(name).bounds or (-np.inf, np.inf)
    single, corpus = values(name, [answer(*pair) for pair in data])
    for value in (*single, corpus):
        assert value is None or low - 1e-9 <= value <= high + 1e-9


@pytest.mark.parametrize("name", OWN)
@given(data=st.lists(st.tuples(TEXT, REFERENCES), min_size=2, max_size=5), seed=st.integers(0, 99))
@QUICK
def test_the_order_of_references_and_samples_changes_nothing(
    name: str, data: list[tuple[str, list[str]]], seed: int
) -> None:
    shuffle = random.Random(seed).shuffle
    single, corpus = values(name, [answer(*pair) for pair in data])
    order = list(range(len(data)))
    shuffle(order)
    turned = []
    for index in order:
        prediction, references = data[index][0], list(data[index][1])
        shuffle(references)
        turned.append(answer(prediction, references))
    single_turned, corpus_turned = values(name, turned)
    assert single_turned == [approximately(single[index]) for index in order]
    assert corpus_turned == approximately(corpus)


@pytest.mark.parametrize("name", NAMES)
def test_scoring_alone_or_together_is_the_same(name: str) -> None:
    answers = [answer(text, (text[::-1], "猫が眠る")) for text in SNIPPETS]
    metric = load_metric(name).prepare([one.references for one in answers])
    together = [score.vector for score in metric.score_all(answers)]
    alone = [metric.score(one).vector for one in answers]
    assert alone == [None if v is None else pytest.approx(v, abs=1e-12) for v in together]


# Sentences that a reader would take for an answer: their own best answer, whatever the metric.
SENTENCES = (
    "赤い橋の上を電車が走っている",
    "猫が窓辺で眠っている様子です",
    "12月の売上は345億円だった",
)


@pytest.mark.parametrize("name", COMPARING)
def test_a_reference_itself_is_the_best_answer(name: str) -> None:
    metric = load_metric(name)
    exceptions = {
        "match.choice": [answer(text, (text,)) for text in CHOICES],
        "match.choice_read": [answer(text, (text,)) for text in CHOICES],
        "match.numeric": [answer(text, (text,)) for text in ("345億円", "12", "-0.5%")],
        "ocr.receipt": [answer(text, (text,)) for text in ('{"total": "1,200円"}',)],
        "ocr.receipt_f1": [answer(text, (text,)) for text in ('{"total": "1,200円"}',)],
        "ocr.receipt_kie": [answer(text, (text,)) for text in ('{"total": "1,200円"}',)],
    }
    answers = exceptions.get(name, [answer(text, (text,)) for text in SENTENCES])
    single, corpus = values(name, answers)
    assert [*single, corpus] == [pytest.approx(best(metric))] * (len(answers) + 1)


@pytest.mark.parametrize("name", COMPARING)
def test_an_empty_answer_is_the_worst_or_unscored(name: str) -> None:
    metric = load_metric(name)
    (alone, *_), _ = values(name, [answer("", ("赤い橋",)), *[answer("猫", ("犬",))] * 2])
    assert alone is None or metric.definition.lower_is_better or alone == 0


LONG = {
    "one kana": "あ" * 100_000,
    "brackets": "「（[{" * 25_000,
    "numbers": "1,234.5万" * 14_285,
    "letters": "答えはA、B " * 12_500,
    "think": "<think>\\boxed{" * 7_142,
    "json": '{"a":[' * 16_666,
    "surrogates": "\ud800" * 100_000,
    "kanji": "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(100_000)),
    "spaces": " \n" * 50_000,
    "words": "猫が窓辺で眠っている。" * 9_090,
}
SECONDS = 1.5
"""Of processor time. One is promised, and docs/metrics.md has what each takes; the rest is for a
machine whose caches other programs use too."""
ATTEMPTS = 3
"""The quickest counts."""


def seconds(name: str, text: str) -> float:
    one = answer(text, (text[50_000:] + text[:50_000], "猫が眠る"))
    metric = load_metric(name).prepare([one.references, ["犬"], ["鳥"]])
    start = time.process_time()
    metric.score(one)
    return time.process_time() - start


@pytest.mark.parametrize("name", NAMES)
def test_long_texts_are_scored_within_a_second(name: str) -> None:
    load_metric(name).prepare([["猫"], ["犬"]]).score(answer("猫", ("猫",)))  # loads a dictionary
    # Distances take longest on many different characters, tokenizers on brackets. Two more kinds
    # for each metric, other ones for each; `tests/bench/bench_long.py` takes all.
    for kind in {"kanji", "brackets", *random.Random(name).sample(sorted(LONG), 2)}:
        # Another first character each time, or the words would be remembered.
        times = (seconds(name, chr(0x3041 + attempt) + LONG[kind]) for attempt in range(ATTEMPTS))
        assert any(spent < SECONDS for spent in times), kind


def approximately(value: float | None) -> object:
    return None if value is None else pytest.approx(value, abs=1e-9)
