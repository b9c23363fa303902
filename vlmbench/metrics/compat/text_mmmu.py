"""How the MMMU family of scorers reads answers: letters of choices, open answers.

The functions follow llm-jp-eval-mm (commit 9f450a5) and lmms-eval (commit 75571cf), which both
derive from the evaluation script of MMMU and differ in small ways that are parameters here.
Patterns are arranged so that they take linear time and find what the originals find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

ASCII_MARKS = ",.!?;:'"
JAPANESE_MARKS = ASCII_MARKS + "、。！？；："
_JAPANESE = "[\u3040-\u30ff\u4e00-\u9fff]"

Options: TypeAlias = Mapping[str, str]
"""The options of a question by letter."""

OpenValue: TypeAlias = float | str
"""An open answer in the form in which it is compared."""


def letters_of(choices: Sequence[str]) -> dict[str, str]:
    """The options by letter, from A."""
    return {chr(ord("A") + position): text for position, text in enumerate(choices)}


def mmmu_letter(response: str, options: Options, *, japanese: bool) -> str | None:
    """The letter that the MMMU rules find in a response, None without any.

    Each mark is stripped once, in a fixed order, and white space never is, so that a line feed at
    the end hides a letter. Then the first rule that finds letters wins: "(A)"; "A" before a
    space, even as the end of a word; "A" between two Japanese characters (`japanese` only);
    "A."; and in a response of more than five words the text of an option. Among several letters
    the one that stands last between spaces (or in parentheses, under the first rule) is taken,
    and the alphabet's first where none does.
    """
    padded = padded_response(response, JAPANESE_MARKS if japanese else ASCII_MARKS)
    if found := [letter for letter in options if f"({letter})" in padded]:
        return last_of(found, lambda letter: padded.rfind(f"({letter})"))
    found = [letter for letter in options if f"{letter} " in padded]
    if not found and japanese:
        found = [
            letter
            for letter in options
            if re.search(f"{_JAPANESE}{re.escape(letter)}{_JAPANESE}", padded)
        ]
    if not found:
        found = [letter for letter in options if f"{letter}." in padded]
    if found:
        return last_of(found, lambda letter: padded.rfind(f" {letter} "))
    return option_text(padded, options)


def padded_response(response: str, marks: str) -> str:
    """The response without marks at its ends, between two spaces."""
    for mark in marks:
        response = response.strip(mark)
    return f" {response} "


def last_of(letters: Sequence[str], position: Callable[[str], int]) -> str:
    """The letter with the highest position, the first of several."""
    return max(letters, key=position)


def option_text(padded: str, options: Options) -> str | None:
    """The option whose text comes last in a response of more than five words."""
    if len(padded.split()) <= 5:
        return None
    lowered = padded.lower()
    found = [letter for letter, text in options.items() if text.lower() in lowered]
    if not found:
        return None
    return last_of(found, lambda letter: lowered.rfind(options[letter].lower()))


@dataclass(frozen=True, slots=True)
class OpenStyle:
    """In what the readers of open answers differ."""

    sentence_end: re.Pattern[str]
    strip: str
    """Characters that are taken off both ends of the whole response."""
    lower: bool
    indicators: tuple[str, ...]
    """What stands in front of an answer."""
    equals: tuple[str, ...]
    """What stands in front of an answer in the last sentence too."""
    trivial: frozenset[str]
    """Marks that are no answer."""
    numbers: tuple[re.Pattern[str], ...]


# A number is only looked for where its digits begin: it could not be found further on either,
# and runs of digits would cost quadratic time.
_COMMAS = re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b")
_SCIENTIFIC = re.compile(r"-?(?<!\d)\d++(?:\.\d++)?[eE][+-]?\d+")
_NOT_BEFORE = r"(?![eE][+-]?\d)(?![,\d])"
_SIMPLE_ENGLISH = re.compile(rf"-?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++\b){_NOT_BEFORE}")
_SIMPLE_JAPANESE = re.compile(rf"-?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++){_NOT_BEFORE}")
_COUNTED = re.compile("(?<!\\d)(\\d++)[つ個度円人年匹台%]")
_ENGLISH_NUMBERS = (_COMMAS, _SCIENTIFIC, _SIMPLE_ENGLISH)
_ENGLISH_INDICATORS = (
    "could be ",
    "so ",
    "is ",
    "thus ",
    "therefore ",
    "final ",
    "answer ",
    "result ",
)
_SENTENCE_END = re.compile(r"[。！？.]\s*|\n")

JAPANESE_OPEN = OpenStyle(
    sentence_end=_SENTENCE_END,  # also cuts at the point of 3.14
    strip="。",
    lower=False,
    indicators=(
        # A missing comma in the original makes one of 解答は、 and 回答は.
        "よって",
        "よって、",
        "答えは",
        "答えは、",
        "最終的に",
        "最終的に、",
        "解答は",
        "解答は、回答は",
        "回答は、",
    ),
    equals=("＝", "="),
    trivial=frozenset(JAPANESE_MARKS),
    numbers=(_COMMAS, _SCIENTIFIC, _SIMPLE_JAPANESE, _COUNTED),
)
"""JMMMU in both harnesses."""

MIXED_OPEN = OpenStyle(
    sentence_end=_SENTENCE_END,
    strip="。",
    lower=False,
    indicators=_ENGLISH_INDICATORS,
    equals=("＝", "="),
    trivial=frozenset(JAPANESE_MARKS),
    numbers=_ENGLISH_NUMBERS,
)
"""MMMU in llm-jp-eval-mm: English indicators, Japanese sentences."""

ENGLISH_OPEN = OpenStyle(
    # Lower-casing comes first, so that a full stop never ends a sentence.
    sentence_end=re.compile(r"\.\s(?=[A-Z])|\n"),
    strip=".",
    lower=True,
    indicators=_ENGLISH_INDICATORS,
    equals=("=",),
    trivial=frozenset(ASCII_MARKS),
    numbers=_ENGLISH_NUMBERS,
)
"""MMMU in lmms-eval."""


def read_open(
    response: str, style: OpenStyle, *, equals_everywhere: bool = False
) -> list[OpenValue]:
    """All answers that a response may mean, in the form in which they are compared.

    They are the ends of sentences behind an indicator (the whole response if there is none), and
    every number in these.

    Args:
        equals_everywhere: Whether an equals sign counts as an indicator in every sentence and
            not only in the last one.
    """
    phrases = _key_phrases(response, style, equals_everywhere)
    found = [
        number
        for phrase in phrases
        for pattern in style.numbers
        for number in pattern.findall(phrase)
    ]
    return [value for text in (*phrases, *found) for value in normal_values(text)]


def normal_values(text: str) -> list[OpenValue]:
    """A number rounded to two decimals; other text in lower case, one character between spaces."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        lowered = text.lower()
        return [f" {lowered}", f"{lowered} "] if len(lowered) == 1 else [lowered]


