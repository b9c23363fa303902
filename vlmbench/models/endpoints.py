"""How servers with an OpenAI-compatible interface are called: the options, checked at the door.

    openai:NAME             a service, or a server that is running already
    served:SERVER:MODEL     a server that vlmbench starts by a row of servers.yaml

Keys are no options: they are read from the environment when the first request is sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from vlmbench.errors import UsageError, unknown_name
from vlmbench.schema import Strict, parse, read_yaml

OFFICIAL_URL = "https://api.openai.com/v1"

_NOT_IDENTITY = {
    "base_url",
    "api_key_env",
    "stream",
    "token_field",
    "concurrency",
    "timeout",
    "retries",
    "patience",
    "max_reply_mib",
    "start_seconds",
    "price",
}
"""Options that do not change what is answered, such as where the server stands."""

Omittable: TypeAlias = Literal["temperature", "top_p", "seed", "stop"]
OMITTABLE: tuple[Omittable, ...] = get_args(Omittable)
"""Fields of a request that can be left out."""

_SECRET_ARGUMENT = re.compile(r"--?([a-z-]+[-_])?(api[-_]?key|token|password|secret)$", re.I)


class Price(Strict):
    """What tokens cost, in US dollars a million."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class CallOptions(Strict):
    """How requests are made of whichever server."""

    max_side: int | None = Field(None, ge=1)
    """Images are made smaller until no side is longer."""
    max_pixels: int | None = Field(None, ge=1)
    """Images are made smaller until they have no more pixels."""
    system: str | None = Field(None, min_length=1)
    """Stands before a task's own system prompt."""
    stream: bool = False
    """Ask for the answer in pieces, which tells the time to the first token."""
    token_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls the limit of new tokens; the other name is tried where it says so."""
    omit: tuple[Omittable, ...] = ()
    """Fields of the request that the server refuses."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request, such as {reasoning_effort: low}."""
    concurrency: int = Field(64, ge=1, le=4096)
    """Most requests at a time; how many there are below that is found out."""
    timeout: float = Field(300.0, gt=0)
    """Seconds that one attempt may take."""
    retries: int = Field(8, ge=0)
    """Attempts after the first."""
    patience: float = Field(900.0, gt=0)
    """Seconds after which a request is not tried again. A server that asks to wait longer ends the
    run."""
    max_reply_mib: int = Field(16, ge=1, le=1024)
    """Most MiB of a reply, decompressed; a stream of events may have eight times that in all."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `ModelSpec.options`."""
        return self.model_dump(mode="json", exclude_none=True)

    def identity(self) -> dict[str, Any]:
        """The options that change what is answered."""
        return self.model_dump(mode="json", exclude_none=True, exclude=_NOT_IDENTITY)


class ApiOptions(CallOptions):
    """How a server or service that is there already is called."""

    base_url: str
    """Such as http://127.0.0.1:8000/v1; requests go to `/chat/completions` below it."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    price: Price | None = None

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            known = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
        except ValueError:
            known = False
        if not known:
            raise ValueError("it is no address such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "it holds more than scheme, host, port and path; keys belong in the "
                "environment (--api-key-env)"
            )
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _variable_name(cls, value: str) -> str:
        # The value is not repeated: it may be the key itself.
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
            raise ValueError(
                "it is no name of an environment variable (capital letters, digits and _); put "
                "the key into a variable and give that one's name"
            )
        return value


class ServedOptions(CallOptions):
    """How a server is started, and then called."""

    server: str
    """A row of servers.yaml."""
    server_args: tuple[str, ...] = ()
    """Further arguments of the server's command."""
    start_seconds: int | None = Field(None, ge=1)
    """How long loading may take; None for the row's own limit."""

    @field_validator("server_args")
    @classmethod
    def _no_secret(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for argument in value:
            if _SECRET_ARGUMENT.match(argument.partition("=")[0]):
                raise ValueError(
                    f"{argument.partition('=')[0]} would be written into the journal; give "
                    "secrets by the environment"
                )
        return value


SERVER_OPTIONS = frozenset({"base_url", "api_key_env", "server_args"})
"""Options that only a server has, each with an argument of the command line to itself."""


class ServerEntry(Strict):
    """A row of servers.yaml. {model}, {host}, {port}, {dtype} and {device} are filled in."""

    command: tuple[str, ...] = Field(min_length=1)
    for_path: tuple[str, ...] = ()
    """Further arguments where the model is a file or directory."""
    for_name: tuple[str, ...] = ()
    """Further arguments where it is a name."""
    env: dict[str, str] = Field(default_factory=dict)
    env_for_path: dict[str, str] = Field(default_factory=dict)
    health: str
    """Path of the URL that says 200 when the model is loaded."""
    start_seconds: int = Field(ge=1)
    """How long loading may take."""
    install: str
    """How one gets the server, as an imperative."""
    stream_problem: str = ""
    """Why its streamed answers cannot be trusted, if they cannot."""

    def takes(self, placeholder: str) -> bool:
        """Whether the command has the placeholder."""
        return any(f"{{{placeholder}}}" in part for part in self.command)


class _ServersFile(Strict):
    servers: dict[str, ServerEntry] = Field(min_length=1)


class _PriceRow(Price):
    host: str
    model: str
    """A name; * stands for anything."""
    date: str
    """When it was looked up."""
    source: str


class _PricesFile(Strict):
    prices: tuple[_PriceRow, ...]


@cache
def known_servers() -> Mapping[str, ServerEntry]:
    """The rows of servers.yaml."""
    path = Path(__file__).with_name("servers.yaml")
    return parse(_ServersFile, read_yaml(path), location=str(path)).servers


def api_options(name: str, given: Mapping[str, Any]) -> ApiOptions:
    """The options of `openai:NAME`.

    Args:
        name: As the service calls the model.
        given: What the user said; the rest is taken from the environment and the price table.

    Raises:
        ConfigError: An option is unknown or wrong.
    """
    url = os.environ.get("OPENAI_BASE_URL") or OFFICIAL_URL
    options = parse(
        ApiOptions, {"base_url": url, **given}, location=f"the options of 'openai:{name}'"
    )
    if options.price is not None:
        return options
    return options.model_copy(update={"price": _listed_price(options.base_url, name)})


def served_options(server: str, given: Mapping[str, Any]) -> ServedOptions:
    """The options of `served:SERVER:...`.

    Raises:
        UsageError: There is no such server, or it cannot do what is asked.
        ConfigError: An option is unknown or wrong.
    """
    if server not in known_servers():
        raise UsageError(
            unknown_name(
                "server",
                server,
                known_servers(),
                next_step=f"write served:SERVER:MODEL with {', '.join(known_servers())}",
            )
        )
    data = {"server": server, **given}
    options = parse(ServedOptions, data, location=f"the options of 'served:{server}'")
    problem = known_servers()[server].stream_problem
    if options.stream and problem:
        raise UsageError(f"The server '{server}' {problem}; leave the option 'stream' out.")
    return options


def _listed_price(base_url: str, name: str) -> Price | None:
    path = Path(__file__).with_name("prices.yaml")
    rows = parse(_PricesFile, read_yaml(path), location=str(path)).prices
    host = urlsplit(base_url).hostname
    for row in rows:
        if row.host == host and fnmatchcase(name, row.model):
            return Price(input=row.input, output=row.output)
    return None
