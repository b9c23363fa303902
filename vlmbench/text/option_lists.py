"""Options as data sets write them: behind their letters, in a text or in a list of texts.

    (A) red        A. red       A: red       B) blue

Split, so that the options can be reordered while the letters stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlmbench.text.option_mentions import LETTERS

_LABEL = re.compile(r"\s*(?:\(([A-Z])\)|([A-Z])[.):：．])\s*")
"""A letter in parentheses, or with a full stop, parenthesis or colon behind it."""


def unlabeled(options: Sequence[str]) -> list[str]:
    """The options without their letters, if each begins with its own one; else as they are."""
    labels = [_label(option, place) for place, option in enumerate(options)]
    if not all(labels):
        return list(options)
    return [option[len(label) :] for option, label in zip(options, labels, strict=True)]


def with_options(listed: Sequence[str] | str, options: Sequence[str]) -> list[str] | str:
    """A list or text of lettered options with the options reordered and the letters in place.

    Args:
        listed: The options in a list, with or without letters, or a text that has them as its
            last run of lines that begin with A, B, C and so on.
        options: The same options in the order in which they shall follow the letters.

    Returns:
        `listed` itself where it does not list exactly these options, in whatever order.
    """
    if not isinstance(listed, str):
        return _relisted(list(listed), options)
    lines = listed.split("\n")
    start = _last_run(lines, len(options))
    if start is None:
        return listed
    stop = start + len(options)
    return "\n".join([*lines[:start], *_relisted(lines[start:stop], options), *lines[stop:]])


def _relisted(listed: list[str], options: Sequence[str]) -> list[str]:
    contents = unlabeled(listed)
    if sorted(map(str.strip, contents)) != sorted(map(str.strip, options)):
        return listed
    labels = [whole.removesuffix(content) for whole, content in zip(listed, contents, strict=True)]
    return [label + option for label, option in zip(labels, options, strict=True)]


def _last_run(lines: Sequence[str], count: int) -> int | None:
    """Index of the first of the last `count` lines that begin with A, B, C and so on, or None."""
    for start in range(len(lines) - count, -1, -1):
        if count and all(_label(lines[start + place], place) for place in range(count)):
            return start
    return None


def _label(text: str, place: int) -> str:
    """The letter of this place with its punctuation, if the text begins with it; else ""."""
    found = _LABEL.match(text)
    own = found is not None and (found[1] or found[2]) == LETTERS[place]
    return found[0] if own and found is not None else ""
