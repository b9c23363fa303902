"""A checkpoint directory: where it is, what it is called, and what it holds, as one digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from vlmbench.errors import ModelError
from vlmbench.records import stable_hash
from vlmbench.runs.directory import safe_name

PACKAGED = "embedded:"
"""Begins the location of a checkpoint that ships with vlmbench, wherever that is installed."""

CONFIG_FILE = "config.json"

_UNHASHED = frozenset({"trainer_state.json", "training_args.bin", "optimizer.bin"})
_HASHED_SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt", ".safetensors", ".bin", ".py"})
_WEIGHTS = (".safetensors", ".bin")
_WHOLE_FILE = 64 * 2**20
_BLOCKS, _BLOCK_SIZE = 256, 2**16


def model_path(location: str) -> Path:
    """The directory that a ModelSpec's location stands for; it may not exist."""
    if location.startswith(PACKAGED):
        return Path(__file__).parent / location.removeprefix(PACKAGED)
    return Path(location)


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json.

    Raises:
        ModelError: There is none, or it is not JSON.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelError(f"There is no config.json in {folder}; {_instead(folder)}.")
    return _read_object(path)


def _instead(folder: Path) -> str:
    """What to give instead of a folder that is no checkpoint."""
    inner = [one for one in folder.glob("*/config.json") if one.is_file()]
    if inner:
        last = max(inner, key=lambda one: (one.stat().st_mtime, one)).parent
        return f"give a checkpoint inside it, such as {last}"
    file = next(iter(sorted(folder.glob("*.gguf"))), None)
    if file is not None:
        return served_gguf(file)
    return (
        "give the directory of a checkpoint as 'save_pretrained' or 'vlmbench train run' writes it"
    )


def served_gguf(file: Path) -> str:
    """How a GGUF file is run, as an imperative."""
    return f"run a GGUF file by a server, as in '--model served:llama.cpp:{file}'"


def adapter_base(folder: Path) -> tuple[str, str | None]:
    """Location and revision of the model that an adapter was trained on.

    Raises:
        ModelError: The adapter does not say.
    """
    config = _read_object(folder / "adapter_config.json")
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"The adapter {folder} does not say which model it was trained on; give that with "
            f"--model, and --adapter {folder}."
        )
    return base, config.get("revision")


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read ({type(error).__name__}); restore it.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} does not hold a JSON object; restore it.")
    return value


def directory_name(folder: Path) -> str:
    """The directory's name; with its parent's where it says only which step it is."""
    folder = folder.resolve()
    is_numbered = folder.name.startswith(("checkpoint-", "best-step-"))
    generic = is_numbered or folder.name in ("final", "last", "best")
    return safe_name(f"{folder.parent.name}-{folder.name}" if generic else folder.name)


def directory_digest(folder: Path, *, deep: bool = False) -> list[list[str]]:
    """Name and digest of every file that decides what the model answers.

    Args:
        deep: Also look into its folders, where some keep parts of the model.

    Raises:
        ModelError: A file cannot be read.
    """
    try:
        return [
            [str(path.relative_to(folder)), file_digest(path)]
            for path in sorted(folder.rglob("*") if deep else folder.iterdir())
            if path.suffix in _HASHED_SUFFIXES and path.name not in _UNHASHED and path.is_file()
        ]
    except OSError as error:
        raise ModelError(
            f"The checkpoint {folder} cannot be read ({error.strerror}); check its permissions."
        ) from error


def weights_digest(folder: Path) -> str:
    """Digest of a checkpoint's weights alone, whatever lies beside them."""
    return stable_hash([one for one in directory_digest(folder) if one[0].endswith(_WEIGHTS)])


def file_digest(path: Path) -> str:
    """SHA-256 of a file; of its size and evenly spaced blocks where it is large.

    Two checkpoints of one training have equal sizes and headers, so weights are sampled too.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        if size <= _WHOLE_FILE:
            return hashlib.file_digest(handle, "sha256").hexdigest()
        digest = hashlib.sha256(str(size).encode())
        for block in range(_BLOCKS):
            handle.seek(block * (size - _BLOCK_SIZE) // (_BLOCKS - 1))
            digest.update(handle.read(_BLOCK_SIZE))
        return digest.hexdigest()
