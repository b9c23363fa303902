from __future__ import annotations

import random
from collections.abc import Callable

from vlmbench.text.cache import WordCache


def recorded(seen: list[str]) -> Callable[[str], list[str]]:
    """An analysis that notes the texts it was given."""

    def analyse(text: str) -> list[str]:
        seen.append(text)
        return text.split()

    return analyse


def test_a_text_is_analysed_once() -> None:
    seen: list[str] = []
    cache = WordCache(recorded(seen))
    assert cache("a b") == cache("a b") == ("a", "b")
    assert seen == ["a b"]


def test_the_cache_stays_small_and_right() -> None:
    cache = WordCache(str.split, limit=1000)
    source = random.Random(0)
    for _ in range(2000):
        text = f"{source.randrange(300)} b c d"
        assert cache(text) == tuple(text.split())
        assert len(cache) <= 2 * 1000 // (4 + 16)


def test_what_is_in_use_stays() -> None:
    analysed: list[str] = []
    cache = WordCache(recorded(analysed), limit=100)
    for number in range(50):
        cache("often")
        cache(str(number))
    assert analysed.count("often") == 1


def test_equal_words_are_one_object() -> None:
    cache = WordCache(str.split)
    assert cache("word one")[0] is cache("another word")[1]


def test_clear_forgets() -> None:
    cache = WordCache(str.split)
    cache("a")
    cache.clear()
    assert len(cache) == 0
