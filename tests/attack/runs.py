"""What attacks type to run the task of `data_cases`, in a process of its own or in this one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path

from vlmbench.cli.main import main

FINE, STOPPED, REFUSED = frozenset({0}), frozenset({130}), frozenset({2})
ENVIRONMENT = {"OPENAI_API_KEY": "", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
"""No key, and a proxy that is not there: nobody of this machine is asked through one."""


def run(
    directory: Path, model: str = "baseline:oracle", *more: str, out: str = "runs"
) -> list[str]:
    """What is typed to run the task that `write` has written."""
    files = ["--tasks", str(directory / "t.yaml"), "--out", str(directory / out)]
    return ["run", "--quiet", "--no-cache", "--model", model, *files, *more]


def asking(directory: Path, url: str, *more: str) -> list[str]:
    """The same, of a server."""
    return run(directory, "openai:m", "--base-url", url, *more)


def here(arguments: Iterable[str]) -> int:
    """Run a command in this process; its exit code."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        return main([*arguments])


def scores(directory: Path) -> bytes:
    """What the one run below it leaves."""
    return next(directory.glob("runs/*/t/scores.jsonl")).read_bytes()
