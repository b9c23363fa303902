"""MeCab with a fixed dictionary, fast also on the longest texts."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fugashi

_MAX_PIECE = 4096
"""Characters that MeCab gets at a time. Its time grows with the square of a run of digits, and with
IPADIC it crashes on 100,000 of them."""

_lock = threading.Lock()


@functools.cache
def unidic() -> fugashi.Tagger:
    """fugashi with the UniDic of the unidic-lite package.

    fugashi alone would prefer the full UniDic where that is installed.
    """
    import fugashi
    import unidic_lite

    return fugashi.Tagger(f'-O wakati -r "{unidic_lite.DICDIR}/mecabrc" -d "{unidic_lite.DICDIR}"')


def split_words(tagger: fugashi.GenericTagger, texts: Iterable[str]) -> list[str]:
    """The words of each text as MeCab writes them, with spaces between; thread-safe.

    A text of more than 4,096 characters is analyzed in pieces, cut after a full stop or at white
    space where there is one.
    """
    parse = tagger.parse
    with _lock:
        return [
            parse(text) if len(text) <= _MAX_PIECE else _split_pieces(parse, text) for text in texts
        ]


def tagged_words(text: str) -> list[Any]:
    """The words of a text, each with its `surface` and UniDic's `feature`s."""
    with _lock:
        return list(unidic()(text))


def features(text: str) -> list[Any]:
    """UniDic's features of each word of a text."""
    return [word.feature for word in tagged_words(text)]


def _split_pieces(parse: Callable[[str], str], text: str) -> str:
    pieces = list(_pieces(text))
    # A model that has fallen into a loop repeats its pieces.
    known = {piece: parse(piece) for piece in dict.fromkeys(pieces)}
    return " ".join(filter(None, map(known.__getitem__, pieces)))


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + _MAX_PIECE
        if end < len(text):
            stop = max(text.rfind(mark, start, end) for mark in "。 \n")
            end = stop + 1 if stop > start else end
        yield text[start:end]
        start = end
