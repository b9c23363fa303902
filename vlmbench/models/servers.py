"""Models that another program runs: openai:NAME, served:SERVER:MODEL and PLUGIN:LOCATION."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vlmbench.errors import UsageError
from vlmbench.models.checkpoints import (
    CONFIG_FILE,
    directory_digest,
    directory_name,
    file_digest,
    model_path,
    read_config,
)
from vlmbench.models.endpoints import (
    ServedOptions,
    api_options,
    known_servers,
    served_options,
)
from vlmbench.models.hub_kernels import kernels_named, refuse_kernels
from vlmbench.models.plugins import package_of, plugin_runners
from vlmbench.models.spec import ModelSpec
from vlmbench.records import stable_hash
from vlmbench.runs.directory import safe_name


def openai_model(name: str, given: Mapping[str, Any]) -> ModelSpec:
    """The model `openai:NAME`.

    Raises:
        UsageError: There is no name.
        ConfigError: An option is unknown or wrong; see `endpoints.ApiOptions`.
    """
    if not name:
        raise UsageError("A model is missing; write openai:NAME as the service calls it.")
    options = api_options(name, given)
    return ModelSpec(
        name=safe_name(name),
        runner="openai_api",
        location=name,
        fingerprint=stable_hash(["openai_api", name, options.identity()]),
        options=options.as_dict(),
    )


def served_model(
    text: str, dtype: str, device: str, given: Mapping[str, Any], *, locate: Callable[[str], str]
) -> ModelSpec:
    """The model `served:SERVER:MODEL`.

    Args:
        locate: Where an alias is; gives anything else back.

    Raises:
        UsageError: There is no such server or file, or the server takes no such option.
        ConfigError: An option is unknown or wrong.
    """
    server, _, model = text.partition(":")
    options = served_options(server, given)
    if not model or model.startswith("-"):
        raise UsageError(f"A model is missing in 'served:{text}'; write served:{server}:MODEL.")
    for name, value in (("dtype", dtype), ("device", device)):
        if value != "auto" and not known_servers()[server].takes(name):
            raise UsageError(
                f"The server '{server}' takes no --{name}; leave it out, or say it in the "
                "server's own words with --server-args."
            )
    location = locate(model)
    identity = _identified(location)
    _check_kernels(server, options, location)
    return ModelSpec(
        name=safe_name(f"{_served_name(model)}-{server}"),
        runner="served",
        location=location,
        fingerprint=stable_hash(["served", identity, dtype, options.identity()]),
        dtype=dtype,
        device=device,
        options=options.as_dict(),
    )


def _identified(location: str) -> Any:
    """What tells the content of a served model: a path's, or the name itself."""
    path = model_path(location)
    if path.is_dir():
        return directory_digest(path)
    if path.is_file():
        return file_digest(path)
    if location.startswith((".", "/", "~")):
        raise UsageError(f"There is no file or directory '{location}'; correct the path.")
    return location


def _check_kernels(server: str, options: ServedOptions, location: str) -> None:
    """See that a server of transformers would run no code of the Hub that nobody allowed."""
    folder = model_path(location)
    trusted = "--trust-remote-code" in options.server_args
    if server == "transformers" and not trusted and (folder / CONFIG_FILE).is_file():
        refuse_kernels(
            kernels_named(read_config(folder)),
            location,
            instead="take them out of that file; the server has the flag by --server-args",
        )


def _served_name(model: str) -> str:
    path = Path(model)
    return directory_name(path) if path.is_dir() else path.stem if path.is_file() else model


def plugin_model(runner: str, location: str, dtype: str, given: Mapping[str, Any]) -> ModelSpec:
    """The model `PLUGIN:LOCATION`; its runner judges location and options."""
    package = package_of(plugin_runners()[runner])
    return ModelSpec(
        name=safe_name(f"{runner}-{location}"),
        runner=runner,
        location=location,
        fingerprint=stable_hash([package, runner, location, dtype, dict(given)]),
        dtype=dtype,
        options=dict(given),
    )
