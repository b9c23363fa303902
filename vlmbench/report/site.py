"""The report's directory: built aside, then put in place; files of others are not touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vlmbench.errors import UsageError
from vlmbench.runs.lock import lock

MARKER = ".vlmbench-report"
"""File by which a directory says that its `ENTRIES` were made here and may be replaced."""

CACHE = ".cache"
"""What was computed from runs, to build faster the next time; no page needs it."""

ENTRIES = (
    "static",
    "images",
    "samples",
    "data",
    "downloads",
    "tasks",
    "models",
    CACHE,
    "compare.html",
    "index.html",
    MARKER,
)
"""What a site consists of, in the order in which it is put in place: the entrance last."""

_BUILDING = ".building-"

_UNSAFE_IN_SCRIPT = re.compile("[<>&\u2028\u2029]")


def safe_json(value: Any) -> Markup:
    """JSON that can stand inside a <script> element: it cannot close it or open a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = _UNSAFE_IN_SCRIPT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    # Text of a model may hold lone surrogates, which UTF-8 cannot encode but JSON can escape.
    return Markup(escaped.encode("utf-8", "backslashreplace").decode("utf-8"))


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is being built."""

    path: Path
    old: Path
    """The former one, of which files may be kept."""

    def write(self, name: str, text: str) -> None:
        """A file of text, as UTF-8."""
        # Names and texts may hold lone surrogates, which no page can show.
        self.write_bytes(name, text.encode("utf-8", "replace"))

    def write_bytes(self, name: str, data: bytes) -> None:
        """A file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # A kept file is another name of the former site's, which is not to be written into.
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def keep(self, names: Iterable[str]) -> bool:
        """Take files from the former site as they are; False if any is not there."""
        # Thousands of files: each call of the system counts.
        for name in names:
            source, target = f"{self.old}/{name}", f"{self.path}/{name}"
            try:
                if not stat.S_ISREG(os.lstat(source).st_mode):
                    return False
            except OSError:
                return False
            try:
                _link(source, target)
            except FileNotFoundError:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                _link(source, target)
        return True

    def read_cache(self, name: str) -> Any:
        """What the former building remembered under a name; None if it did not."""
        try:
            return json.loads((self.old / CACHE / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None

    def write_cache(self, name: str, value: Any) -> None:
        """Remember something for the next time."""
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
        self.write(f"{CACHE}/{name}", text)


def _link(source: str, target: str) -> None:
    """Another name for a file, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError:  # the folder
        raise
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def replaced_site(out: Path) -> Iterator[Site]:
    """A site to build, which replaces that in `out` if all goes well.

    Files in `out` that no report made stay where they are. If building fails, `out` is left as
    it was.

    Raises:
        UsageError: `out` holds something of the same name that no report made, is no directory,
            or cannot be written.
    """
    out = out.resolve()
    _refuse_foreign(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Inside `out`, so that putting in place is a rename even where `out` is a mount point.
        _remove_abandoned(out)
        aside = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=out))
        descriptor = os.open(aside, os.O_RDONLY)
        lock(descriptor)
    except OSError as error:
        raise _not_writable(out, error) from error
    try:
        new = aside / "new"
        new.mkdir()
        # Files of others are never taken for our own.
        yield Site(new, out if (out / MARKER).is_file() else aside / "none")
        (new / MARKER).write_text("Made by vlmbench report; it replaces what it made.\n")
        _put_in_place(new, out, aside / "old")
    except OSError as error:
        raise _not_writable(out, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(descriptor)


def _remove_abandoned(out: Path) -> None:
    """Remove what a report that was killed has left; one that is being made is locked."""
    for folder in out.glob(f"{_BUILDING}*"):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if lock(descriptor) is None:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; give a directory for the report with --out.")
    if (out / MARKER).is_file():
        return
    foreign = next((name for name in ENTRIES if (out / name).exists()), None)
    if foreign is not None:
        raise UsageError(
            f"{out / foreign} was not made by vlmbench and would be overwritten; "
            "choose another directory with --out."
        )


def _put_in_place(new: Path, out: Path, old: Path) -> None:
    old.mkdir()
    for name in ENTRIES:
        # A rename within one file system; nothing is deleted before its successor stands.
        if (out / name).exists() or (out / name).is_symlink():
            (out / name).rename(old / name)
        if (new / name).exists():
            (new / name).rename(out / name)


def _not_writable(out: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The report cannot be written to {out} ({error.strerror}); make room or permission "
        "there, or choose another directory with --out."
    )
