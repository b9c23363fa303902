"""The short form of the fuzzing, and what the long form once found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st

from attack.fuzz import TARGETS, Target, fuzz


@pytest.mark.parametrize("name", TARGETS)
def test_readers_stand_random_input(name: str) -> None:
    """`fuzz` raises with the smallest input that a reader does not stand."""
    fuzz(name, examples=30)


def test_a_reader_that_does_not_stand_its_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(text: str) -> None:
        if "7" in text:
            raise IndexError(text)

    monkeypatch.setitem(TARGETS, "fragile", Target(fragile, (st.text("67", max_size=9),), ("",)))
    with pytest.raises(IndexError) as found:
        fuzz("fragile", examples=50)
    assert found.value.args == ("7",)


@pytest.mark.parametrize("count", [0, 2, 9, 12])
def test_a_letter_that_is_two_in_lower_case(count: int) -> None:
    """İ, in lower case an i and a dot above it, is none of the options."""
    from vlmbench.text.choices import read_choice

    options = [f"選択肢{n}" for n in range(count)]
    for text in ("答えはİ", "İ]", "The fİrst option", "The sıxth option"):
        assert read_choice(text, options) is None


def test_roman_numerals_that_are_none() -> None:
    from vlmbench.text.equivalence import same_answer

    assert same_answer("第IV章", "第4章")
    assert not same_answer("第VV章", "第4章")
    assert not same_answer("第iiii章", "第4章")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("slice '\n' is not listed.", "slice '\\n' is not listed."),
        ("Two are wrong:\n  a\n  b", "Two are wrong:\n  a\n  b"),
        ("Two are wrong:\n  a\nb", "Two are wrong:\\n  a\\nb"),
    ],
)
def test_a_message_has_no_line_breaks_of_strangers(message: str, shown: str) -> None:
    from vlmbench.errors import DataError

    assert str(DataError(message)) == shown


def test_a_picture_whose_name_is_a_line_break(tmp_path: Path) -> None:
    from vlmbench.errors import DataError
    from vlmbench.train.data.formats import read_examples

    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"messages": [], "images": "\\n"}\n', encoding="utf-8")
    with pytest.raises(DataError) as found:
        list(read_examples(str(rows)))
    assert "\n" not in str(found.value)
