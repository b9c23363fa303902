"""Every error a user can meet, in one tree.

    VlmbenchError            exit code 2
    ├── UsageError           an unknown name or an impossible option
    ├── ConfigError          a YAML or JSON file that does not say what it should
    ├── DataError            a data set, row, column or image that cannot be used
    ├── ModelError           a model that cannot be found, loaded or called
    ├── JournalError         a run directory that cannot be read, written or continued
    ├── CacheError           the cache of answers cannot be read or written
    ├── DependencyError      an optional package that is not installed
    └── IncompleteError      exit code 3: the run is there, samples are missing

Each message is one sentence for a person: what failed, where, and what to do next.
Anything else that escapes is a bug of ours and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VlmbenchError(Exception):
    """Base of all errors that are shown as one sentence instead of a traceback."""

    exit_code = 2

    def __str__(self) -> str:
        """One line, or a list: a head that ends in a colon, and indented lines. Other line breaks
        come from names and values of strangers, and are written out."""
        message = super().__str__()
        head, *lines = message.split("\n")
        if head.endswith(":") and all(line.startswith("  ") for line in lines):
            return message
        return "\\n".join([head, *lines])


class UsageError(VlmbenchError):
    """An unknown name or an option value that cannot work."""


class ConfigError(VlmbenchError):
    """A task, model or training file that does not follow its schema."""


class DataError(VlmbenchError):
    """A data set, row, column or image that cannot be used."""


class ModelError(VlmbenchError):
    """A model that cannot be found, loaded or called."""


class JournalError(VlmbenchError):
    """A run directory that cannot be read, written or continued."""


class CacheError(VlmbenchError):
    """The cache of answers cannot be read or written."""


class DependencyError(VlmbenchError):
    """An optional package that the chosen feature needs is not installed."""


class IncompleteError(VlmbenchError):
    """A run that exists but lacks samples, so that no verdict can be given."""

    exit_code = 3


def near_names(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The known names that `name` may be a misspelling of, best first."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.6)
    return [by_folded[match] for match in matches]


def unknown_name(kind: str, name: str, known: Iterable[str], *, next_step: str) -> str:
    """The sentence for a name that is not among the known ones.

    Args:
        kind: What the name stands for, such as "task".
        next_step: What to do when no suggestion fits, such as "see 'vlmbench tasks list'".
    """
    near = near_names(name, known)
    suggestion = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return f"Unknown {kind} '{name}'.{suggestion} {next_step[0].upper()}{next_step[1:]}."