def open_agrees(values: Iterable[OpenValue], golds: Iterable[str]) -> bool:
    """Whether a number equals a gold number, or a text contains a gold text."""
    normal = [value for gold in golds for value in normal_values(gold)]
    return any(
        any(isinstance(gold, str) and gold in value for gold in normal)
        if isinstance(value, str)
        else value in normal
        for value in values
    )


def _key_phrases(response: str, style: OpenStyle, equals_everywhere: bool) -> list[str]:
    response = response.strip().strip(style.strip)
    response = response.lower() if style.lower else response
    sentences = style.sentence_end.split(response)
    phrases = []
    for position, sentence in enumerate(sentences, start=1):
        equals = style.equals if equals_everywhere or position == len(sentences) else ()
        phrase = _shortest_tail(sentence, (*style.indicators, *equals))
        if phrase and phrase not in style.trivial:
            phrases.append(phrase)
    return phrases or [response]


def _shortest_tail(sentence: str, indicators: Iterable[str]) -> str:
    """The shortest non-empty end behind an indicator, unless a later one leaves nothing."""
    shortest = ""
    for indicator in indicators:
        _, separator, tail = sentence.rpartition(indicator)
        if separator and (not shortest or len(tail.strip()) < len(shortest)):
            shortest = tail.strip()
    return shortest
