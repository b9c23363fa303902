"""Tokenizers made for Western languages, as sacrebleu has them."""

from __future__ import annotations

import re

_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
# ASCII punctuation without the full stop, comma, hyphen and apostrophe; spaces count in.
_PUNCTUATION = re.compile("([ -&(-+/:-@\\[-`{-~])")
_STOP_AFTER_OTHERS = re.compile("([^0-9])([.,])")
_STOP_BEFORE_OTHERS = re.compile("([.,])([^0-9])")
_HYPHEN_AFTER_DIGIT = re.compile("([0-9])(-)")
_POSSESSIVE_AT_END = re.compile("'s$")
# Ideographs, radicals, strokes, compatibility forms, and by an exchanged digit in the original
# everything from U+3200 to U+3F22; Japanese and full-width punctuation.
_ASIAN = re.compile(
    "([\u4e00-\u9fff\u3400-\u4dbf\u31c0-\u31ef\u2e80-\u2eff\u3300-\u33ff\uf900-\ufaff\ufe30-\ufe4f"
    "\u3200-\u3f22\u3001\u3002\u3008-\u3011\u3014-\u301f\uff61-\uff65\u30fb"
    "\uff0e\uff0c\uff1f\uff1a\uff1b\uff01\uff02\uff08\uff09])"
)


def words_13a(text: str) -> tuple[str, ...]:
    """The words of sacrebleu's 13a tokenizer, mteval-v13a's rules: Japanese stays unsplit."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    text = _PUNCTUATION.sub(r" \1 ", f" {_unescaped(text)} ")
    return tuple(_around_numbers(text).split())


def words_tercom(text: str, *, normalized: bool, asian: bool) -> tuple[str, ...]:
    """The words of sacrebleu's Tercom tokenizer, in lower case.

    Args:
        text: Any text.
        normalized: Split punctuation off; otherwise only white space separates words.
        asian: Split ideographs and Japanese punctuation as well; kana stay together.
    """
    text = text.rstrip().lower()
    if normalized:
        text = f" {_unescaped(text.replace(chr(10) + '-', '').replace(chr(10), ' '))} "
        text = _PUNCTUATION.sub(r" \1 ", text).replace("'s ", " 's ")
        text = _around_numbers(_POSSESSIVE_AT_END.sub(" 's", text))
        if asian:
            text = _ASIAN.sub(r" \1 ", text)
    return tuple(text.split())


def words_chrf(text: str) -> tuple[str, ...]:
    """Words between white space with one mark of ASCII punctuation cut off, as chrF++ has it."""
    words: list[str] = []
    for word in text.split():
        if len(word) > 1 and _is_punctuation(word[-1]):
            words += (word[:-1], word[-1])
        elif len(word) > 1 and _is_punctuation(word[0]):
            words += (word[0], word[1:])
        else:
            words.append(word)
    return tuple(words)


def _unescaped(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _around_numbers(text: str) -> str:
    """Full stops and commas apart unless between digits, and hyphens after digits."""
    text = _STOP_AFTER_OTHERS.sub(r"\1 \2 ", text)
    text = _STOP_BEFORE_OTHERS.sub(r" \1 \2", text)
    return _HYPHEN_AFTER_DIGIT.sub(r"\1 \2 ", text)


def _is_punctuation(character: str) -> bool:
    return character.isascii() and character.isprintable() and not character.isalnum()
