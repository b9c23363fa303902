"""Answers that a model has given before, shared between tasks and runs: one SQLite file.

An answer is found again by what decides it: the model's fingerprint, the request's content and the
versions of the packages that compute it. Only answers are kept, never errors, and texts only.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import sqlite3
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from vlmbench import __version__
from vlmbench.errors import CacheError
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, stable_hash

DECIDING_PACKAGES = ("torch", "transformers")

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT, prompt_tokens INTEGER,
    output_tokens INTEGER
) WITHOUT ROWID
"""


def default_cache() -> Path:
    """Where the cache lies: in VLMBENCH_CACHE, else among the user's caches."""
    folder = os.environ.get("VLMBENCH_CACHE")
    if folder:
        return Path(folder) / "answers.sqlite"
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "vlmbench" / "answers.sqlite"


class AnswerCache:
    """A cache that several threads and processes may use at a time.

    Args:
        path: The file; made if need be.

    Raises:
        CacheError: It cannot be opened or is something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(_TABLE)
        except sqlite3.Error as error:
            self._database.close()
            raise self._unusable(error) from error

    def find(self, key: str, request: Request) -> Response | None:
        """The answer kept under the request's `answer_key`, if there is one.

        Raises:
            CacheError: The file has become unreadable.
        """
        try:
            with self._lock:
                row = self._database.execute(
                    "SELECT text, finish, prompt_tokens, output_tokens FROM answers WHERE key = ?",
                    (key,),
                ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        if row is None:
            return None
        text, finish, prompt_tokens, output_tokens = row
        return Response(
            sample_id=request.sample_id,
            key=request.key,
            text=json.loads(text),
            finish=finish,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            cached=True,
        )

    def keep(self, answers: Iterable[tuple[str, Response]]) -> None:
        """Remember answers by their `answer_key`; those of an earlier moment are replaced.

        Raises:
            CacheError: They cannot be written.
        """
        rows = [
            (
                key,
                json.dumps(response.text),  # escapes what UTF-8 cannot hold
                response.finish,
                response.prompt_tokens,
                response.output_tokens,
            )
            for key, response in answers
            if response.text is not None
        ]
        try:
            with self._lock, self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO answers VALUES (?,?,?,?,?)", rows
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def _unusable(self, error: Exception) -> CacheError:
        return CacheError(
            f"The cache of answers {self._path} cannot be used ({error}); pass --no-cache, delete "
            "the file, or name another folder in VLMBENCH_CACHE."
        )


def answer_key(spec: ModelSpec, request: Request) -> str:
    """Equal for requests that the model answers alike."""
    # Sampled answers are drawn with a seed made of the sample's id too.
    drawn_for = request.sample_id if request.generation.temperature > 0 else None
    return stable_hash([spec.fingerprint, request.content_hash, drawn_for, _code()])


@cache
def _code() -> list[str | None]:
    """Versions, and a digest of the runners: who works on them must not be shown old answers."""
    runners = sorted(Path(__file__).parents[1].joinpath("runners").rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in runners)).hexdigest()
    found: list[str | None] = [__version__, digest]
    for name in DECIDING_PACKAGES:
        try:
            found.append(importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            found.append(None)
    return found
