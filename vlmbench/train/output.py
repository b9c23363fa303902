"""The directory that a training writes: what may be in it, and what an unfinished one left."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlmbench.errors import UsageError
from vlmbench.train.config import TrainConfig

FREE_TO_CHANGE = ("description", "threads", "save_every", "keep_checkpoints", "check_groups")
"""What a resumed training may do otherwise: it changes no weight."""
_RECIPE = "recipe.json"
_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)


def is_finished(target: Path) -> bool:
    """Whether a training in this directory came to its end."""
    return (target / "training.json").is_file()  # the card's last file


def clear(target: Path) -> None:
    """Removes what only a training under way needs."""
    for folder in _checkpoints(target):
        shutil.rmtree(folder)
    (target / _RECIPE).unlink(missing_ok=True)


def _checkpoints(target: Path) -> list[Path]:
    """What an unfinished training left, oldest first."""
    found = target.glob("checkpoint-*")
    numbered = [path for path in found if path.name.rpartition("-")[2].isdecimal()]
    return sorted(numbered, key=lambda path: int(path.name.rpartition("-")[2]))


def last_checkpoint(target: Path, *, resume: bool) -> Path | None:
    """Where to go on; None to start from the beginning, or if all is done.

    Checkpoints that were not saved whole are removed; they are worth nothing.

    Raises:
        UsageError: The directory holds a training already, or there is nothing to resume.
    """
    found = _checkpoints(target)
    if resume and is_finished(target):
        return None
    if resume and not found:
        raise UsageError(f"There is no checkpoint to resume from in {target}; leave out --resume.")
    if not resume and found:
        raise UsageError(
            f"{target} holds a training that is not finished; add --resume to go on with it, "
            "or choose another directory with --out."
        )
    if not found and (target / "config.json").exists():
        raise UsageError(f"{target} holds a model already; choose another directory with --out.")
    for folder in found:
        if not _is_whole(folder):
            shutil.rmtree(folder)
    return next((folder for folder in reversed(found) if folder.exists()), None)


def _is_whole(folder: Path) -> bool:
    """Whether the training was not killed while it saved this checkpoint."""
    try:
        json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))  # saved last
    except (OSError, ValueError):
        return False
    return True


def keep_recipe(config: TrainConfig, target: Path, *, resume: bool) -> None:
    """See `keep_values`."""
    values = config.model_dump(mode="json", exclude=set(FREE_TO_CHANGE))
    keep_values(values, target, resume=resume)


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
        raise UsageError(
            f"The training stopped because a file in {target} could not be written ({reason}); "
            "make room, then go on with --resume."
        ) from error


def _why_not_written(error: Exception) -> str | None:
    """What kept a file from being written; None for any other error."""
    from safetensors import SafetensorError

    text = str(error)
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        return error.strerror
    if isinstance(error, SafetensorError) and "Error while serializing" in text:
        return text.rpartition("I/O error: ")[2]
    if isinstance(error, RuntimeError) and "inline_container" in text and "Reader" not in text:
        return "torch could not write a whole file"
    return None
