"""Lines of a file take less memory where equal values in them are one object.

A million lines of a journal have few references, options and fields to slice by.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

_REMEMBERED = 4096
"""Values that are looked for among those to come; what is rare is soon forgotten."""

_Value = TypeVar("_Value", bound=Hashable)


class Shared:
    """Makes equal values of a file's lines one object."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self._mappings: dict[Hashable, Mapping[str, Any]] = {}

    def value(self, value: _Value) -> _Value:
        """An equal value that came before, or this one."""
        if len(self._values) >= _REMEMBERED:
            self._values.clear()
        known: _Value = self._values.setdefault(value, value)
        return known

    def mapping(self, mapping: Mapping[str, _Value]) -> Mapping[str, _Value]:
        """The same for a mapping; 1, 1.0 and True are not equal here."""
        if len(self._mappings) >= _REMEMBERED:
            self._mappings.clear()
        key = (*mapping.items(), *map(type, mapping.values()))
        return self._mappings.setdefault(key, mapping)
