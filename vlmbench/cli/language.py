"""Help and errors in the user's language: a gettext catalog, where LANG names one that there is.

What has no translation stays English. Messages that hold names and numbers are put together before
they get here, so the catalog has them as templates: `There is no run in {path}; ...`.
"""

from __future__ import annotations

import gettext
import re
from functools import cache
from pathlib import Path

DOMAIN = "vlmbench"
CATALOGS = Path(__file__).resolve().parents[1] / "locale"

ERRORS = (
    "There is no directory {path}; give the output directory of 'vlmbench run'.",
    "There is no directory '{path}'; give the path of a checkpoint directory.",
    "There is no run in {path}; make one with 'vlmbench run --out {out} ...'.",
    "There is no task file {path}; check the path.",
    "There is no file {path}; check the path.",
    "There is no file or folder {path}; check the path.",
    "Unknown {kind} '{name}'. Did you mean {near}? {step}",
    "Unknown {kind} '{name}'. {step}",
    "Unknown key '{key}' in {place}; did you mean {near}?",
    "Unknown key '{key}' in {place}; the keys here are {known}.",
    "The key '{key}' is missing in {place}; add it.",
    "The value of '{key}' in {place} is wrong: {reason}.",
    "{count} things to correct in {place}:",
    "{path} is not valid YAML at line {line} ({reason}); correct it.",
    "There is no column '{column}' in {place}; did you mean {near}?",
    "The id '{id}' stands twice in {place}, the second time in row {row}; make ids unique.",
    "There are no rows in {place}; check the data of task '{task}'.",
    "There is no reference answer in {place}; add one or leave the row out.",
    "The Hugging Face Hub can't be reached, so {what} cannot be loaded; {step}.",
    "{path} holds answers for another model ({difference}); give this one a name of its own with "
    "--name, or drop them with --fresh.",
    "{path} holds answers for {what} ({difference}); choose another directory with --out, or drop "
    "them with --fresh.",
    "{model} has no answer to {missing} of {total} samples of {task}, so its scores are incomplete "
    "(first reason: {reason}); correct that and run the same command, which retries only those.",
    "Another run is writing {path}; wait for it, or choose another directory with --out.",
    "The dictionary {name} is not installed; run pip install {what}.",
    "there is no command {name} (did you mean {near}?); see '{command} --help'.",
    "there is no command {name}; see '{command} --help'.",
    "there is no option {name} (did you mean {near}?); see '{command} --help'.",
    "there is no option {name}; see '{command} --help'.",
    "the following arguments are required: {names}; see '{command} --help'.",
    "Stopped; the same command continues from here.",
)
"""Templates of the errors that are met most, as the catalog has them."""


def use_catalogs() -> None:
    """Let argparse's words and ours come from the catalog of the user's language."""
    gettext.bindtextdomain(DOMAIN, str(CATALOGS))
    gettext.textdomain(DOMAIN)


def text(message: str) -> str:
    """A fixed text in the user's language, if there is a translation."""
    return gettext.dgettext(DOMAIN, message) if message else message


def error_text(message: str) -> str:
    """An error in the user's language, line by line."""
    return "\n".join(_line(line) for line in message.split("\n"))


def _line(message: str) -> str:
    indent = message[: len(message) - len(message.lstrip())]
    for template in ERRORS:
        translated = text(template)
        if translated != template and (found := _pattern(template).fullmatch(message.strip())):
            values = {**found.groupdict()}
            if "near" in values:
                values["near"] = values["near"].replace(" or ", text(" or "))
            return indent + translated.format(**values)
    return message


@cache
def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", template)
    names = {pieces[n]: f"(?P<{pieces[n]}>.+?)" for n in range(1, len(pieces), 2)}
    parts = [names[one] if n % 2 else re.escape(one) for n, one in enumerate(pieces)]
    return re.compile("".join(parts), re.DOTALL)
