"""`vlmbench view`: the site on 127.0.0.1, built anew while runs go on."""

from __future__ import annotations

import functools
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vlmbench.errors import UsageError, VlmbenchError
from vlmbench.report.html import build_site
from vlmbench.runs.directory import find_runs

HOST = "127.0.0.1"

SECONDS = 5.0
"""Between two looks at the runs."""

VERSION = "static/version.js"


class _Handler(SimpleHTTPRequestHandler):
    """Files of the site, never cached; nothing is printed for each."""

    def end_headers(self) -> None:
        """Adds what keeps pages fresh and the browser from guessing what a file is."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def send_head(self) -> Any:
        """Refuses names of other machines, by which a page elsewhere might read the site."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in (HOST, "localhost"):
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def serve(runs: Sequence[Path], *, port: int, open_browser: bool) -> int:
    """Serve until interrupted.

    Args:
        port: 0 for a free one.

    Raises:
        UsageError: The port is taken, or there is no run.
    """
    with tempfile.TemporaryDirectory(prefix="vlmbench-view-") as folder:
        site = Path(folder)
        build(runs, site)
        server = start(site, port)
        address = f"http://{HOST}:{server.server_address[1]}/"
        print(f"The leaderboard: {address} (Ctrl+C ends it)", flush=True)
        if open_browser:
            webbrowser.open(address)
        try:
            watch(runs, site)
        except KeyboardInterrupt:
            print()
        finally:
            server.shutdown()
            server.server_close()
    return 0


def start(site: Path, port: int) -> ThreadingHTTPServer:
    """A server of the site in a thread of its own.

    Raises:
        UsageError: The port is taken.
    """
    handler = functools.partial(_Handler, directory=str(site))
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise UsageError(
            f"Port {port} of {HOST} cannot be used ({error.strerror}); choose another --port."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def build(runs: Sequence[Path], site: Path) -> None:
    """Build the site with the script that loads pages anew."""
    build_site(runs, site, live=True)
    stamp = f'vlmPut("version",{time.time_ns()});\n'
    (site / VERSION).write_text(stamp, encoding="utf-8")


def watch(runs: Sequence[Path], site: Path) -> None:
    """Build again whenever a derived file of a run has changed; for ever."""
    before = _state(runs)
    while True:
        time.sleep(SECONDS)
        now = _state(runs)
        if now != before:
            before = now
            try:
                build(runs, site)
            except VlmbenchError as error:  # the pages of before stay
                print(f"Not refreshed: {error}", file=sys.stderr)


def _state(runs: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Changes when a run is scored anew or a run comes or goes."""
    found = []
    try:
        directories = find_runs(runs)
    except VlmbenchError:
        return []
    for directory in directories:
        for path in (directory.record, directory.scores, *directory.path.glob("judge-*.json")):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return found
