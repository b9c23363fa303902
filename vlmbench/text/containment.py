"""Whether a text contains another as whole words."""

from __future__ import annotations

from itertools import accumulate

from vlmbench.text.japanese import surface_form, tokenize

_CONTEXT = 40
_MAX_OCCURRENCES = 200

CONTAINMENT = "words-ja1"
"""Version of `contains_words`."""


def contains_words(text: str, wanted: str, whole_words: bool) -> bool:
    """Whether `wanted` occurs in the text, both without width, case and white space.

    Args:
        wanted: Full stops at its end do not count. Empty, it occurs in empty text only.
        whole_words: Whether it must begin and end where words of the text do; inside a number
            with a point or commas no word begins. Words are those of the 40 characters around
            it, and only the first 200 occurrences are looked at.
    """
    form, whole = surface_form(wanted), surface_form(text)
    if not form:
        return not whole
    start = whole.find(form)
    if not whole_words:
        return start >= 0
    for _ in range(_MAX_OCCURRENCES):
        if start < 0:
            return False
        if _is_whole(whole, start, start + len(form)):
            return True
        start = whole.find(form, start + 1)
    return False


def _is_whole(text: str, start: int, end: int) -> bool:
    first = max(0, start - _CONTEXT)
    words = tokenize(text[first : end + _CONTEXT])
    ends = {first, *(first + length for length in accumulate(map(len, words)))}
    return {start, end} <= ends and not _inside_number(text, start, end)


def _inside_number(text: str, start: int, end: int) -> bool:
    """Whether the digit at an end goes on beyond a point or comma."""
    before = text[max(0, start - 2) : start]
    after = text[end : end + 2]
    return (
        text[start].isdecimal() and len(before) == 2 and before[0].isdecimal() and before[1] in ".,"
    ) or (
        text[end - 1].isdecimal() and len(after) == 2 and after[0] in ".," and after[1].isdecimal()
    )
