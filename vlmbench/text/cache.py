"""A bounded memory of what texts consist of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

_PER_TEXT = 64
"""What a text costs beside its characters, in characters."""
_TOGETHER = 64
"""Texts that are analyzed together, so that what one stage leaves is at hand for the next."""


class WordCache:
    """Words of texts that have been analyzed before; what was not asked for long is forgotten.

    The words of a text are held as a line, with spaces between: a single object, which is made and
    kept in a fraction of the time and room of an object a word.

    There are two generations. A text that is found or analyzed goes to the younger one; when that
    is full it becomes the older one, and what the older one held is dropped. So the texts of the
    last `limit` characters are always at hand, and never more than twice as many are held.
    """

    def __init__(
        self, analyze: Callable[[Sequence[str]], Sequence[str]], *, limit: int = 1 << 24
    ) -> None:
        """Remember what an analysis says.

        Args:
            analyze: Turns texts into the line of words of each.
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
        found = self._found(list(dict.fromkeys(text for text, line in pairs if line is None)))
        return [found[text] if line is None else line for text, line in pairs]

    def learn(self, texts: Iterable[str], lines: Iterable[str]) -> None:
        """Take the words of texts from elsewhere."""
        self._keep(dict(zip(texts, lines, strict=True)))

    def __len__(self) -> int:
        """Texts held."""
        return len(self._young.keys() | self._old.keys())

    def clear(self) -> None:
        """Forget all texts."""
        self._young, self._old, self._held = {}, {}, 0

    def _found(self, texts: Sequence[str]) -> dict[str, str]:
        """The words of texts that were not in the younger generation a moment ago."""
        found: dict[str, str] = {}
        for start in range(0, len(texts), _TOGETHER):
            stretch = texts[start : start + _TOGETHER]
            old = self._old
            unknown = [text for text in stretch if text not in old] if old else stretch
            lines = dict(zip(unknown, self._analyze(unknown), strict=True))
            if len(lines) < len(stretch):
                lines.update((text, old[text]) for text in stretch if text in old)
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
