"""Ctrl-C in every wait: the command ends within two seconds, and the same one goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attack.data_cases import LOOP, task, write
from attack.harness import Attack, Case
from attack.hostile_server import (
    Behavior,
    completion,
    endless,
    head,
    reset,
    serving,
    silent,
    trickled,
    whole,
)
from attack.runs import ENVIRONMENT, STOPPED, asking, here, run


def _stopped(
    name: str,
    about: str,
    chat: Behavior,
    *,
    models: Behavior | None = None,
    options: tuple[str, ...] = (),
    quick: bool = False,
) -> Case:
    """Ctrl-C once the server has a request; the same run then goes on at one that answers."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        asked = threading.Event()

        def noted(behavior: Behavior) -> Behavior:
            def behave(connection: socket.socket, text: str, over: threading.Event) -> None:
                asked.set()
                behavior(connection, text, over)

            return behave

        url = stack.enter_context(serving(noted(chat), noted(models) if models else None))
        write(directory, task())

        def after() -> str:
            with serving(whole(completion())) as well:
                code = here(asking(directory, well))
            return "" if code == 0 else f"the same command then ends with {code}"

        arguments = asking(directory, url, *options)
        return Attack(
            arguments, STOPPED, "Stopped", ENVIRONMENT, interrupt=asked.is_set, after=after
        )

    return Case("Ctrl-C", name, about, setup, quick=quick)


def _stopped_template() -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        write(directory, task(prompt=LOOP))

        def rendering() -> bool:
            """Once the process that renders is there."""
            import psutil

            mine = psutil.Process().children(recursive=True)
            return any("spawn_main" in " ".join(_words(one)) for one in mine)

        return Attack(run(directory), STOPPED, "Stopped", interrupt=rendering)

    return Case("Ctrl-C", "template", "while a template loops", setup)


def _words(process: Any) -> list[str]:
    import psutil

    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


CASES = [
    _stopped("never", "while no reply comes", silent, quick=True),
    _stopped("slow", "while a reply trickles", trickled(head() + completion())),
    _stopped("models", "while /models is silent", whole(completion()), models=silent),
    _stopped(
        "models_slow",
        "while /models trickles",
        whole(completion()),
        models=trickled(head() + b" " * 10_000),
    ),
    _stopped(
        "models_endless",
        "in endless headers of /models",
        whole(completion()),
        models=endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", pause=0.05),
    ),
    _stopped("retry_after", "in a wait of 600 s", whole(b"{}", 429, Retry_After="600")),
    _stopped("retry", "while it tries again", whole(b"{}", 503)),
    _stopped("reset", "while connections are cut", reset),
    _stopped("endless", "in an endless reply", endless(head(), b" " * 64, pause=0.01)),
    _stopped(
        "stream",
        "while a stream has no piece",
        endless(head(kind="text/event-stream"), b"", pause=1),
        options=("--model-option", "stream=true"),
    ),
    _stopped_template(),
]
