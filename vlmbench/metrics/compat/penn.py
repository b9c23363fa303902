"""Words as the Penn Treebank tokenizer of the COCO caption evaluation sees them.

The original is a Java program, Stanford CoreNLP 3.4.1's PTBTokenizer with -preserveLines and
-lowerCase, whose rules are those of the Penn Treebank: English contractions are taken apart,
brackets and quotation marks get names, and of the rules that fit at a place the longest wins, then
the first. Japanese is one long word between marks; what there is no rule for (『』, 「」, an emoji)
is gone.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

PENN_FORM = "penn2"
"""Version of `penn_words`."""

DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
"""Tokens that the evaluation takes out. It also means brackets, but looks for them in capitals,
after all has been made small."""


def penn_words(text: str) -> tuple[str, ...]:
    """The tokens of a text in small letters, without punctuation marks.

    Line breaks are white space, as the evaluation makes them before it calls the program.
    """
    found = (token.lower() for token in _tokens(text.replace("\n", " ") + "\n"))
    # A token may hold nothing but spaces of its own, which the evaluation splits at.
    return tuple(token for token in found if token and token not in DROPPED)


def _same(token: str) -> str:
    return token


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    """Its first group is the token; what follows it in the pattern must follow it in the text, and
    counts for the length of the match."""
    write: Callable[[str], str] = _same


_APOS = "(?:['\u0092’]|&apos;)"
_ANY_APOS = "(?:['\u0092’`\u0091‘‛]|&apos;)"
_HYPHEN = "[-_\u058a‐‑]"
_SPACE = "[ \t\u00a0\u2000-\u200a\u3000]"
_BLANK = "[ \t\u00a0\u2000-\u200a\u3000\r\n\u2028\u2029\x0b\x0c\x85]"
_INSIDE = "[,;:、]"
"""Marks inside a sentence."""
_NAME = r"[A-Za-z][A-Za-z0-9_:.\-]*"
_VALUE = "(?:'[^']*'|\"[^\"]*\")"
_TAG = (
    rf"<[!?][A-Za-z\-][^>\r\n]*>|<{_NAME}(?:[ ]+{_NAME}(?:[ ]*=[ ]*{_VALUE})?)*[ ]*/?[ ]*>"
    rf"|</{_NAME}[ ]*>"
)
_CLITIC = rf"{_APOS}(?:[msdMSD]|[rR][eE]|[vV][eE]|[lL][lL])"
_NEGATION = rf"[nN]{_ANY_APOS}[tT]"
_INITIALS = r"[A-Za-z](?:\.[A-Za-z])"
_STATES = "Canada|Sino|Korean|EU|Japan|non"
_ACRONYM = rf"(?:(?i:{_STATES})-U\.S|U\.S\.-(?:U\.K|U\.S\.S\.R)|{_INITIALS}*)"
_LONG_ACRONYM = rf"(?:(?i:{_STATES})-U\.S|{_INITIALS}+)"


def _listed(words: str) -> list[str]:
    return words.split()


_SENTENCE_FINAL = _listed(
    "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thurs Fri Ala Ariz Az "
    "Ark Calif Colo Conn Ct Dak Del Fla Ga Ill Ind Kan Kans Ky La Mass Md Mich Minn Miss Mo Mont "
    "Neb Nev Okla Ore Pa Penn Tenn Tex Va Vt Wash Wis Wisc Wyo Inc Co Cos Corp Pty Ptys Ptye Pte "
    "Ptes Ltd Plc Rt Bancorp Bhd Assn Univ Intl Sys tel est ext sq Jr Sr Bros Ed.D Ph.D Blvd Rd "
    "Esq etc al seq Bldg"
)
"""Abbreviations that may end a sentence; their full stop stays with them."""
_TITLES = _listed(
    "Mr Mrs Ms Miss Dr Drs Prof Profs Sen Sens Rep Reps Atty Attys Lt Col Gen Messrs Gov Govs Adm "
    "Rev Maj Sgt Cpl Pvt Capt St Ste Ave Pres Lieut Hon Brig Cmdr Comdr Pfc Spc Supt Supts Det Mt "
    "Ft Adj Adv Asst Assoc Ens Insp Mlle Mme Msgr Sfc vs Alex Wm Jos Cie a.k.a cf TREAS Ph Invt "
    "Elec Natl Mfg Mtg Dept"
)
_BEFORE_NUMBERS = _listed("ca fig figs prop no nos art bldg pp op")
_STARTERS = _listed(
    "About According Additionally After An A As At But Earlier He Her Here However If In It Last "
    "Many More Mr. Ms. Now Once One Other Our She Since So Some Such That The Their Then There "
    "These They This We When While What Yet You"
)
"""Words that begin a sentence, so that a full stop before them ends one."""
_FILES = _listed(
    "bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php "
    "pl png ppt ps py sql tar txt wav x xml zip"
)

_CASED = {"Az", "Ark", "Del", "Ill", "La", "Mass", "Miss", "Ore", "Pa", "Tex", "Wash"}
"""Abbreviations that are words when written small."""


def _any_of(words: list[str]) -> str:
    """One of the words, the longest that fits; their first letters may be small or not."""
    ordered = sorted(words, key=len, reverse=True)
    return "|".join(
        re.escape(one) if one in _CASED else f"(?i:{re.escape(one)})" for one in ordered
    )


_URL_END = r"[^ \t\n\f\r\"<>|.!?(){},\-]"
_HOST = r"[^ \t\n\f\r\"`'<>|!?(){},-_$]"
"""Inside a host: , to _ is a range, so that capitals and digits are none of it."""

_MAIL = r"[^ \t\n\f\r\u00a0\"<>|(){}.]"

_WRITTEN: Mapping[str, str] = {
    "(": "-LRB-", ")": "-RRB-", "{": "-LCB-", "}": "-RCB-", "[": "-LSB-", "]": "-RSB-",
    "¢": "cents", "£": "#", "¤": "$", "₠": "$", "€": "$", "\u0080": "$",
    "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3",
}  # fmt: skip
"""How one character is written as a token."""


def _written(token: str) -> str:
    return _WRITTEN.get(token, token)


def _without_parentheses(token: str) -> str:
    token = token.replace("(", "-LRB-").replace(")", "-RRB-")
    return token.replace(" ", "\u00a0")


def _unhyphenated(token: str) -> str:
    """Without soft hyphens, which mark where a line may break."""
    return token.replace("\u00ad", "") or "-"


def _with_ampersand(token: str) -> str:
    return token.replace("&amp;", "&")


def _quoted(token: str) -> str:
    """A quotation mark as LaTeX has it, by what it opens or closes."""
    token = re.sub("&apos;", "'", token)
    for marks, written in (
        ("\u0091‘‛‹", "`"), ("\u0092’›", "'"), ("\u0093“«", "``"), ("\u0094”»", "''"),
    ):  # fmt: skip
        token = re.sub(f"[{marks}]", written, token)
    return re.sub('&quot;|"', "''", token)


_YOUNGER = ((0x312E, 0x312F), (0x31BB, 0x31BF), (0x4DB6, 0x4DBF), (0x9FCD, 0x9FFF))
"""Letters of East Asia that came after Unicode 6.2, which the program knows."""


def _class_of(*prefixes: str) -> str:
    """The characters of Unicode categories as the inside of a character class, of the first plane.

    The program sees a character beyond it as two halves, for which it has no rule.
    """
    ranges: list[list[int]] = []
    for code in range(0x80, 0x10000):
        if any(first <= code <= last for first, last in _YOUNGER):
            continue
        if not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)).startswith(prefixes):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)


_ALSO_LETTERS = "\\u00ad\\u02c2-\\u02c5\\u02d2-\\u02df\\u02e5-\\u02ff\\u0300-\\u036f\\u0483-\\u0487"
_MARKS = "+%&~^|\\\\¦§¨©¬®¯°±²³´µ¶·¸¹º×÷·‖‗†-‣‰-‸※‾-⁂⁄⁺-⁾₊-₎℀-⅏←-⇿∀-⯿〒・！-／：-＠［-｀｛-･"
"""Signs that are a token each."""
_MONEY = "¢£¤¥\u0080₠€؋฿₤￠￡￥￦"


@dataclass(frozen=True, slots=True)
class _Lexer:
    rules: tuple[_Rule, ...]
    plain: re.Pattern[str]
    """A word that no longer rule can match, by what follows it; or a Japanese mark."""
    space: re.Pattern[str]
    link: re.Pattern[str]
    """What may be part of a URL, which takes nearly everything before it along."""


_TAKEN_APART = frozenset(_listed("cannot gonna gotta lemme gimme wanna"))


def _tokens(text: str) -> Iterator[str]:
    lexer = _lexer()
    at, has_link = 0, lexer.link.search(text) is not None
    while at < len(text):
        blank = lexer.space.match(text, at)
        if blank and not has_link:
            at = blank.end()
            continue
        word = None if has_link else lexer.plain.match(text, at)
        if word and word[0].lower() not in _TAKEN_APART:
            yield word[0]
            at = word.end()
            continue
        best: re.Match[str] | None = None
        write: Callable[[str], str] = _same
        for rule in lexer.rules:
            match = rule.pattern.match(text, at)
            if match is not None and (best is None or match.end() > best.end()):
                best, write = match, rule.write
        if blank and (best is None or blank.end() >= best.end()):
            at = blank.end()
            continue
        if best is None or not best[1]:
            at += 1  # there is no rule for it
            continue
        yield write(best[1])
        at += len(best[1])


@functools.cache
def _lexer() -> _Lexer:
    other = _class_of("L")
    pure = f"[A-Za-z{other}]"
    letter = f"[A-Za-z{other}{_ALSO_LETTERS}]"
    word_end = f"(?:{letter}|\\d)*"
    word = f"{letter}{word_end}(?:[.!?]{letter}{word_end})*"
    both = f"(?:{pure}|\\d)"
    elided = f"(?:[dDoOlL]{_ANY_APOS}{both})?"
    thing = f"{elided}{both}+(?:{_HYPHEN}{elided}{both}+)*"
    hyphened = rf"[A-Za-z0-9][A-Za-z0-9.,\u00ad]*(?:-(?:{_LONG_ACRONYM}\.|[A-Za-z0-9\u00ad]+))+"
    initials = r"[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+"
    short = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
    slashed = rf"{short}(?:\\?/{short}){{1,2}}"
    number = r"[-+]?(?:\d*(?:[.:,\u00ad٫٬]\d+)+|\d+)"
    dash = r"[- \u00a0]"
    phone = (
        rf"(?:\([0-9]{{2,3}}\)[ \u00a0]?|(?:\+\+?)?(?:[0-9]{{2,4}}{dash})?[0-9]{{2,4}}{dash})"
        rf"[0-9]{{3,4}}{dash}?[0-9]{{3,5}}"
        r"|(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}"
    )
    path = rf"(?:/[^ \t\n\f\r\"<>|()]+{_URL_END})?"
    starters = "|".join(map(re.escape, _STARTERS))
    sentence_final, titles = _any_of(_SENTENCE_FINAL), _any_of(_TITLES)

    def rule(token: str, then: str = "", write: Callable[[str], str] = _same) -> _Rule:
        return _Rule(re.compile(f"({token}){then}"), write)

    rules = (
        rule(r"[cC]\+\+"),
        rule("[cCfF]#"),
        rule("(?i:can)", "(?i:not)"),
        rule("'[tT]", "(?i:was)"),
        rule("'[tT]", "(?i:is)"),
        rule("(?i:gon|wan)", "(?i:na)"),
        rule("(?i:got)", "(?i:ta)"),
        rule("(?i:lem|gim)", "(?i:me)"),
        rule(_TAG, write=lambda token: token.replace(" ", "\u00a0")),
        rule("&(?:MD|mdash|ndash);|[\u0096\u0097–—―]", write=lambda token: "--"),
        rule("&amp;", write=lambda token: "&"),
        rule("&(?:HT|TL|UR|LR|QC|QL|QR|odq|cdq|#[0-9]+);"),
        rule(word, _CLITIC, _unhyphenated),
        rule(r"[A-Za-z\u00ad]*[A-MO-Za-mo-z]\u00ad*", _NEGATION, _unhyphenated),
        rule(word, write=_unhyphenated),
        rule(rf"{_APOS}[nN]{_APOS}?"),
        rule(f"[lLdDjJ]{_APOS}"),
        rule(f"(?i:dunkin|somethin|ol){_APOS}"),
        rule(f"{_APOS}(?i:em|till?|cause)"),
        rule(f"[A-HJ-XZn]{_ANY_APOS}{pure}{{2,}}"),
        rule(f"{_APOS}[2-9]0[sS]"),
        rule(f"{pure}+[aeiouyAEIOUY]{_ANY_APOS}[aeiouA-Z]{pure}*"),
        rule(r"(?i:cont'd\.?|'twas|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)"),
        rule(f"[oO]{_ANY_APOS}[oO]"),
        rule(f"[yY]{_APOS}", pure),
        rule(rf"(?i:https?)://[^ \t\n\f\r\"<>|(){{}}]+{_URL_END}"),
        rule(rf"(?i:www)\.(?:[^ \t\n\f\r\"<>|.!?(){{}},]+\.)+[a-zA-Z]{{2,4}}{path}"),
        rule(rf"(?:{_HOST}+\.)+(?i:com|net|org|edu){path}"),
        rule(
            rf"(?:&lt;|<)?[a-zA-Z0-9](?:{_MAIL}|\.)*@(?:{_MAIL}+\.)*{_MAIL}+"
            r"(?:&gt;|>)?"
        ),
        rule("@[a-zA-Z_][a-zA-Z_0-9]*"),
        rule(f"#{letter}+"),
        rule(_CLITIC, "[^A-Za-z]", _quoted),
        rule(_NEGATION, "[^A-Za-z]", _quoted),
        rule(r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}"),
        rule(number, write=_unhyphenated),
        rule("[⁺⁻₊₋]?(?:[⁰¹²³⁴-⁹]+|[₀-₉]+)"),
        rule(
            r"(?:\d{1,4}[- \u00a0])?\d{1,4}(?:\\?/|⁄)\d{1,4}",
            write=lambda token: token.replace(" ", "\u00a0"),
        ),
        rule("[¼½¾⅓-⅞]", write=_written),
        rule(r"-(?:RRB|LRB|RCB|LCB|RSB|LSB)-|[cC]\.[dD]\.[sS]|(?i:pro|anti)-"),
        rule("[sS](?:&|&amp;)[pP]-500|[sS](?:&|&amp;)[lL][sS]", write=_with_ampersand),
        rule(rf"(?i:cap{_APOS}n|c{_APOS}est)"),
        rule(slashed),
        rule(r"[A-Z]*\$|#"),
        rule(f"[{_MONEY}]", write=_written),
        # One letter before a sentence is no initial.
        rule("[A-Za-z]", rf"\.{_BLANK}+(?:{starters}){_BLANK}"),
        rule(rf"{_ACRONYM}\.", rf"{_BLANK}+(?:{starters}){_BLANK}"),
        rule(rf"(?i:{'|'.join(_BEFORE_NUMBERS)})\.", rf"{_BLANK}?\d"),
        rule(r"(?i:pt[ey]|co)\.", f"{_SPACE}(?i:ltd|lim)"),
        rule(rf"(?:{sentence_final})\.", "(?s:..)"),
        rule(rf"(?:{sentence_final})\."),
        rule(rf"(?:{titles}|{_ACRONYM})\."),
        rule(f"(?:{titles}|{_ACRONYM})", _BLANK),
        rule(f"{_APOS}[0-9][0-9]", _BLANK),
        rule(
            rf"(?:{letter}|\d)+(?:\.(?:{letter}|\d)+)*\.(?i:{'|'.join(_FILES)})",
            rf"(?:{_BLANK}|[.?!,])",
        ),
        rule(rf"{word}\.", _INSIDE, _unhyphenated),
        rule(phone, write=_without_parentheses),
        rule('"|&quot;', write=_quoted),
        rule("<|&lt;", write=lambda token: "<"),
        rule(">|&gt;", write=lambda token: ">"),
        rule(r"[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]", "[^A-Za-z0-9]", _without_parentheses),
        rule(r"[-^x=~<>']_[-^x=~<>']|\([-^x=~<>'][_.]?[-^x=~<>']\)", write=_without_parentheses),
        rule(r"[\[\](){}]", write=_written),
        rule("-+", write=lambda token: "--" if len(token) in (3, 4) else token),
        rule(r"\.{3,5}|(?:\.[ \u00a0]){2,4}\.|[\x85…]", write=lambda token: "..."),
        rule("@+"),
        rule("#+"),
        rule("_+"),
        rule(r"\*+|(?:\\\*){1,3}"),
        rule(_INSIDE),
        rule("[?!]+"),
        rule("[.¡¿;։؟۔。=/]"),
        rule(rf"{hyphened}\.", _INSIDE, _unhyphenated),
        rule(hyphened, write=_unhyphenated),
        rule(rf"{thing}\.", _INSIDE),
        rule(thing),
        rule(initials, write=_with_ampersand),
        rule("'", "[A-Za-z][^ \t\r\n\u00a0]", _quoted),
        rule(_CLITIC, write=_quoted),
        rule(_NEGATION, write=_quoted),
        rule("''|[`‘’‚‛“”\u0091-\u0094„‟‹›«»]{1,2}|'|&apos;", write=_quoted),
        rule("<<|>>"),
        rule(f"[{_MARKS}]"),
    )
    script = f"[{other}]"
    alone = r"(?=[ \u3000「」『』（）、。【】〈〉・…！？]|\Z)"
    plain = rf"(?:[A-Za-z0-9]*{script}[A-Za-z0-9{other}]*|[A-Za-z]+){alone}|[、。]"
    return _Lexer(
        rules,
        re.compile(plain),
        re.compile(f"(?:{_BLANK}|\0|[\u200b\u200e\u200f\ufeff]|&nbsp;)+"),
        re.compile(r"(?i)\.(?:com|net|org|edu)|www\.|://|@"),
    )
