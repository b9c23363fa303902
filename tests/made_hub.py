"""A Hugging Face Hub on this machine with one data set, as far as its own client asks for it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

API = "/api/datasets/org/name"
RESOLVE = "/datasets/org/name/resolve/"
COMMIT = "a" * 40


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serves the files of a folder as the data set org/name.

    Yields:
        The address, for HF_ENDPOINT; and the ranges of bytes of files that were asked for so far.
    """
    ranges: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, folder, ranges))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", ranges
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(endpoint: str, home: Path) -> dict[str, str]:
    """Of a process that is to find the Hub at an address, and keep its files below `home`."""
    return {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home),
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, ranges: list[str], *arguments: Any) -> None:
        self._folder, self._ranges = folder, ranges
        super().__init__(*arguments)

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if path == API or path.startswith(f"{API}/revision/"):
            names = [{"rfilename": one["path"]} for one in self._files()]
            return self._json({"id": "org/name", "sha": COMMIT, "tags": [], "siblings": names})
        if path.startswith(f"{API}/tree/"):
            return self._json(self._files())
        if path.startswith(RESOLVE):
            file = self._folder / path.removeprefix(RESOLVE).partition("/")[2]
            if file.is_file():
                return self._file(file)
        return self._send(404, b"{}", **{"X-Error-Code": "EntryNotFound"})

    def _files(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "file",
                "path": file.name,
                "size": file.stat().st_size,
                "oid": hashlib.sha1(file.name.encode()).hexdigest(),
            }
            for file in sorted(self._folder.iterdir())
        ]

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _file(self, file: Path) -> None:
        content = file.read_bytes()
        tag = {"ETag": f'"{file.name}"', "X-Repo-Commit": COMMIT}
        wanted = self.headers.get("Range")
        if wanted is None:
            return self._send(200, content, **tag)
        self._ranges.append(wanted)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1]
        place = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
        return self._send(206, part, **{"Content-Range": place, **tag})

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
