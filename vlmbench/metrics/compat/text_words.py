"""Words as the Japanese ROUGE and BLEU of llm-jp-eval-mm and of Sakana AI see them.

The originals pass any text whole to MeCab; here one of more than 4,096 characters goes in pieces.
"""

from __future__ import annotations

import functools
import unicodedata
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

from vlmbench.errors import DependencyError
from vlmbench.metrics.compat.text_emoji import EMOJI_VERSION, emoji_code_points
from vlmbench.text.cache import WordCache
from vlmbench.text.mecab import split_words, unidic

if TYPE_CHECKING:
    import fugashi

Normalizer: TypeAlias = Literal["nfkc", "neologdn"]

_EXTRA_RANGES = ((0x1F600, 0x1F64F), (0x1F300, 0x1F5FF), (0x1F680, 0x1F6FF), (0x1F1E0, 0x1F1FF))
_DINGBATS = (0x2702, 0x27B0)


def rouge_words(text: str, normalizer: Normalizer) -> tuple[str, ...]:
    """The words of a text: emoji removed, normalized, then MeCab with UniDic.

    Emoji go code point by code point, which leaves joiners behind, and five ranges go with them,
    one of which has ➀ and ➡. No other punctuation is removed and case stays.

    Raises:
        DependencyError: neologdn is asked for and not installed.
    """
    return _rouge_cache(normalizer)(text)


def rouge_identity(normalizer: Normalizer) -> list[str]:
    """What the words depend on, for signatures."""
    with_version = f"neologdn-{version('neologdn')}" if normalizer == "neologdn" else "nfkc"
    words = f"tok:fugashi-{version('fugashi')}/unidic-lite-{version('unidic-lite')}"
    return [words, f"norm:{EMOJI_VERSION}+{with_version}"]


def plain_words(text: str) -> tuple[str, ...]:
    """fugashi's words with unidic-lite, of the text as it is."""
    return tuple(split_words(unidic(), [text])[0].split())


def ipadic_words(text: str) -> tuple[str, ...]:
    """The words that sacrebleu's ja-mecab tokenizer gives: MeCab with IPADIC.

    Raises:
        DependencyError: The dictionary is not installed.
    """
    return _ipadic_cache()(text)


def ipadic_identity() -> str:
    """The tokenizer and its dictionary with versions.

    Raises:
        DependencyError: The dictionary is not installed.
    """
    _ipadic()
    return f"tok:fugashi-{version('fugashi')}/ipadic-{version('ipadic')}"


@functools.cache
def _rouge_cache(normalizer: Normalizer) -> WordCache:
    def normalized(text: str) -> str:
        text = text.translate(_removed())
        text = unicodedata.normalize("NFKC", text) if normalizer == "nfkc" else _neologdn(text)
        return " ".join(text.split())

    return WordCache(lambda texts: split_words(unidic(), map(normalized, texts)))


@functools.cache
def _ipadic_cache() -> WordCache:
    return WordCache(lambda texts: split_words(_ipadic(), map(str.strip, texts)))


@functools.cache
def _removed() -> dict[int, None]:
    points = set(emoji_code_points())
    for first, last in (*_EXTRA_RANGES, _DINGBATS):
        points.update(range(first, last + 1))
    return dict.fromkeys(points)


def _neologdn(text: str) -> str:
    try:
        import neologdn
    except ImportError:
        raise DependencyError(
            "The normalizer neologdn is not installed; run pip install 'vlmbench-ja[compat]'."
        ) from None
    return str(neologdn.normalize(text))


@functools.cache
def _ipadic() -> fugashi.GenericTagger:
    import fugashi

    try:
        import ipadic
    except ImportError:
        raise DependencyError(
            "The dictionary ipadic is not installed; run pip install 'vlmbench-ja[compat]'."
        ) from None
    return fugashi.GenericTagger(f"{ipadic.MECAB_ARGS} -O wakati")
