from __future__ import annotations

import pytest

from vlmbench.metrics.base import Answer, load_metric

# By hand, from the docstrings.
CASES: list[tuple[str, str, float | None]] = [
    ("japanese", "猫が寝ている。", 1.0),
    ("japanese", "A cat.", 0.0),
    ("japanese", "42", None),
    ("chinese", "一只猫在睡觉。", 1.0),
    ("chinese", "東京都", 0.0),
    ("english", "A cat.", 1.0),
    ("english", "", None),
    ("kana", "猫がネる", 3 / 4),
    ("kanji", "猫がネる", 1 / 4),
    ("latin", "JR駅", 2 / 3),
    ("latin", "…", None),
    ("refusal", "申し訳ありませんが、お答えできません。", 1.0),
    ("refusal", "猫が寝ている。", 0.0),
    ("refusal", "", 0.0),
    ("refusal", "<think>お答えできません。</think>猫です。", 0.0),
    ("english", "<think>This may be a cat.</think>猫です。", 0.0),
    ("unfinished_reasoning", "<think>猫かもしれない。あるいは", 1.0),
    ("unfinished_reasoning", "<think>猫かもしれない。</think>", 0.0),
    ("unfinished_reasoning", "猫です。", 0.0),
    ("repetition", "猫が寝ている。", 0.0),
    ("repetition", "", 0.0),
    # 40 words, 37 runs, of which four differ.
    ("repetition", "赤い橋の上" * 10, 1 - 4 / 37),
]


@pytest.mark.parametrize(("name", "answer", "expected"), CASES)
def test_language_metrics(name: str, answer: str, expected: float | None) -> None:
    score = load_metric(f"language.{name}").score(Answer(answer, ("猫",)))
    if expected is None:
        assert score.unscored == "the answer has no letters"
    else:
        assert score.vector == (pytest.approx(expected),)


def test_truncation_is_what_the_runner_says() -> None:
    metric = load_metric("language.truncation")
    assert metric.score(Answer("猫", ("猫",), finish="length")).vector == (1.0,)
    assert metric.score(Answer("猫", ("猫",), finish="stop")).vector == (0.0,)
    assert metric.score(Answer("猫", ("猫",))).unscored == "how the answer ended is unknown"


def test_the_language_found_is_shown() -> None:
    score = load_metric("language.japanese").score(Answer("这是什么", ("猫",)))
    assert score.extracted == "zh"
