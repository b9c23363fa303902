"""The directory that a training writes: its recipe while it is under way, and full disks."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlmbench.errors import JournalError, UsageError

_RECIPE = "recipe.json"
_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)


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
        raise UsageError(
            f"The directory {target} cannot be written ({error.strerror}); choose another --out."
        ) from error


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
