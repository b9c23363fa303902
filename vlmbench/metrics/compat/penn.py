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

DROPPED = frozenset({"''", "'", "``", "`", *".?!,:-;", "--", "---", "----", "..."})
"""Taken out afterwards. Brackets are meant to go too, but they are looked for in capitals among
words in small letters, and so they stay."""

# Entities that are read as what they stand for before anything else.
_ENTITIES = {
    "&amp;": "&",
    "&quot;": '"',
    "&apos;": "'",
    "&nbsp;": " ",
    "&mdash;": "\u2014",
    "&ndash;": "\u2013",
}
_QUOTES = {
    **dict.fromkeys("\u2018\u201b\u2039", "`"),
    **dict.fromkeys("\u2019\u203a", "'"),
    **dict.fromkeys("\u201c\xab", "``"),
    **dict.fromkeys("\u201d\xbb", "''"),
}
# How a whole word is spelled in the end.
_SPELLED = {
    **dict(zip("[]{}", ("-lsb-", "-rsb-", "-lcb-", "-rcb-"), strict=True)),
    **dict(zip("¼½¾⅓⅔", ("1/4", "1/2", "3/4", "1/3", "2/3"), strict=True)),
    **dict(zip("€¤£¢", ("$", "$", "#", "cents"), strict=True)),
    "&lt;": "<",
    "&gt;": ">",
    "n\u2019t": "n't",
    **{f"\u2019{end}": f"'{end}" for end in ("s", "m", "d", "ll", "re", "ve")},
    **_QUOTES,
    **{one + two: _QUOTES[one] + _QUOTES[two] for one in _QUOTES for two in _QUOTES},
}

# A character of a word: letters and digits, neither symbols with a value (² ½ Ⅱ 〇) nor anything
# beyond the first 65,536 characters, which the program does not know; then combining marks.
_C = (
    r"(?:[^\W_\xb2\xb3\xb9\xbc-\xbe\u2070\u2074-\u2089\u2150-\u2bff\u3007\u3021-\u303a"
    r"\u3192-\u3195\u3200-\u33ff\U00010000-\U0010ffff][\u0300-\u036f\u0591-\u05c7\u064b-\u065e"
    r"\u0900-\u0903\u093c-\u094e\u0e31-\u0e3a\u0e47-\u0e4e]*)"
)
_L = rf"(?:(?!\d){_C})"
_A = "[A-Za-z0-9]"

# A symbol that is a word by itself. What no rule of the table matches is left out.
_SYMBOL = (
    r"[$%&+,/:;=\\^|~(){}\[\]\xa1-\xaa\xac\xae-\xb1\xb4\xb6-\xb8\xbc-\xbf\xd7\xf7\u2016\u2017"
    r"\u2020-\u2023\u2030-\u2038\u203b\u203e-\u2042\u2044\u20a0\u20a4\u20ac\u2100-\u214f"
    r"\u2153-\u215e\u2190-\u2bff\u3001\u3002\u3012\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
    r"\uff5b-\uff65\uffe0\uffe1\uffe5\uffe6]"
)
_RAISED = r"[\u207a\u207b\u208a\u208b]?[\xb2\xb3\xb9\u2070\u2074-\u2079\u2080-\u2089]+"


def _any(words: str) -> str:
    return rf"(?:{'|'.join(words.split())})"


