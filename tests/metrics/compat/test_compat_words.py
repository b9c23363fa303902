"""Words of llm-jp-eval-mm's ROUGE and of sacrebleu's ja-mecab."""

from __future__ import annotations

import sys

import pytest

from vlmbench.errors import DependencyError
from vlmbench.metrics.compat.text_words import emoji_code_points, ipadic_words, rouge_words

# Behavior described in the notes on ROUGE-L (section 3) and the gold README (quirk 2).
REMOVED = [("猫😺", ("猫",)), ("➀➁", ()), ("㊗", ()), ("Ｎ７００", ("N", "700")), ("　", ())]


@pytest.mark.parametrize(("text", "words"), REMOVED)
def test_rouge_words(text: str, words: tuple[str, ...]) -> None:
    assert rouge_words(text, "nfkc") == words


def test_neologdn_deletes_tildes() -> None:
    pytest.importorskip("neologdn", reason="the extra 'compat' is not installed")
    assert "".join(rouge_words("10〜20人", "neologdn")) == "1020人"


def test_single_emoji_of_the_package() -> None:
    # emoji 2.16.0 lists 1,409 emoji of one code point.
    assert len(emoji_code_points()) == 1409


@pytest.mark.parametrize("package", ["neologdn", "ipadic"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    from vlmbench.metrics.compat import text_words as words

    words._ipadic.cache_clear()
    words._ipadic_cache.cache_clear()
    words._rouge_cache.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=r"pip install 'vlmbench-ja\[compat\]'"):
        rouge_words("猫", "neologdn") if package == "neologdn" else ipadic_words("猫")


def test_long_runs_are_cut() -> None:
    assert "".join(rouge_words("ア" * 10_000, "nfkc")) == "ア" * 10_000
