"""Where a task's rows are: a file next to its YAML, files of a local directory, or the Hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, TypeAlias

from vlmbench.errors import DataError
from vlmbench.records import stable_hash
from vlmbench.tasks.spec import TaskSpec, without_new_defaults

Files: TypeAlias = dict[str | None, tuple[Path, ...]]
"""Data files by subset, in order; the subset is None where the task has none."""

DataState: TypeAlias = Literal["embedded", "local", "Hub", "manual"]


def data_state(task: TaskSpec) -> DataState:
    """Where the data would come from now; "manual" where it has to be fetched by hand first."""
    if task.data.path is not None:
        return "embedded" if task.origin is None else "local"
    if local_files(task) is not None:
        return "local"
    return "manual" if task.data.manual else "Hub"


def local_files(task: TaskSpec) -> Files | None:
    """The files that hold the rows; None if they come from the Hub.

    Raises:
        DataError: Some subsets are there and others not.
    """
    if (path := task.data_path) is not None:
        return {None: (path,)}
    if task.data.local is None:
        return None
    base = Path(task.data.local) / task.name
    if not task.data.subsets:
        files = _files_of(base)
        return {None: files} if files else None
    by_subset: Files = {name: _files_of(base / name) for name in task.data.subsets}
    missing = [name for name, files in by_subset.items() if not files]
    if len(missing) == len(by_subset):
        return None
    if missing:
        raise DataError(
            f"{base} lacks {len(missing)} of the {len(by_subset)} subsets of task '{task.name}'; "
            f"add {missing[0]}.parquet" + (" and so on." if len(missing) > 1 else ".")
        )
    return by_subset


def source_name(task: TaskSpec) -> str:
    """The data set as error messages call it."""
    if task.data.path is not None:
        return str(task.data_path or task.data.path)
    if local_files(task) is not None:
        return f"the data of task '{task.name}' in {task.data.local}"
    if task.data.hub is None:
        return f"the data of task '{task.name}'"
    return f"Hub data set {task.data.hub} ({task.data.split})"


def data_fingerprint(task: TaskSpec) -> str:
    """Identity of the data: the files' digest, or a Hub data set's name, revision and split.

    Raises:
        DataError: A file cannot be read.
    """
    source = task.data.model_dump(mode="json")
    files = local_files(task)
    if files is None:
        return stable_hash(without_new_defaults({**source, "local": None}))
    digests = [[name, *map(_digest, paths)] for name, paths in files.items()]
    rows = {key: source[key] for key in ("keep", "each") if source[key] is not None}
    if task.data.path is not None and not rows:
        return str(digests[0][1])
    return stable_hash([digests, rows])


def _files_of(stem: Path) -> tuple[Path, ...]:
    for suffix in (".parquet", ".jsonl"):
        file = stem.with_name(stem.name + suffix)
        if file.is_file():
            return (file,)
    return tuple(sorted(stem.glob("*.parquet")))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(
            f"The data file {path} cannot be read ({error.strerror}); check the path."
        ) from error
