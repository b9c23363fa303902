from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from vlmbench.text.cache import WordCache


def split_all(texts: Sequence[str]) -> list[str]:
    return [" ".join(text.split()) for text in texts]


def recorded(seen: list[str]) -> Callable[[Sequence[str]], list[str]]:
    """An analysis that notes the texts it was given."""

    def analyze(texts: Sequence[str]) -> list[str]:
        seen.extend(texts)
        return split_all(texts)

    return analyze


def test_a_text_is_analyzed_once() -> None:
    seen: list[str] = []
    cache = WordCache(recorded(seen))
    assert cache("a b") == cache("a b") == ("a", "b")
    assert seen == ["a b"]


def test_many_texts_are_analyzed_once_each_in_their_order() -> None:
    seen: list[str] = []
    cache = WordCache(recorded(seen))
    texts = [f"{number % 700} b" for number in range(1000)]
    assert cache.lines(["5  b", "", ""]) == ["5 b", "", ""]
    assert cache.lines(texts) == texts
    assert len(seen) == len(set(seen)) == 702


def test_the_cache_stays_small_and_right() -> None:
    cache = WordCache(split_all, limit=1000)
    source = random.Random(0)
    for _ in range(2000):
        text = f"{source.randrange(300):03} b c d"
        assert cache(text) == tuple(text.split())
        assert len(cache) <= 2 * 1000 // (9 + 64)


def test_what_is_in_use_stays() -> None:
    analyzed: list[str] = []
    cache = WordCache(recorded(analyzed), limit=200)
    for number in range(50):
        cache("often")
        cache(str(number))
    assert analyzed.count("often") == 1


def test_clear_forgets() -> None:
    cache = WordCache(split_all)
    cache("a")
    cache.clear()
    assert len(cache) == 0
