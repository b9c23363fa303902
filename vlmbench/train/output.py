"""The directory that a training writes: whose it is, its recipe meanwhile, and full disks."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vlmbench.errors import JournalError, UsageError, VlmbenchError

_RECIPE = "recipe.json"
_LOCK = ".training.lock"
_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)


@contextmanager
def claimed(target: Path) -> Iterator[bool]:
    """Keeps other trainings out of a directory; gives whether one has begun in it before.

    The file that says so stays only where a training is killed or interrupted.

    Raises:
        UsageError: Another process trains there, or the directory cannot be written.
    """
    from vlmbench.runs.lock import lock

    file = target / _LOCK
    begun = any(path.exists() for path in (file, target / _RECIPE, target / "stages"))
    try:
        target.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        holder = lock(descriptor)
        if holder is not None:
            raise UsageError(
                f"Another training writes {target}{holder}; wait for it, or choose another "
                "directory with --out."
            )
        try:
            yield begun
        except VlmbenchError:
            _leave(file)
            raise
        _leave(file)
    finally:
        os.close(descriptor)


def _leave(file: Path) -> None:
    """Takes the lock's file away, and the directory if nothing was written into it."""
    file.unlink(missing_ok=True)
    with suppress(OSError):
        file.parent.rmdir()


def keep_values(values: dict[str, Any], target: Path, *, resume: bool) -> None:
    """Writes a recipe down, or checks that a resumed training goes on with the same one.

    Raises:
        UsageError: The directory cannot be written, or the recipes differ.
    """
    file = target / _RECIPE
    if resume and file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [key for key in values if values[key] != before.get(key)]
        if changed:
            raise UsageError(
                f"The training in {target} was started with another '{changed[0]}'; resume it with "
                "the same recipe, or choose another directory with --out."
            )
    try:
        target.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(target, error) from error


@contextmanager
def explained_write_errors(target: Path) -> Iterator[None]:
    """A full disk in one sentence, however the library that met it puts it."""
    try:
        yield
    except Exception as error:
        reason = _why_not_written(error)
        if reason is None:
            raise
        begun = any(target.glob("checkpoint-*"))
        raise UsageError(
            f"The training stopped because a file in {target} could not be written ({reason}); "
            f"make room, then {'go on with --resume' if begun else 'start it again'}."
        ) from error


def _unwritable(target: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The directory {target} cannot be written ({error.strerror}); choose another --out."
    )


def _why_not_written(error: Exception) -> str | None:
    """What kept a file from being written; None for any other error."""
    from safetensors import SafetensorError

    text = str(error)
    cause = error.__cause__ if isinstance(error, JournalError) else error
    if isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE:
        return cause.strerror
    if isinstance(error, SafetensorError) and "Error while serializing" in text:
        return text.rpartition("I/O error: ")[2]
    if isinstance(error, RuntimeError) and "inline_container" in text and "Reader" not in text:
        return "torch could not write a whole file"
    return None
