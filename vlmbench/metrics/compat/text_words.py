"""Words as the Japanese ROUGE and BLEU of llm-jp-eval-mm and of Sakana AI see them.

The originals pass any text whole to MeCab; here one of more than 4,096 characters goes in pieces.
"""

from __future__ import annotations

import functools
import unicodedata
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

from vlmbench.errors import DependencyError
from vlmbench.text.cache import WordCache
from vlmbench.text.mecab import split_words, unidic

if TYPE_CHECKING:
    import fugashi

Normalizer: TypeAlias = Literal["nfkc", "neologdn"]

_EMOJI_VERSION = "emoji-2.16.0"
"""The release of the package `emoji` whose single code points these are; it made its list from
Unicode's emoji-test.txt, version 17."""

# Every entry of one code point, as hexadecimal ranges. It has symbols that a reader of Japanese
# would keep, such as ㊗ ㊙ 〽 Ⓜ ™, and lacks the joiner and the variation selectors.
_EMOJI_RANGES = """
A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2
25AA-25AB 25B6 25C0 25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626 262A
262E-262F 2638-263A 2640 2642 2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F 2692-2697
2699 269B-269C 26A0-26A1 26A7 26AA-26AB 26B0-26B1 26BD-26BE 26C4-26C5 26C8 26CE-26CF 26D1
26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705 2708-270D 270F 2712 2714 2716 271D 2721
2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797 27A1 27B0 27BF 2934-2935
2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F004 1F0CF 1F170-1F171 1F17E-1F17F 1F18E
1F191-1F19A 1F201-1F202 1F21A 1F22F 1F232-1F23A 1F250-1F251 1F300-1F321 1F324-1F393 1F396-1F397
1F399-1F39B 1F39E-1F3F0 1F3F3-1F3F5 1F3F7-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570
1F573-1F57A 1F587 1F58A-1F58D 1F590 1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4
1F5D1-1F5D3 1F5DC-1F5DE 1F5E1 1F5E3 1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2
1F6D5-1F6D9 1F6DC-1F6E5 1F6E9 1F6EB-1F6EC 1F6F0 1F6F3-1F6FC 1F7E0-1F7EB 1F7F0 1F90C-1F93A
1F93C-1F945 1F947-1F9FF 1FA70-1FA7C 1FA80-1FAC6 1FAC8 1FACC-1FADD 1FADF-1FAEB 1FAEF-1FAFA
"""

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
    return [words, f"norm:{_EMOJI_VERSION}+{with_version}"]


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
def emoji_code_points() -> frozenset[int]:
    """All code points that are an emoji by themselves."""
    points: set[int] = set()
    for part in _EMOJI_RANGES.split():
        first, _, last = part.partition("-")
        points.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(points)


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
