"""What a command line says of a model, whatever runs it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.errors import UsageError
from vlmbench.models.endpoints import SERVER_OPTIONS
from vlmbench.models.hf_options import HFOptions
from vlmbench.schema import read_pair


def options_from_args(args: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by the names that `resolve_model` takes.

    Raises:
        UsageError: One of them cannot be read.
    """
    given = {name: args[name] for name in HFOptions.model_fields if args.get(name) is not None}
    if "generation" in given:
        pairs = given["generation"]
        given["generation"] = _read_pairs(pairs, "--generation", "repetition_penalty=1.1")
    given |= _read_pairs(args["model_option"], "--model-option", "max_side=1024")
    given |= {name: args[name] for name in SERVER_OPTIONS if args[name] is not None}
    if args["server_args"] is not None:
        try:
            given["server_args"] = shlex.split(args["server_args"])
        except ValueError as error:
            raise UsageError(
                f"--server-args cannot be split into arguments ({error}); correct the quotes."
            ) from error
    return given


def _read_pairs(pairs: Sequence[str], option: str, example: str) -> dict[str, Any]:
    return dict(read_pair(pair, option, example=example) for pair in pairs)
