"""What a journal is about, and whether a run may go on with it.

The header stands in a journal's first line; a difference is named as precisely as headers tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.errors import JournalError
from vlmbench.records import SCHEMA_VERSION, TrainingOverlap
from vlmbench.runs.directory import canonical_json
from vlmbench.runs.seal import unsealed

_HEADER_FIELDS = ("model", "task", "origin", "fingerprints", "schema_version")
"""What every journal's header has."""

FINGERPRINTS = ("model", "data", "fields", "variant", "prompt")
"""What decides which answers are given; a journal is continued only if all of them are equal.
`task` and `code` stand in a header, too: metrics, and a new vlmbench, score the same answers."""

_MOST_SHOWN, _LONGEST_SHOWN = 3, 60
"""How many differing values an error names, and how many characters of each it shows."""

_DECIDING = {
    "model": ("runner", "revision", "dtype", "options"),
    "data": ("data",),
    "fields": ("fields", "cluster"),
    "prompt": ("prompt", "system", "generation", "image_order"),
    "variant": (),
}
"""The keys of the specs that a fingerprint is made of."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a journal is about."""

    model: Mapping[str, Any]
    """`ModelSpec.as_dict`."""
    task: Mapping[str, Any]
    """`TaskSpec.as_dict`."""
    origin: str | None
    """The task's YAML file, for a task that does not ship with vlmbench."""
    fingerprints: Mapping[str, str]
    """By the names in FINGERPRINTS (`variant` only where there is one), `task` and `code`."""
    variant: Mapping[str, Any] | None = None
    """`Variant.as_dict`, for a run that asks otherwise than the task does."""
    overlap: TrainingOverlap | None = None
    """What the model's training had of the task; None for one that vlmbench did not train."""
    schema_version: int = SCHEMA_VERSION


def parse_header(path: Path, line: bytes) -> Header | None:
    """The header of a line; None where it is damaged or none.

    Raises:
        JournalError: It is of another schema version.
    """
    try:
        values = unsealed(line)
        version = values["schema_version"]
        known = {name: values[name] for name in _HEADER_FIELDS}
        overlap = parse_overlap(values.get("overlap"))  # older journals have none of these
        header = Header(**known, variant=values.get("variant"), overlap=overlap)
        check_types(header)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"{path} has schema version {version} where this vlmbench reads {SCHEMA_VERSION}; "
            "choose another directory with --out, or start over with --fresh."
        )
    return header


def check_types(header: Header) -> None:
    """Raises TypeError for what is no header, which others may write."""
    specs = (header.model, header.task, header.fingerprints, header.variant or {})
    if not all(isinstance(one, Mapping) for one in specs):
        raise TypeError("a specification is no object")
    names = (header.model.get("name", ""), header.task.get("name", ""), header.origin or "")
    if not all(isinstance(one, str) for one in names):
        raise TypeError("a name is no text")


def parse_overlap(values: Mapping[str, Any] | None) -> TrainingOverlap | None:
    """What the model's training had of the task, out of a line."""
    return TrainingOverlap(**{**values, "seen": tuple(values["seen"])}) if values else None


_ANOTHER = {name: f"another {name}" for name in FINGERPRINTS} | {
    "data": "other data",
    "fields": "other fields of the task",
}


_WAY_OUT = {"model": "give this one a name of its own with --name"}
"""What to do where a fingerprint differs, other than to choose another directory."""


def check_same(path: Path, there: Header, now: Header) -> None:
    """See that a journal may go on.

    Raises:
        JournalError: A fingerprint differs; the sentence names the values.
    """
    for name in FINGERPRINTS:
        if there.fingerprints.get(name) != now.fingerprints.get(name):
            raise JournalError(
                f"{path} holds answers for {_ANOTHER[name]} ({_difference(name, there, now)}); "
                f"{_WAY_OUT.get(name, 'choose another directory with --out')}, or drop them with "
                "--fresh."
            )


def _difference(name: str, there: Header, now: Header) -> str:
    """Which values they are that differ, as precisely as the headers tell."""
    old_side, new_side = (there.model, now.model) if name == "model" else (there.task, now.task)
    found = [
        f"{key}: {_shown(old, new)} there, {_shown(new, old)} now"
        for key, old, new in differing(old_side, new_side, "")
        if key.partition(".")[0] in _DECIDING[name]
    ]
    if not found:
        # Of data that has the same name, its commit and rows say more.
        named = ("commit", "rows", name) if name == "data" else (name,)
        for one in named:
            old, new = there.fingerprints.get(one), now.fingerprints.get(one)
            if one != name and old is not None and new is not None and old != new:
                return f"{one} {_shown(old, new)} there, {_shown(new, old)} now"
        return f"fingerprint {_shown(old, new)} there, {_shown(new, old)} now"
    more = len(found) - _MOST_SHOWN
    return "; ".join(found[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def differing(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Each value that differs, as (path of keys below `key`, old, new)."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{key}.{name}" if key else str(name)
            yield from differing(old.get(name), new.get(name), inner)
    elif canonical_json(old) != canonical_json(new):
        yield key, old, new


def _shown(value: Any, other: Any) -> str:
    """A value as JSON; of a long one the part where it begins to differ from the other."""
    text, second = (json.dumps(one, ensure_ascii=False) for one in (value, other))
    if len(text) <= _LONGEST_SHOWN:
        return text
    pairs = zip(text, second, strict=False)
    common = next((n for n, (one, other) in enumerate(pairs) if one != other), len(text))
    start = max(0, min(common - _LONGEST_SHOWN // 3, len(text) - _LONGEST_SHOWN))
    part = text[start : start + _LONGEST_SHOWN]
    before, after = ("..." if start else ""), ("..." if start + len(part) < len(text) else "")
    return f"{before}{part}{after}"
