"""A bounded memory of what texts consist of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

_PER_TEXT = 16
"""What a text costs beside its words, in words."""
_TOGETHER = 256
"""Texts that are analysed before their words are looked up; bounds what is not yet shared."""


class WordCache:
    """Words of texts that have been analysed before; what was not asked for long is forgotten.

    There are two generations. A text that is found or analysed goes to the younger one; when that
    is full it becomes the older one, and what the older one held is dropped. So the texts of the
    last `limit` words are always at hand, and never more than twice as many are held. Equal words
    are one object, which makes a word cost eight bytes wherever it occurs again.
    """

    def __init__(
        self, analyse: Callable[[Sequence[str]], Sequence[list[str]]], *, limit: int = 1 << 23
    ) -> None:
        """Remember what an analysis says.

        Args:
            analyse: Turns texts into the words of each.
            limit: Words in a generation.
        """
        self._analyse = analyse
        self._limit = limit
        self._held = 0
        self._young: dict[str, tuple[str, ...]] = {}
        self._old: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> tuple[str, ...]:
        """The words of a text."""
        return self.all([text])[0]

    def all(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """The words of each text."""
        known = list(map(self._young.get, texts))
        pairs = list(zip(texts, known, strict=True))
        missing = dict.fromkeys(text for text, words in pairs if words is None)
        found = self._found(list(missing)) if missing else {}
        return [found[text] if words is None else words for text, words in pairs]

    def learn(self, texts: Iterable[str], words: Iterable[Sequence[str]]) -> None:
        """Take the words of texts from elsewhere."""
        for text, some in zip(texts, words, strict=True):
            self._keep(text, self._shared(some))

    def __len__(self) -> int:
        """Texts held."""
        return len(self._young.keys() | self._old.keys())

    def clear(self) -> None:
        """Forget all texts."""
        self._young, self._old, self._names, self._held = {}, {}, {}, 0

    def _found(self, texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The words of texts that were not in the younger generation a moment ago."""
        found, old = {}, self._old
        for start in range(0, len(texts), _TOGETHER):
            stretch = texts[start : start + _TOGETHER]
            unknown = [text for text in stretch if text not in old]
            analysed = dict(zip(unknown, self._analyse(unknown), strict=True))
            for text in stretch:
                words = old.get(text)
                if words is None:
                    words = self._shared(analysed.pop(text))
                found[text] = words
                self._keep(text, words)
        return found

    def _shared(self, words: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self._names.setdefault, words, words))

    def _keep(self, text: str, words: tuple[str, ...]) -> None:
        self._held += len(words) + _PER_TEXT
        if self._held > self._limit:
            self._old, self._young = self._young, {}
            self._names = {}
            self._held = len(words) + _PER_TEXT
        self._young[text] = words
