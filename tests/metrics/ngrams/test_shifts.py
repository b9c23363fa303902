from __future__ import annotations

import random
import time

import pytest
from sacrebleu.metrics.lib_ter import translation_edit_rate

from vlmbench.metrics.ngrams import ter_shifts as shifts
from vlmbench.metrics.ngrams.ter_shifts import edits_with_shifts


def texts(seed: int, length: int, vocabulary: int) -> tuple[list[str], list[str]]:
    """A reference of random words, and the same with phrases moved and words changed."""
    source = random.Random(seed)
    reference = [str(source.randrange(vocabulary)) for _ in range(source.randrange(1, length))]
    answer = list(reference)
    for _ in range(source.randrange(5)):
        start, target = source.randrange(len(answer)), source.randrange(len(answer))
        stop = start + source.randrange(1, 8)
        phrase, answer = answer[start:stop], answer[:start] + answer[stop:]
        answer[target:target] = phrase
    for _ in range(source.randrange(8)):
        answer[source.randrange(len(answer))] = source.choice("abc")
    return answer, reference


@pytest.mark.parametrize("length", [6, 20, 60])
@pytest.mark.parametrize("vocabulary", [4, 40])
def test_edits_equal_sacrebleu(length: int, vocabulary: int) -> None:
    for seed in range(8):
        answer, reference = texts(seed, length, vocabulary)
        assert edits_with_shifts(answer, reference) == translation_edit_rate(answer, reference)[0]
        other = texts(seed + 100, length, vocabulary)[0]
        assert edits_with_shifts(other, reference) == translation_edit_rate(other, reference)[0]


def test_the_beam_is_part_of_the_definition() -> None:
    # 60 words in front: the diagonal of the common end lies outside the beam.
    reference = [str(number) for number in range(100)]
    answer = ["x"] * 60 + reference
    assert edits_with_shifts(answer, reference) == translation_edit_rate(answer, reference)[0]


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("", "a b", 2),
        ("a b c", "a b c", 0),
        ("b c a", "a b c", 1),  # one word moves
        ("a x c", "a b c", 1),
    ],
)
def test_short_texts(answer: str, reference: str, expected: int) -> None:
    assert edits_with_shifts(answer.split(), reference.split()) == expected


def test_beyond_the_longest_text_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts, "LONGEST_TEXT", 3)
    assert edits_with_shifts(["c", "d", "a", "b"], ["a", "b", "c", "d"]) == 4


def test_long_texts_take_seconds_not_hours() -> None:
    answer, reference = texts(1, 1000, 30)
    start = time.process_time()
    edits_with_shifts(answer[:1000], reference)
    edits_with_shifts(["猫", "が", "犬"] * 20_000, ["犬", "は", "猫"] * 20_000)
    assert time.process_time() - start < 10
