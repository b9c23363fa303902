"""Starts a server by a row of servers.yaml, asks it like any other, and ends it."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path

from vlmbench.errors import DependencyError
from vlmbench.models.checkpoints import model_path
from vlmbench.models.endpoints import ApiOptions, ServedOptions, ServerEntry, known_servers
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar
from vlmbench.runners.api.left_out import special_tokens
from vlmbench.runners.api.replies import Endpoint
from vlmbench.runners.api.runner import OpenAIRunner
from vlmbench.runners.api.server_process import HOST, ServerProcess, find_executable, free_port
from vlmbench.schema import parse

HEALTH_SECONDS = 5.0


class ServedRunner:
    """See the module."""

    def __init__(self) -> None:
        self._server: ServerProcess | None = None
        self._name = ""
        self._api = OpenAIRunner()

    def prepare(self, spec: ModelSpec) -> None:
        """Start the server and wait until it is ready.

        Raises:
            DependencyError: It is not installed.
            ModelError: It has ended, or was not ready in time.
        """
        options = parse(ServedOptions, dict(spec.options), location=f"the options of '{spec.name}'")
        entry = known_servers()[options.server]
        model = name_for_server(spec.location)
        port = free_port()
        command = server_command(entry, spec, options, model, port)
        self._name = options.server
        self._server = ServerProcess(options.server, command, server_env(entry, model, port))
        address = f"http://{HOST}:{port}"
        try:
            self._server.wait_until(
                lambda: _says_ok(f"{address}{entry.health}"),
                seconds=options.start_seconds or entry.start_seconds,
                what=f"the server '{options.server}' is loading {spec.location}",
            )
        except BaseException:
            self._server.stop(keep_log=True)
            self._server = None
            raise
        served = {"server", "server_args", "start_seconds"}
        calls = {key: value for key, value in spec.options.items() if key not in served}
        url = f"{address}/v1"
        self._api.connect(
            Endpoint(url, model, "OPENAI_API_KEY"),
            parse(ApiOptions, {**calls, "base_url": url}, location=spec.name),
            check=self._server.check,
            left_out=special_tokens(model),
        )

    def check(self, spec: ModelSpec) -> None:
        """See `CheckingRunner.check`; what the server itself makes of the model is not known."""
        options = parse(ServedOptions, dict(spec.options), location=f"the options of '{spec.name}'")
        entry = known_servers()[options.server]
        server_command(entry, spec, options, name_for_server(spec.location), 0)

    def describe(self) -> Mapping[str, Scalar]:
        """Which server it is."""
        return {"server": self._name}

    def close(self) -> None:
        """End the server."""
        self._api.close()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """See `Runner.generate`."""
        return self._api.generate(requests)

    def stream(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        """See `StreamingRunner.stream`."""
        return self._api.stream(requests)


def name_for_server(location: str) -> str:
    """What the server is told to load, and calls it by: a path where there is one, or a name."""
    path = model_path(location)
    return str(path.resolve()) if path.exists() else location


def server_command(
    entry: ServerEntry, spec: ModelSpec, options: ServedOptions, model: str, port: int
) -> list[str]:
    """Executable and arguments.

    Raises:
        DependencyError: The executable is not there.
    """
    executable = find_executable(entry.command[0])
    if executable is None:
        raise DependencyError(
            f"There is no '{entry.command[0]}' on PATH, which 'served:{options.server}' starts; "
            f"{entry.install}."
        )
    filled = {"model": model, "host": HOST, "port": str(port)}
    filled |= {"dtype": spec.dtype, "device": spec.device}
    variant = entry.for_path if Path(model).is_absolute() else entry.for_name
    return [
        executable,
        *(fill(part, filled) for part in (*entry.command[1:], *variant)),
        *options.server_args,
    ]


def server_env(entry: ServerEntry, model: str, port: int) -> dict[str, str]:
    """The server's environment: ours without the key of the service, and what the row says."""
    filled = {"model": model, "host": HOST, "port": str(port)}
    row = {**entry.env, **(entry.env_for_path if Path(model).is_absolute() else {})}
    ours = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    return ours | {name: fill(value, filled) for name, value in row.items()}


def fill(part: str, values: Mapping[str, str]) -> str:
    """The text with each {name} replaced; what replaces it is not looked into for more."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), part)


def _says_ok(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=HEALTH_SECONDS, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
