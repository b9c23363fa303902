"""Whether a text contains another one as whole words."""

from __future__ import annotations

from itertools import accumulate

from vlmbench.text.japanese import surface_form, tokenise

CONTAINMENT = "words-ja1"
"""Version of `contains_words`."""


def contains_words(text: str, wanted: str, whole_words: bool) -> bool:
    """Whether `wanted` occurs in the text, both without width, case and white space.

    Args:
        text: Where it is looked for.
        wanted: Full stops at its end do not count. Empty, it occurs in empty text only.
        whole_words: Whether it must begin and end where words of the text do; inside a number
            with a point or commas no word begins.
    """
    form = surface_form(wanted)
    if not form:
        return not surface_form(text)
    words = tokenise(surface_form(text))
    whole = "".join(words)
    if not whole_words or form not in whole:
        return form in whole
    ends = {0, *accumulate(map(len, words))}
    start = whole.find(form)
    while start >= 0:
        end = start + len(form)
        if start in ends and end in ends and not _inside_number(whole, start, end):
            return True
        start = whole.find(form, start + 1)
    return False


def _inside_number(text: str, start: int, end: int) -> bool:
    """Whether the digit at an end goes on beyond a point or comma."""
    before = text[max(0, start - 2) : start]
    after = text[end : end + 2]
    return (
        text[start].isdecimal() and len(before) == 2 and before[0].isdecimal() and before[1] in ".,"
    ) or (
        text[end - 1].isdecimal() and len(after) == 2 and after[0] in ".," and after[1].isdecimal()
    )
