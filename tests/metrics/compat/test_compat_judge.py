"""Judges' replies; values are those of llm-jp-eval-mm and heron in the gold file judge."""

from __future__ import annotations

import pytest

from vlmbench.metrics.compat.text_judge import (
    ScorePair,
    first_digit,
    json_scores,
    pair_of_numbers,
    says_correct,
)

GOOD = '{"score_gpt": 8, "score": 7}'
PAIR = ScorePair(model=7, reference=8)

REPLIES: list[tuple[str, ScorePair | None]] = [
    (GOOD, PAIR),
    (f"評価は以下の通りです。\n```json\n{GOOD}\n```\n以上です。", PAIR),
    (f"```json\n{GOOD}", PAIR),
    (f"```json\n\n```\n{GOOD}", None),  # an empty fence hides the object behind it
    ('{"score_gpt": 8.5, "score": 7.9}', PAIR),
    ('{"score_gpt": "８", "score": "７"}', PAIR),
    ('{"score_gpt": 8,\x00 "score": 7}', PAIR),
    ('{"score_gpt": 8, "score": 7, "score": 3}', ScorePair(3, 8)),
    ('{"reason": "{良い}", "score_gpt": 8, "score": 7}', None),
    ('{"result": {"score_gpt": 8, "score": 7}}', None),
    (f"{GOOD}\n" + '{"score_gpt": 2, "score": 1}', PAIR),
    ("{" + GOOD + "}", None),
    ("null", None),
    ("", None),
]


@pytest.mark.parametrize(("reply", "expected"), REPLIES)
def test_json_scores(reply: str, expected: ScorePair | None) -> None:
    assert json_scores(reply) == expected


RAISING = [
    ('{"score_gpt": [8], "score": [7]}', TypeError),
    ('{"score_gpt": 8, "score": "7/10"}', ValueError),
    ('{"score_gpt": NaN, "score": 5}', ValueError),
    ('{"score_gpt": Infinity, "score": 5}', OverflowError),
    ("```json" + "[" * 100_000 + "```", RecursionError),
]


@pytest.mark.parametrize(("reply", "problem"), RAISING)
def test_json_that_ends_the_original(reply: str, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        json_scores(reply)


LINES: list[tuple[str, ScorePair | None]] = [
    ("7 6\nAssistant 1の回答は…", ScorePair(model=6, reference=7)),
    ("7,6\n理由", ScorePair(6, 7)),
    ("7.5 6.5", ScorePair(6.5, 7.5)),
    ("7 , 6", None),
    ("7 6 \n理由", None),
    ("7\t6", None),
    ("Scores: 7 6", None),
    ("seven six", None),
    ("", None),
]


@pytest.mark.parametrize(("reply", "expected"), LINES)
def test_pair_of_numbers(reply: str, expected: ScorePair | None) -> None:
    assert pair_of_numbers(reply) == expected


@pytest.mark.parametrize(
    ("reply", "digit"),
    [
        ("5", 5),
        ("Score: 4/5", 4),
        ("10", 1),
        ("5点満点中3点", 5),
        ("４", 4),
        ("④", None),
        ("", None),
    ],
)
def test_first_digit(reply: str, digit: int | None) -> None:
    assert first_digit(reply) == digit


@pytest.mark.parametrize(
    ("reply", "correct"),
    [
        ("Correct: Yes", True),
        ("correct : yes", True),
        ("correct: no\n訂正: correct: yes", False),
        ("incorrect: yes", True),
        ("correct：yes", None),
        ("yes", None),
    ],
)
def test_says_correct(reply: str, correct: bool | None) -> None:
    assert says_correct(reply) is correct
