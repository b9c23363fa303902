"""A bounded memory of what texts consist of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

_PER_TEXT = 16
"""What a text costs beside its words, in words."""


class WordCache:
    """Words of texts that have been analysed before; what was not asked for long is forgotten.

    There are two generations. A text that is found or analysed goes to the younger one; when that
    is full it becomes the older one, and what the older one held is dropped. So the texts of the
    last `limit` words are always at hand, and never more than twice as many are held. Equal words
    are one object, which makes a word cost eight bytes wherever it occurs again.
    """

    def __init__(self, analyse: Callable[[str], Iterable[str]], *, limit: int = 1 << 23) -> None:
        self._analyse = analyse
        self._limit = limit
        self._held = 0
        self._young: dict[str, tuple[str, ...]] = {}
        self._old: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> tuple[str, ...]:
        """The words of a text."""
        words = self._young.get(text)
        if words is None:
            words = self._old.get(text)
            if words is None:
                found = list(self._analyse(text))
                words = tuple(map(self._names.setdefault, found, found))
            self._keep(text, words)
        return words

    def __len__(self) -> int:
        """Texts held."""
        return len(self._young.keys() | self._old.keys())

    def clear(self) -> None:
        """Forget all texts."""
        self._young, self._old, self._names, self._held = {}, {}, {}, 0

    def _keep(self, text: str, words: tuple[str, ...]) -> None:
        self._held += len(words) + _PER_TEXT
        if self._held > self._limit:
            self._old, self._young = self._young, {}
            self._names = {}
            self._held = len(words) + _PER_TEXT
        self._young[text] = words
