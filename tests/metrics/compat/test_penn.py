"""The Penn Treebank tokenizer of the caption evaluation, beside what the Java program made of the
same texts; the file says which program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlmbench.metrics.compat.penn import penn_words

CASES: list[tuple[str, list[str]]] = json.loads(
    Path(__file__).with_name("penn_cases.json").read_text(encoding="utf-8")
)["cases"]


def test_the_words_are_those_of_the_java_program() -> None:
    assert len(CASES) > 380
    differing = [text for text, words in CASES if list(penn_words(text)) != words]
    assert differing == []


@pytest.mark.parametrize("text", ["", " ", "\n", "「」", "『』", "😀", "\ud83d"])
def test_texts_without_words(text: str) -> None:
    assert penn_words(text) == ()


def test_a_line_break_is_white_space() -> None:
    assert penn_words("赤い\n車") == penn_words("赤い 車") == ("赤い", "車")


@pytest.mark.parametrize("part", ["<a ", '<a b="', "<!a", "http://.", "www.a", "a@", "a..", "、い"])
def test_a_long_text_is_read_to_its_end(part: str) -> None:
    # Rules that look far ahead at every place would take hours for this.
    assert penn_words(part * 5_000 + " 猫")[-1] == "猫"