# Abbreviations in common use that keep their period; not all do, so each was tried.
_TITLES = _any(
    """
    mr mrs ms mme mlle messrs dr prof rev hon gen col sgt capt lt maj adm cmdr pvt cpl sen rep gov
    pres supt insp st ste mt ft cie assoc dept natl ave va vs cf est adj adv
    """
)
# A single character after one of these is a word of its own: "Inc." and "の".
_ENDINGS = _any(
    r"""
    inc ltd co corp bros plc pte pty jr sr esq ph\.d assn univ mfg intl bldg blvd rd ct sq etc al
    seq ext tel jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri ala
    ariz calif colo conn fla ga ind kan mich minn mo mont neb nev okla penn tenn vt wis wyo
    """
)
_CAPITALIZED = _any("Ark Del Ill La Mass Miss Ore Pa Tex Wash")
_BEFORE_DIGITS = _any("no nos fig figs pp art op ca")
# "A. The" is the end of a sentence and the beginning of the next; "A. Smith" is a name.
_BEGINNINGS = _any(
    """
    A About After An As At But He Her Here However If In It Last Many More Mr Mrs Now Once One Other
    Our She Since So Some Such That The Their Then There These They This We What When While Yet You
    """
)

# Parts of addresses; their lengths have bounds so that time stays in proportion to the text.
_URL = r"[^ \t\r\n\xa0\"()<>|{}]"
_URL_END = r"[^ \t\r\n\xa0\"()<>|{}.,!?-]"
_PATH = rf"/{_URL}{{1,1000}}{_URL_END}"
_HOST = r"[^\x00-\x22\x24\x27-\x29\x2c-\x40\[-`{-\x7f\xa0]{1,100}"
_MAIL = r"[^ \t\r\n\xa0\"()<>|{}@]"
_NAME = r"[A-Za-z][A-Za-z0-9_.:-]{0,50}"
_VALUE = r"(?:\s*=\s*(?:\"[^\"]{0,500}\"|'[^']{0,500}'))?"
_EYE = r"[\^~=x<>-]"
_GAP = r"[-\x20\xa0]"
_PART = r"[A-Za-z0-9]+(?:-[A-Za-z]+)*"

