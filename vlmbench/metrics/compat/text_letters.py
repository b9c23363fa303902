"""How other scorers find the letter of a choice: JMMMU-Pro, Video-MMMU, VLMEvalKit, MathVista.

Patterns are arranged so that they take linear time and find what the originals find.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from vlmbench.metrics.compat.text_mmmu import (
    ASCII_MARKS,
    Options,
    last_of,
    option_text,
    padded_response,
)

_HALF_WIDTH = {ord("Ａ") + offset: ord("A") + offset for offset in range(26)}
_OPTION_LINE = re.compile(r"\s*(?:[-*・>•]\s*)?[A-ZＡ-Ｚ][.)、。：:]", re.IGNORECASE)
_EXPLICIT = re.compile(
    r"(?:answer|final|correct|solution|ans|正解(?:は)?|答え(?:は)?|解答(?:は)?)"
    r"\s*+(?:[:：]\s*+)?[【\[(】*_-]*+([A-Z])[】\])*_-]*\b",
    re.IGNORECASE,
)
# The original allows brackets in front too; without them the same letters are found.
_ANY_LETTER = re.compile(r"([A-Z])[】\])*]*\b", re.IGNORECASE)


def jmmmu_pro_letter(response: str, letters: Collection[str]) -> str | None:
    """The letter that lmms-eval's JMMMU-Pro parser finds, None for its "X".

    The letter behind a word such as 答え, answer or final in the first line, or else anywhere;
    otherwise the last letter of any word at the end of which it stands, in lines that don't look
    like an option, so that the answers "B." and "B. 大阪" are not seen.
    """
    text = response.translate(_HALF_WIDTH)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    explicit = _EXPLICIT.search(lines[0]) or _EXPLICIT.search(text)
    if explicit:
        letter = explicit[1].upper()
    else:
        others = [line for line in lines if not _OPTION_LINE.match(line)]
        found = [match[1].upper() for line in others for match in _ANY_LETTER.finditer(line)]
        letter = found[-1] if found else ""
    return letter if letter in letters else None


def video_mmmu_letter(response: str, options: Options) -> str | None:
    """The letter that lmms-eval's Video-MMMU parser finds, None for its "No Answer Found.".

    Letters before a full stop and before a colon count first, then in parentheses, then before a
    space, then the options' texts in more than five words.
    """
    if response in ("", "API Error"):
        return None
    padded = padded_response(response, ASCII_MARKS)
    stops = [letter for letter in options if f"{letter}." in padded]
    colons = [letter for letter in options if f"{letter}:" in padded]
    if stops or colons:
        # With both, positions are those of the full stops, and a letter may be listed twice.
        form = "{}." if stops else "{}:"
        return last_of([*stops, *colons], lambda letter: padded.rfind(form.format(letter)))
    if found := [letter for letter in options if f"({letter})" in padded]:
        return last_of(found, lambda letter: padded.rfind(f"({letter})"))
    if found := [letter for letter in options if f"{letter} " in padded]:
        return last_of(found, lambda letter: padded.rfind(f" {letter} "))
    return option_text(padded, options)


_TO_SPACES = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_ANSWER_IS = re.compile(r"answer\s+is\s+\**([ABCD])", re.IGNORECASE)
_REFUSAL = "Z"


def vlmevalkit_letter(response: str, options: Options) -> str | None:
    """The letter that VLMEvalKit infers without a judge, "Z" for a refusal, None for neither.

    The only option letter among the words, and among their last five; else what "answer is"
    names; else the only option whose text is in the response, provided that the response is no
    longer than twice all options together. Words end at white space and ASCII punctuation, so
    that 答えはBです has none.
    """
    return _option_letter(response, options) or _option_in(response.lower(), options)


def _option_letter(response: str, options: Options) -> str | None:
    if _FAILED in response:
        return None
    if any(refusal in response for refusal in _REFUSALS):
        return _REFUSAL
    words = response.translate(_TO_SPACES).split()
    found = [letter for letter in options if letter in set(words)]
    if len(found) == 1 and words.index(found[0]) > len(words) - 5:
        return found[0]
    if not found and _REFUSAL in words:
        return _REFUSAL
    named = _ANSWER_IS.search(response)
    return named[1].upper() if named and named[1].upper() in options else None


def _option_in(lowered: str, options: Options) -> str | None:
    if len(lowered) > 2 * sum(map(len, options.values())):
        return None
    found = [letter for letter, text in options.items() if text.lower() in lowered]
    return found[0] if len(found) == 1 else None


_MATHVISTA_LETTERS = (
    re.compile(r"[Tt]he answer is\s*+\(?([A-Za-z])"),
    re.compile(r"[Aa]nswer:\s*+\(?([A-Za-z])"),
    re.compile(r"\b([A-Za-z])\b\s*+(?:is|would be|should be)\s*+(?:the|my)\s*+(?:answer|choice)"),
    re.compile(r"(?:choose|select|pick)\s*+\(?([A-Za-z])"),
    re.compile(r"\A\(?([A-Za-z])\)?\Z"),
)
_MATHVISTA_NUMBER = r"(-?\d+\.?\d*(?:[eE][+-]?\d+)?)"
_MATHVISTA_NUMBERS = (
    re.compile(r"[Tt]he answer is\s*+:?\s*+" + _MATHVISTA_NUMBER),
    re.compile(r"[Aa]nswer:\s*+" + _MATHVISTA_NUMBER),
    re.compile(r"=\s*+" + _MATHVISTA_NUMBER),
    re.compile(r"(?:is|equals|equal to)\s*+" + _MATHVISTA_NUMBER),
)
_DIGIT_GROUPS = re.compile(r"-?\d{1,3}(?:,\d{3})*(?:\.\d+)?")
_SHOWN = 50
"""Characters that are left of a response in which nothing was found."""


def mathvista_choice(response: str, choices: int) -> str:
    """The letter that llm-jp-eval-mm's MathVista scorer finds, else the response's beginning.

    Five English phrases, then the alphabet's first letter that occurs anywhere in the response
    in either case.
    """
    response = response.strip()
    letters = "ABCDEFGHIJ"[:choices]
    for pattern in _MATHVISTA_LETTERS:
        found = pattern.search(response)
        if found and found[1].upper() in letters:
            return found[1].upper()
    upper = response.upper()
    return next((letter for letter in letters if letter in upper), response[:_SHOWN])


def mathvista_free(response: str) -> str:
    """The number that llm-jp-eval-mm's MathVista scorer finds, else the response's beginning.

    Behind four English phrases or an equals sign; else the last group of digits, and these are
    cut every three digits, so that of 1234 only 4 is left.
    """
    response = response.strip()
    for pattern in _MATHVISTA_NUMBERS:
        if found := pattern.search(response):
            return found[1]
    groups = _DIGIT_GROUPS.findall(response)
    return groups[-1].replace(",", "") if groups else response[:_SHOWN]
