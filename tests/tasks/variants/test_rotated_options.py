from __future__ import annotations

import pytest

from vlmbench.records import Image, Sample
from vlmbench.tasks.variants.options import original_position, rotated
from vlmbench.text.choices import choice_index

COLORS = ("赤", "青", "緑")


# By hand: one place to the front makes 青 緑 赤 of 赤 青 緑.
@pytest.mark.parametrize(
    ("reference", "by", "expected"),
    [
        ("A", 0, "A"),
        ("A", 1, "C"),
        ("B", 1, "A"),
        ("C", 2, "A"),
        ("(b)", 1, "A"),
        ("イ", 1, "A"),
        ("青", 1, "青"),
        ("紫", 1, "紫"),
    ],
)
def test_references_follow_their_option(reference: str, by: int, expected: str) -> None:
    sample = rotated(Sample("x", (), (reference,), choices=COLORS), by)
    assert sample.references == (expected,)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_a_letter_names_the_same_option_in_every_rotation(count: int) -> None:
    choices = tuple(f"答え{number}" for number in range(count))
    sample = Sample("x", (), ("B",), choices=choices)
    for by in range(count):
        turned = rotated(sample, by)
        position = choice_index(turned.references[0], turned.choices)
        assert position is not None
        assert turned.choices[position] == "答え1"
        assert original_position(position, by=by, count=count) == 1


def test_images_of_options_move_with_them() -> None:
    question, first, second, third = (Image(bytes([number])) for number in range(4))
    choices = ("<image>", "<image> と <image>")
    sample = Sample("x", (question, first, second, third), ("A",), choices=choices)
    assert rotated(sample, 1).images == (question, second, third, first)
    numbered = Sample("x", (first, second), ("A",), choices=("<image 1>", "<image 2>"))
    assert rotated(numbered, 1).images == (first, second)


def test_an_open_question_stays() -> None:
    sample = Sample("x", (), ("赤",))
    assert rotated(sample, 1) is sample
