"""Options of metrics: what values they may have, and how a command line writes them."""

from __future__ import annotations

import contextlib
import typing
from dataclasses import dataclass
from typing import Any, Literal

from vlmbench.errors import UsageError
from vlmbench.records import Scalar


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a numeric option may have: `tolerance: Annotated[float, Range(0, 1)]`."""

    low: float
    high: float


def option_value(default: Scalar, text: str) -> Scalar:
    """The text as a value like the default; as it is where it cannot be one."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, int | float):
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                return kind(text)
    return text


def checked_option(name: str, option: str, value: Scalar, hint: Any) -> Scalar:
    """The value of an option, converted to its type.

    Args:
        hint: The type of the parameter: a type, a Literal, or Annotated with a Range.

    Raises:
        UsageError: The option cannot have this value.
    """
    kind, *limits = typing.get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if typing.get_origin(kind) is Literal:
        expected = " or ".join(repr(choice) for choice in typing.get_args(kind))
        fits = value in typing.get_args(kind)
    else:
        expected = {float: "a number", int: "a whole number", bool: "true or false"}.get(
            kind, "a text"
        )
        fits = type(value) is kind
    for limit in limits:
        expected += f" from {limit.low:g} to {limit.high:g}"
        fits = fits and limit.low <= value <= limit.high
    if not fits:
        raise UsageError(f"Option '{option}' of {name} is {value!r}; give it {expected}.")
    return value
