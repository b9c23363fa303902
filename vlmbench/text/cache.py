"""A bounded cache of the words of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_PER_TEXT = 64
"""What a text costs besides its characters, in characters."""
_BATCH_SIZE = 64
"""Texts that are analyzed at a time, so that what one stage leaves is still in the CPU's cache."""


class WordCache:
    """Words of texts that have been analyzed before; the least recently used are dropped.

    The words of a text are kept as one string with spaces between, which takes a fraction of the
    time and memory of a string per word.

    There are two generations. A text that is looked up or analyzed goes to the younger one; when
    that is full it becomes the older one, and the previous older one is dropped. So the texts of
    the last `limit` characters are always cached, and never more than twice as many.
    """

    def __init__(
        self, analyze: Callable[[Sequence[str]], Sequence[str]], *, limit: int = 1 << 24
    ) -> None:
        """An empty cache.

        Args:
            analyze: From texts to the words of each, with spaces between.
            limit: Characters in a generation; a text costs those of its line and 64.
        """
        self._analyze = analyze
        self._limit = limit
        self._held = 0
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}

    def __call__(self, text: str) -> tuple[str, ...]:
        """The words of a text."""
        return tuple(self.lines([text])[0].split())

    def lines(self, texts: Sequence[str]) -> list[str]:
        """The words of each text, with spaces between."""
        known = list(map(self._young.get, texts))
        if None not in known:
            return known  # type: ignore[return-value]
        pairs = list(zip(texts, known, strict=True))
        found = self._look_up(list(dict.fromkeys(text for text, line in pairs if line is None)))
        return [found[text] if line is None else line for text, line in pairs]

    def __len__(self) -> int:
        """Number of texts in the cache."""
        return len(self._young.keys() | self._old.keys())

    def clear(self) -> None:
        """Drop all texts."""
        self._young, self._old, self._held = {}, {}, 0

    def _look_up(self, texts: Sequence[str]) -> dict[str, str]:
        """The words of texts that are not in the younger generation."""
        found: dict[str, str] = {}
        for start in range(0, len(texts), _BATCH_SIZE):
            batch = texts[start : start + _BATCH_SIZE]
            old = self._old
            unknown = [text for text in batch if text not in old] if old else batch
            lines = dict(zip(unknown, self._analyze(unknown), strict=True))
            if len(lines) < len(batch):
                lines.update((text, old[text]) for text in batch if text in old)
            self._keep(lines)
            found.update(lines)
        return found

    def _keep(self, lines: dict[str, str]) -> None:
        cost = sum(map(len, lines.values())) + _PER_TEXT * len(lines)
        self._held += cost
        if self._held > self._limit:
            self._old, self._young = self._young, {}
            self._held = cost
        self._young.update(lines)