# The table: at each place the rule that reaches farthest, or the first of those, gives a word, or
# one for each of its groups. Words of the first part are left as they are.
_VERBATIM = (
    # <br/> <a href="x">
    rf"<(?:/?{_NAME}\s*|{_NAME}(?:\s+{_NAME}{_VALUE}){{0,20}}\s*/?)>",
    # <!-- comment -->
    r"<[!?][A-Za-z-][^>]{0,1000}>",
    # https://example.org/a?b=c
    rf"(?i:https?)://{_URL}{{1,1000}}\.{_URL}{{0,1000}}{_URL_END}",
    # example.org/page, with any Japanese that stands before it
    rf"(?:{_HOST}\.){{1,9}}(?i:com|net|org|edu)(?:{_PATH})?",
    # www.example.jp/page
    rf"(?i:www)(?:\.{_HOST}){{1,9}}{_PATH}",
    # someone@example.jp
    rf"<?{_A}{_MAIL}{{0,100}}@(?!\.)(?:{_MAIL}|@){{0,200}}(?!\.){_MAIL}>?",
)
_READ = (
    # &lt; &#39;
    r"&(?:lt|gt|\#\d+);",
    # @account #subject
    r"@[A-Za-z_][A-Za-z0-9_]*",
    rf"\#{_L}+",
    # :-) (^_^) -_-
    rf"(?:>?[:;=]['-]?[()\[\]|\\{{@DPp]|:-?O|:o|:3)(?!{_A})",
    rf"\({_EYE}[._]?{_EYE}\)|{_EYE}_{_EYE}",
    # 1,234.5 -3 10:30 .5
    r"[+-]?\d*(?:[.,:]\d+)+|[+-]?\d+",
    # 12/31/2020 2020/12/31
    r"\d{1,2}/\d{1,2}/\d{1,4}|\d{4}/\d{1,2}/\d{1,2}",
    # 3/4, 1 1/2
    rf"(?:\d{{1,4}}{_GAP})?\d{{1,4}}[/\u2044]\d{{1,4}}",
    # (03)1234-5678, but 100 200 300 too
    rf"(?:\(\d{{2,3}}\)[\x20\xa0]?|\+?(?:\d{{2,4}}{_GAP}){{1,2}})\d{{3,4}}{_GAP}?\d{{3,5}}",
    # do n't, it 's, can not, gon na, 't is
    rf"([A-Za-z]+?)([Nn]['\u2019`][Tt]{_L}*)|[Nn]['\u2019][Tt]{_L}*",
    r"'(?i:s|m|d|ll|re|ve)(?![A-Za-z])|\u2019(?i:s|m|d|ll|re|ve)",
    r"(?i:(can)(not)|(gon|wan)(na)|(got)(ta)|(gim|lem)(me))(?!\w)",
    r"(?i:'t(?=is|was))",
    # rock 'n' roll, 'em, ol', '90s
    r"'(?i:em|till?|cause|n'|n(?![A-Za-z]))|(?i:ol')",
    r"['\u2019][1-9]\d(?:s|(?=\s|$))",
    # o'clock, d'accord, O'Neil-Smith; C'est, qu'il; y' all; ma'am, Hawai'i
    rf"[DLNOdlnoj]['\u2019]{_L}{_C}*(?:-{_C}+)*",
    rf"(?:[A-HJ-SU-XZ]|[Qq]u)['\u2019]{_L}+|[Yy]['\u2019](?={_L})",
    r"(?i:(?!y['\u2019])[a-z]*[aeiouy]['\u2019][aeiou][a-z]*)",
    # Mr. etc. No. 5
    rf"(?:(?i:{_TITLES}|{_ENDINGS})|{_CAPITALIZED})\.",
    rf"(?i:{_BEFORE_DIGITS})\.(?=\s*\d)",
    # J. R. Tolkien, U.S.
    rf"[A-Za-z]\.(?!\s+{_BEGINNINGS}(?:\s|$))",
    r"[A-Za-z](?:\.[A-Za-z])+\.",
    # any word before "., " is taken for an abbreviation
    rf"{_C}+\.(?=[,;:、])",
    # example.jp, これ!あれ?それ
    rf"(?!(?i:{_ENDINGS})\.{_C}(?!{_C})){_L}{_C}*(?:[.!?]{_L}{_C}*)+",
    # Qwen2.5-VL-7B, U.S.-based
    rf"{_A}[A-Za-z0-9.,]{{0,100}}(?:-(?:[A-Za-z](?:\.[A-Za-z])+\.?|{_A}+))+",
    # AT&T, and/or, US$, C++
    r"[A-Z]+(?:&[A-Z]+)+(?:-\d+)?",
    rf"{_PART}/{_PART}(?:/{_PART})?",
    r"[A-Z]+\$|(?i:c\+\+|[cf]\#)",
    # any other word, hyphens and underscores inside: 赤いソファーの上で, T-シャツ, 2-3人
    rf"{_C}+(?:[-_\xad\u2010\u2011]{_C}+)*",
    # marks, some in runs
    rf"\.\.\.|-{{5,}}|-{{1,4}}|''|[{''.join(_QUOTES)}]{{1,2}}|[!?]+|\*+|\\\*|_+|\#+|<+|>+|@+",
    _RAISED,
    _SYMBOL,
)
_RULES = [(re.compile(rule), rule in _VERBATIM) for rule in (*_VERBATIM, *_READ)]


def penn_words(text: str) -> tuple[str, ...]:
    """The words of a text, without the punctuation that the evaluation takes out."""
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return tuple(word for word in _words(text) if word not in DROPPED)


def _words(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        reached = [(m, verbatim) for rule, verbatim in _RULES if (m := rule.match(text, at))]
        if not reached:
            at += 1
            continue
        match, verbatim = max(reached, key=lambda one: one[0].end())
        for piece in [group for group in match.groups() if group] or [match[0]]:
            lower = piece.lower().replace(" ", "\xa0").replace("\xad", "")
            yield lower if verbatim else _spelled(lower)
        at = match.end()


def _spelled(piece: str) -> str:
    return _SPELLED.get(piece) or piece.replace("(", "-lrb-").replace(")", "-rrb-")
