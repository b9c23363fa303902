"""Words as the Penn Treebank tokenizer of the COCO caption evaluation splits them.

pycocoevalcap starts a Java program for this and takes punctuation out of what comes back. The
table below was made by giving that program texts and reading its answers; docs/metrics.md says how
often the two agree. English goes by the conventions of the Penn Treebank (do n't, john 's, $ 5); a
run of Japanese is one word, up to the next mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PENN_FORM = "penn3"

DROPPED = frozenset("'' ' `` ` . ? ! , : - -- ... ;".split())
"""Taken out afterwards. Brackets are meant to go too, but they are looked for in capitals among
words in small letters, and so they stay."""

_SPELLED = {
    **{"&lt;": "<", "&gt;": ">", "€": "$", "¤": "$", "£": "#", "¢": "cents"},
    **{f"\u2019{end}": f"'{end}" for end in ("s", "m", "d", "ll", "re", "ve")},
    **{"n\u2019t": "n't", "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"},
}
_BRACKETS = str.maketrans(
    {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
)
_ENTITIES = {"&amp;": "&", "&quot;": '"', "&apos;": "'", "&nbsp;": " ", "&mdash;": "—", "&ndash;": "–"}

# A character of a word: letters and digits, neither symbols with a value (² ½ Ⅱ 〇) nor anything
# beyond the first 65,536 characters, which the program does not know; then combining marks.
_C = (
    r"(?:[^\W_\xb2\xb3\xb9\xbc-\xbe\u2070\u2074-\u2089\u2150-\u2bff\u3007\u3021-\u303a\u3192-\u3195"
    r"\u3200-\u33ff\U00010000-\U0010ffff]"
    r"[\u0300-\u036f\u0591-\u05c7\u064b-\u065e\u0900-\u0903\u093c-\u094e\u0e31-\u0e3a\u0e47-\u0e4e]*)"
)
_L = rf"(?:(?!\d){_C})"
_NUMBER = r"\d+(?:[.,]\d+)*"
_JOINT = "[-_\xad\u2010\u2011\u058a]"
_WORD = rf"{_C}+(?:{_JOINT}{_C}+)*"

# A symbol that is a word by itself; what is in no rule of the table is left out.
_SYMBOL = (
    r"[$%&+,/:;=\\^|~(){}\[\]\xa1-\xaa\xac\xae-\xb1\xb4\xb6-\xb8\xbc-\xbf\xd7\xf7"
    r"\u2016\u2017\u2020-\u2023\u2030-\u2038\u203b\u203e-\u2042\u2044\u20a0\u20a4\u20ac\u2100-\u214f"
    r"\u2153-\u215e\u2190-\u2bff\u3001\u3002\u3012\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
    r"\uff5b-\uff65\uffe0\uffe1\uffe5\uffe6]"
)

# Abbreviations in common use that keep their period; not all do, so each was tried.
_ABBREVIATIONS = """
mr mrs ms mme mlle messrs dr prof rev hon gen col sgt capt lt maj adm cmdr pvt cpl sen rep gov pres
supt insp st ste mt ft jr sr esq ph inc ltd co corp bros plc pte pty cie assn assoc dept univ mfg
intl natl bldg ave blvd rd ct sq jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed
thu thurs fri ala ariz calif colo conn fla ga ind kan mich minn mo mont neb nev okla penn tenn va vt
wis wyo etc vs cf al est seq adj adv ext tel
"""
_CAPITALIZED = "Ark Del Ill La Mass Miss Ore Pa Tex Wash"
_BEFORE_DIGITS = "no nos fig figs pp art op ca"
# "A. The" is the end of a sentence and the beginning of the next; "A. Smith" is a name.
_BEGINNINGS = """
A About After An As At But He Her Here However If In It Last Many More Mr Mrs Now Once One Other Our
She Since So Some Such That The Their Then There These They This We What When While Yet You
"""
_NEXT_SENTENCE = rf"(?=\s+(?:{'|'.join(_BEGINNINGS.split())})(?!{_C}))"


def _any(words: str) -> str:
    return rf"(?i:{'|'.join(words.split())})"


_URL = r"[^ \t\r\n\xa0\"()<>|{}]"
_NAME = r"[A-Za-z][\w.:-]*"
_EYE = r"[\^~=x<>-]"

# At each place the rule that reaches farthest makes a word, or a word of each of its groups.
_RULES = tuple(
    re.compile(pattern)
    for pattern in (
        # Tags, addresses, mail, accounts.
        rf"<(?:/?{_NAME}\s*|{_NAME}(?:\s+{_NAME}(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'))?)*\s*/?)>",
        r"<[!?][A-Za-z-][^>]*>",
        r"&(?:lt|gt|#\d+);",
        rf"(?i:https?)://{_URL}+\.{_URL}*[^\s\"()<>|{{}}.,!?-]",
        rf"(?:[^\s\"()<>|{{}}./]{{3,}}\.)+(?i:com|net|org|edu)/{_URL}*[^\s\"()<>|{{}}.,!?-]",
        r"[A-Za-z0-9][^ \t\r\n\xa0\"()<>|{}@]*@[^ \t\r\n\xa0\"()<>|{}.]+(?:\.[^ \t\r\n\xa0\"()<>|{}.]+)*",
        r"@[A-Za-z_][A-Za-z0-9_]*",
        rf"\#{_L}+",
        # Faces.
        rf">?[:;=]['-]?(?:[()\[\]|\\{{@]|[DPp](?![A-Za-z0-9]))|:(?:-?O|o|3)(?![A-Za-z0-9])",
        rf"\({_EYE}[._]?{_EYE}\)|{_EYE}_{_EYE}",
        # Numbers, dates, fractions, telephone numbers.
        r"[+-]?\d*(?:[.,:]\d+)+|[+-]?\d+",
        r"\d{1,2}[-/]\d{1,2}[-/]\d{1,4}|\d{4}[-/]\d{1,2}[-/]\d{1,2}",
        r"(?:\d{1,4}[-\x20\xa0])?\d{1,4}[/\u2044]\d{1,4}",
        r"(?:\(\d{2,3}\)[\x20\xa0]?|\+?(?:\d{2,4}[-\x20\xa0]){1,2})\d{3,4}[-\x20\xa0]?\d{3,5}",
        # Contractions.
        rf"([A-Za-z]+?)(n['\u2018\u2019`]t{_L}*)|n['\u2019]t{_L}*",
        rf"['\u2019](?i:s|m|d|ll|re|ve)(?![A-Za-z])",
        rf"(?i:(can)(not)|(gon|wan)(na)|(got)(ta)|(gim|lem)(me))(?![-\w])",
        r"(?i:'t(?=is|was))",
        r"'(?i:em|till?|cause|n'|n(?![A-Za-z])|\d\ds?(?!\d))|(?i:ol')|''",
        rf"(?:[dlnoDLNOjJ]|[A-HK-SU-XZ]|(?i:qu))['\u2019]{_L}{_C}*|[Yy]['\u2019](?={_L})",
        r"(?i:(?!y['\u2019])[a-z]*[aeiouy]['\u2019][aeiou][a-z]*)",
        # Abbreviations and what else has marks inside.
        rf"(?:{_any(_ABBREVIATIONS)}|{'|'.join(_CAPITALIZED.split())})\.",
        rf"{_any(_BEFORE_DIGITS)}\.(?=\s*\d)",
        rf"[A-Za-z]\.(?!{_NEXT_SENTENCE})",
        r"[A-Za-z](?:\.[A-Za-z])+\.",
        rf"{_WORD}\.(?=[,;:\u3001])",
        rf"{_L}{_C}*(?:[.!?]{_L}{_C}*)+",
        rf"{_L}{_C}*(?:\.{_L}{_C}*)+(?:{_JOINT}{_C}+)+|{_NUMBER}(?:-[A-Za-z0-9]+)+",
        r"[A-Z]+(?:&[A-Z]+)+(?:-\d+)?",
        r"[A-Za-z0-9]+(?:-[A-Za-z]+)*/[A-Za-z0-9]+(?:-[A-Za-z]+)*(?:/[A-Za-z0-9]+(?:-[A-Za-z]+)*)?",
        r"[A-Z]{1,3}\$|(?i:c\+\+|[cf]\#)",
        _WORD,
        # Runs of one mark, and single symbols.
        r"[!?]+|-{5,}|\*+|_+|\#+|<+|>+|@+|[\u207a\u207b\u208a\u208b]?[\xb2\xb3\xb9\u2070\u2074-\u2079\u2080-\u2089]+",
        _SYMBOL,
    )
)
_PLAIN = re.compile(rf"{_L}+(?=[\s\u3001\u3002]|$)")


def penn_words(text: str) -> tuple[str, ...]:
    """The words of a text, without the punctuation that the evaluation takes out."""
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return tuple(word for word in map(_spelled, _pieces(text)) if word not in DROPPED)


def _pieces(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = [match for rule in _RULES if (match := rule.match(text, at))]
        if not found:
            at += 1
            continue
        match = max(found, key=lambda match: match.end())
        yield from (group for group in match.groups() if group) if match.re.groups else (match[0],)
        at = match.end()


def _spelled(piece: str) -> str:
    piece = piece.lower()
    return _SPELLED.get(piece) or piece.translate(_BRACKETS).replace(" ", "\xa0")
