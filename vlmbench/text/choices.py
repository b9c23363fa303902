"""Which option of a multiple-choice question an answer in Japanese (or English) chooses.

    B   （Ｂ）   **B**   B：東京タワー   答えはＢです   選択肢Bが正解   A ではなく B です
    \\boxed{B}   イ   ②   2番   東京タワー（the option's own text）

Rules go from the most explicit to the least: the first that finds an option decides, and if it
finds several, the answer cannot be parsed. Nothing is guessed.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from vlmbench.text.choice_patterns import SYSTEMS, LabelPatterns, latin_labels
from vlmbench.text.equivalence import same_answer
from vlmbench.text.extract import answer_lines, boxed, candidates, marked_answer
from vlmbench.text.japanese import answer_form, normalize, surface_form
from vlmbench.text.numbers import find_quantities, read_quantity

CHOICE_FORM = "choice-ja3"
"""Version of `read_choice`."""

LETTERS = string.ascii_uppercase
_UNKNOWN_COUNT = 10
"""Number of options assumed when a question comes without them: labels A to J."""

_SHORT = 40
"""Characters of an answer in which a label counts wherever it stands."""


_ORDINAL = re.compile(
    "(?<![一-鿿])([1-9一二三四五六七八九])(?:つ目|番目)(?=の選択|です|が正|$)"
    "|(?<![一-鿿])([二三四五六七八九])番(?![一-鿿])"
    r"|(?:第(?=.の選択)|\bno\.? ?)([1-9一二三四五六七八九])(?![0-9])",
    re.IGNORECASE,
)
"""Ordinals as labels. 一番 alone is a superlative in most answers."""
_KANJI_DIGITS = str.maketrans("一二三四五六七八九", "123456789")


class _Several(Enum):
    """More than one option was found where one was expected."""

    SEVERAL = 0


_SEVERAL = _Several.SEVERAL
_Found = int | _Several | None

_NOT_BUT = re.compile(r"[^。、,\n]{1,30}?(?:では|じゃ)(?:なく|無く)(?:て)?[、,]?\s?")
_NONE_OF_THEM = re.compile(
    "(?:どれ|いずれ|全て|すべて)[^。\n]{0,20}(?:ません|ない|誤り|間違)|該当なし"
)


def read_choice(text: str, choices: Sequence[str]) -> int | None:
    """The position of the option that an answer chooses, None when it cannot be parsed.

    Args:
        text: The whole answer; reasoning blocks are skipped.
        choices: The options in order, labeled A, B, C … (or ア イ ウ …, 1 2 3 …) in the prompt.
            May be empty: then labels up to J are understood, and no option texts.

    The rules in order, each applied to the whole answer: the content of the last \\boxed{}; a
    Latin letter as below; the option's own text as the whole answer; a kana or a number as
    below; the option's own text as the final answer in a sentence, or as the only option that
    this sentence mentions. A label is taken from (1) the last phrase such as 「答えはB」「正解：B」
    "the answer is B", 「よってB」, (2) the last 「Bが正しい」「Bを選びます」「Bです」, (3) a line
    that is or begins with a label, (4) the only label that a short answer has at all. Options
    that are denied (Aは誤り, AではなくB) are left out. Labels beyond the options are none.
    Numbers are labels only beside 番 or 選択肢 when an option is a number itself.
    """
    lines = answer_lines(text)
    if (content := boxed(lines)) is not None:
        lines = content
    if not lines:
        return None
    found: _Found = None
    for find in (_by_latin_letter, _by_whole_text, _by_other_label, _by_stated_text):
        found = find(lines, choices)
        if found is not None:
            break
    return found if isinstance(found, int) else None


def choice_index(reference: str, choices: Sequence[str]) -> int | None:
    """The position of the option that a reference names: a Latin letter, the text, another label.

    None when it names none of the options.
    """
    form = surface_form(reference)
    count = len(choices) or _UNKNOWN_COUNT
    if len(form) == 1 and form.upper() in LETTERS[:count]:
        return LETTERS.index(form.upper())
    for position, choice in enumerate(choices):
        if surface_form(choice) == form:
            return position
    return read_choice(reference, choices)


def _by_latin_letter(lines: str, choices: Sequence[str]) -> _Found:
    return _by_label(lines, latin_labels(len(choices) or _UNKNOWN_COUNT), choices)


def _by_other_label(lines: str, choices: Sequence[str]) -> _Found:
    numeric = any(read_quantity(choice) for choice in choices)
    if choices:
        lines = re.sub("最初(?=の選択肢)", "1番", lines)
        lines = re.sub("最後(?=の選択肢)", f"{len(choices)}番", lines)
    if not numeric and re.fullmatch("[一二三四五六七八九](?:です)?[。.]?", lines):
        lines = lines.translate(_KANJI_DIGITS)
    lines = _ORDINAL.sub(
        lambda found: (found[1] or found[2] or found[3]).translate(_KANJI_DIGITS) + "番", lines
    )
    for system in SYSTEMS:
        patterns = system(len(choices) or _UNKNOWN_COUNT, bare=not numeric)
        found = _by_label(lines, patterns, choices)
        if found is not None:
            return found
    return None


def _by_label(lines: str, patterns: LabelPatterns, choices: Sequence[str]) -> _Found:
    text = patterns.undenied(lines)
    second_of_two = {found.start("label") for found in patterns.after_other.finditer(text)}
    for pattern in (patterns.after_cue, patterns.before_predicate):
        if statements := list(pattern.finditer(text)):
            last = statements[-1]
            behind = patterns.continues.match(text, last.end("label"))
            if behind or last.start("label") in second_of_two:
                return _SEVERAL
            return patterns.index(last["label"])
    found = {patterns.index(label) for label in patterns.heads(text)}
    if not re.search(r"\w", patterns.any_label.sub("", text)):
        found |= {patterns.index(match["label"]) for match in patterns.alone.finditer(text)}
    if not found and len(text) <= _SHORT:
        found = {patterns.index(match["label"]) for match in patterns.alone.finditer(text)}
    if len(found) > 1 or (found and second_of_two and len(text) <= _SHORT):
        return _SEVERAL
    return found.pop() if found else None


def _by_whole_text(lines: str, choices: Sequence[str]) -> _Found:
    form, options = answer_form(lines), [answer_form(choice) for choice in choices]
    found = [position for position, option in enumerate(options) if option == form]
    if not found and not read_quantity(form):
        # 札幌 for 札幌市, where no other option begins so.
        begun = [i for i, option in enumerate(options) if option.startswith(form)]
        found = [i for i in begun if len(form) >= 2 and len(options[i]) <= 2 * len(form)]
        found = found if begun == found else []
    return found[0] if len(found) == 1 else None


def _by_stated_text(lines: str, choices: Sequence[str]) -> _Found:
    if _NONE_OF_THEM.search(lines[-200:]):
        return None
    for candidate in candidates(lines):
        found = [i for i, choice in enumerate(choices) if same_answer(candidate, choice)]
        if found:
            return found[0] if len(found) == 1 else _SEVERAL
    statement = _final_statement(lines)
    return _only_mentioned(_NOT_BUT.sub("", statement), choices)


def _final_statement(lines: str) -> str:
    marked = marked_answer(lines)
    if marked:
        return marked
    sentences = [part for part in re.split("[。!?\n]", lines) if part.strip()]
    return sentences[-1][-300:] if sentences else ""


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    choice: int


def _only_mentioned(statement: str, choices: Sequence[str]) -> _Found:
    """The only option whose text the statement has; 小犬 is not a mention of 犬 as well."""
    text = answer_form(statement)
    mentions = []
    for position, choice in enumerate(choices):
        form = answer_form(choice)
        if form and not read_quantity(choice):
            start = text.find(form)
            while start >= 0:
                mentions.append(_Mention(start, start + len(form), position))
                start = text.find(form, start + len(form))
    if re.search("(?:ません|ない|誤り|間違い)$", text) and all(m.end < len(text) for m in mentions):
        return None
    outer = {
        one.choice
        for one in mentions
        if not any(
            other.start <= one.start and one.end <= other.end and other.choice != one.choice
            for other in mentions
        )
    }
    if not outer:
        numbers = [(i, quantity) for i, c in enumerate(choices) if (quantity := read_quantity(c))]
        stated = find_quantities(normalize(statement))
        outer = {i for i, quantity in numbers if any(one.close_to(quantity) for one in stated)}
    if len(outer) > 1:
        return _SEVERAL
    return outer.pop() if outer else None
