"""Help and errors in the user's language: a gettext catalog, where LANG names one that there is.

What has no translation stays English. Messages that hold names and numbers are put together before
they get here, so the catalog has them as templates: `There is no run in {path}; ...`.
"""

from __future__ import annotations

import gettext
import re
from functools import cache
from pathlib import Path

from vlmbench.cli.error_templates import ERRORS, WORDS

DOMAIN = "vlmbench"
CATALOGS = Path(__file__).resolve().parents[1] / "locale"

NESTED = ("message", "what", "step", "reason", "advice")
"""Fields of templates whose value may be a message of its own."""


def use_catalogs() -> None:
    """Let argparse's words and ours come from the catalog of the user's language."""
    gettext.bindtextdomain(DOMAIN, str(CATALOGS))
    gettext.textdomain(DOMAIN)


def language() -> str:
    """ "ja" where the user's language is Japanese, else "en"."""
    found = gettext.find(DOMAIN, str(CATALOGS))
    return "en" if found is None else Path(found).parents[1].name


def text(message: str) -> str:
    """A fixed text in the user's language, if there is a translation."""
    return gettext.dgettext(DOMAIN, message) if message else message


def error_text(message: str) -> str:
    """An error in the user's language, line by line."""
    return "\n".join(_line(line) for line in message.split("\n"))


def _line(message: str) -> str:
    indent = message[: len(message) - len(message.lstrip())]
    for template in sorted(ERRORS, key=_own_words, reverse=True):
        translated = text(template)
        if translated != template and (found := _pattern(template).fullmatch(message.strip())):
            values = {name: _value(name, value) for name, value in found.groupdict().items()}
            return indent + translated.format(**values)
    return message


def _own_words(template: str) -> int:
    return len(re.sub(r"\{\w+\}", "", template))


def _value(name: str, value: str) -> str:
    """What stands in a message: most are names, which stay as they are."""
    if name == "near":
        return value.replace(" or ", text(" or "))
    if name == "kind":
        return text(value) if value in WORDS else f" {value} "
    return _line(value) if name in NESTED else value


@cache
def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", template)
    names = {
        name: rf"(?P<{name}>{'[0-9,]+' if name == 'count' else '.+?'})" for name in pieces[1::2]
    }
    parts = [names[one] if n % 2 else re.escape(one) for n, one in enumerate(pieces)]
    return re.compile("".join(parts), re.DOTALL)
