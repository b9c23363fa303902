"""What a command line says of a model, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmbench.models import endpoints, hf_options


def options_from_args(said: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by the names that `resolve_model` takes.

    Args:
        said: The values of the command line's arguments.

    Raises:
        UsageError: One of them cannot be read.
    """
    return {**hf_options.options_from_args(said), **endpoints.options_from_args(said)}
