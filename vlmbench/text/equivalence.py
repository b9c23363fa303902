"""Whether two short answers say the same in different writing."""

from __future__ import annotations

import functools
import html
import re
from typing import TypeAlias

from vlmbench.text.dates import Clock, Date, read_clock, read_date
from vlmbench.text.eras import bare_era_year
from vlmbench.text.japanese import answer_form, normalize
from vlmbench.text.latex import plain
from vlmbench.text.numbers import Quantity, read_quantity, read_range
from vlmbench.text.numerals import improper
from vlmbench.text.refusal import is_refusal
from vlmbench.text.spelling import same_spelling
from vlmbench.text.synonyms import bare_yes_no, word_for, yes_or_no
from vlmbench.text.writings import same_writing

EQUIVALENCE = "same-ja6"
"""Version of `same_answer`; changes with every form and list that it rests on."""

_LONGEST = 200
"""Characters; longer texts are the same only if they are equal in answer form."""
_LONGEST_RAW = 1000
"""The same before white space and packaging go."""
_LISTED = re.compile(
    "[、;/・\n]|,(?![0-9]{3}(?![0-9]))|(?<=[一-鿿ァ-ヺー0-9a-z])と(?=[一-鿿ァ-ヺー0-9a-z])|と(?=「)|(?<=」)と"
)

_GLOSSED = re.compile(r"([^()]{1,40})\(([^()]{1,40})\)")
_SLASHED = re.compile("([0-9]{1,2})/([0-9]{1,2})")
_SPAN = re.compile("〜|から|(?<=[0-9])-(?=[0-9]{1,2}:)")

_HALVES = {"半分", "半数", "half"}
_ARTICLE = re.compile("^(?:a|an|the) (?=[a-z])", re.IGNORECASE)


def same_answer(answer: str, reference: str) -> bool:
    """Whether a Japanese reader would accept the answer as the reference.

    True when both are equal in answer form, or are the same number (with units converted, one of
    them possibly without), date, time of day or range, spellings or common names of one word
    (see `spelling` and `synonyms`), the same list in any order, or when the reference is a plain
    yes or no and the answer says so. Two empty answers are the same; an empty one and another
    are not. Nothing is searched inside a sentence: see `extract.says`.
    """
    if max(len(answer), len(reference)) > _LONGEST_RAW:
        return answer_form(answer) == answer_form(reference)
    if is_refusal(answer) and not is_refusal(reference):
        return False
    first, second = _form(answer), _form(reference)
    if first == second:
        return True
    if not (first and second) or max(len(first), len(second)) > _LONGEST:
        return False
    expected = bare_yes_no(second)
    if expected is not None and expected is yes_or_no(first):
        return True
    if word_for(first) == word_for(second) or same_writing(first, second):
        return True
    if {first, second} & _HALVES and any(
        one in ("1/2", "0.5", "2分の1") for one in (first, second)
    ):
        return True
    years = bare_era_year(first), bare_era_year(second)
    if any(years):
        first, second = (
            f"{year}年" if year else form for year, form in zip(years, (first, second), strict=True)
        )
    if _is_day(first, second):
        return True
    if (gloss := _GLOSSED.fullmatch(first)) and second != first:
        # 1/3(三分の一): the same twice.
        both = [same_answer(gloss[at], second) for at in (1, 2)]
        if all(both):
            return True
    known, wanted = _value(first), _value(second)
    if known is not None and wanted is not None:
        return _same_value(known, wanted)
    return same_spelling(first, second) or _same_list(first, second)


@functools.lru_cache(maxsize=1 << 14)
def _form(text: str) -> str:
    """The answer form without a leading English article, LaTeX and HTML entities."""
    text = improper(normalize(html.unescape(plain(text)))).lstrip()
    return answer_form(_ARTICLE.sub("", text[:10]) + text[10:])


_Single: TypeAlias = Quantity | Date | Clock
_Value: TypeAlias = _Single | tuple[_Single, _Single]


def _same_value(first: _Value, second: _Value) -> bool:
    """Whether two values are of one kind and equal, numbers after conversion of units."""
    if isinstance(first, Quantity) and isinstance(second, Quantity):
        return first.close_to(second)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return all(_same_value(one, other) for one, other in zip(first, second, strict=True))
    return first == second


@functools.lru_cache(maxsize=1 << 14)
def _value(form: str) -> _Value | None:
    return (
        read_clock(form)
        or read_date(form)
        or read_quantity(form)
        or read_range(form)
        or _span(form)
    )


def _is_day(form: str, date: str) -> bool:
    """Whether 4/1, which is a fraction where no date is asked for, is the day 4月1日."""
    found = _SLASHED.fullmatch(form)
    return found is not None and read_date(date) == Date(None, int(found[1]), int(found[2]))


def _span(form: str) -> tuple[_Single, _Single] | None:
    """Two days or times of day: 午前10時〜午後5時."""
    ends = _SPAN.split(form.removesuffix("まで"))
    if len(ends) != 2:
        return None
    start, end = (read_clock(one) or read_date(one) for one in ends)
    return (start, end) if start and end else None


def members(text: str) -> tuple[str, ...]:
    """The members of a list in a short answer; the answer itself if it is no list.

    Separated by 、 , ; / ・ line breaks, or と between nouns; a comma inside a number does not
    separate.
    """
    return tuple(filter(None, (part.strip() for part in _LISTED.split(text))))


def _same_list(first: str, second: str) -> bool:
    mine, theirs = members(first), list(members(second))
    if not 1 < len(mine) == len(theirs) <= 20:
        return False
    for member in mine:
        match = next((other for other in theirs if same_answer(member, other)), None)
        if match is None:
            return False
        theirs.remove(match)
    return True
