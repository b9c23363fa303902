"""Where a task's rows are: a file next to its YAML, files of a local directory, or the Hub."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from vlmbench.errors import DataError
from vlmbench.records import Sample, stable_hash
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
        DataError: Some subsets are there and others not, or there are other splits only, or the
            task's folder holds other files only.
    """
    if (path := task.data_path) is not None:
        return {None: (path,)}
    if task.data.local is None:
        return None
    base = Path(task.data.local) / task.name
    split = task.data.split
    if not task.data.subsets:
        if files := _files_of(base, split) or _config_files(base, task):
            return {None: files}
        _refuse_unread(task, base)
        return None
    by_subset: Files = {name: _files_of(base / name, split) for name in task.data.subsets}
    missing = [name for name, files in by_subset.items() if not files]
    if len(missing) == len(by_subset):
        _refuse_unread(task, base)
        return None
    if missing:
        raise DataError(
            f"{base} lacks {len(missing)} of the {len(by_subset)} subsets of task '{task.name}'; "
            f"add {missing[0]}.parquet" + (" and so on." if len(missing) > 1 else ".")
        )
    return by_subset


def reads_hub(task: TaskSpec) -> bool:
    """Whether the rows come from the Hub now."""
    return data_state(task) == "Hub"


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


class RowsHash:
    """A hash of the texts of a task's rows, as they are read."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, sample: Sample) -> None:
        """Take a sample; the order counts."""
        parts = [sample.id, sample.references, sample.choices, sample.row]
        text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
        self._hash.update(text.encode("utf-8", "surrogatepass") + b"\n")

    def value(self) -> str:
        """First 16 hex digits of the SHA-256 of all that was added."""
        return self._hash.hexdigest()[:16]


def rows_fingerprint(task: TaskSpec, rows: str) -> str:
    """Identity of the data that was read: the files' digest, or a Hub data set with its rows.

    The revision is no part of it: the same rows are the same data, pinned or not.

    Args:
        rows: What `RowsHash` makes of them.
    """
    if local_files(task) is not None:
        return data_fingerprint(task)
    source = {**task.data.model_dump(mode="json"), "local": None, "revision": None}
    return stable_hash([without_new_defaults(source), rows])


def _files_of(stem: Path, split: str | None) -> tuple[Path, ...]:
    """The files of a split: <stem>.parquet or .jsonl, else those in <stem> or <stem>/data.

    A folder in them that is called as the split is looked into last.

    Raises:
        DataError: There are files of other splits only.
    """
    for suffix in (".parquet", ".jsonl"):
        file = stem.with_name(stem.name + suffix)
        if file.is_file():
            return (file,)
    folders = (stem, stem / "data")
    for folder in folders:
        if found := sorted(folder.glob("*.parquet")):
            return _of_split(folder, found, split)
    inner = [folder / split for folder in folders] if split else []
    return next((tuple(files) for one in inner if (files := sorted(one.glob("*.parquet")))), ())


def _config_files(base: Path, task: TaskSpec) -> tuple[Path, ...]:
    """Where a data set with several configurations keeps the task's."""
    return _files_of(base / task.data.config, task.data.split) if task.data.config else ()


def _of_split(folder: Path, files: Sequence[Path], split: str | None) -> tuple[Path, ...]:
    """The files that are named after a split; all where no name tells of one."""
    splits = {file: _split_of(file, split) for file in files}
    wanted = tuple(file for file, name in splits.items() if name == split)
    named = sorted({name for name in splits.values() if name is not None})
    if wanted or not named:
        return wanted or tuple(files)
    if split is None:
        if len(named) > 1:
            raise DataError(
                f"{folder} holds the splits {', '.join(named)}, and the task names none; say which "
                "one with 'data: {split: NAME}'."
            )
        return tuple(files)
    raise DataError(
        f"{folder} holds the split {' and '.join(named)}, and the task reads {split}; add "
        f"{split}-*.parquet."
    )


_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(-[0-9a-f]+)?")
"""A file of a split, as `datasets` writes it: test-00000-of-00002.parquet."""

_SPLITS = ("train", "training", "test", "testing", "validation", "valid", "val", "dev", "eval")


def _split_of(file: Path, wanted: str | None) -> str | None:
    """The split that a file's name tells of."""
    if found := _SHARD.fullmatch(file.stem):
        return found["split"]
    first = re.split(r"[-_.]", file.stem)[0]
    return first if first in (*_SPLITS, wanted) else None


def _refuse_unread(task: TaskSpec, base: Path) -> None:
    """Lets nobody believe that a folder was read when the rows come from elsewhere.

    Raises:
        DataError: There is such a folder, and it holds files that are not read.
    """
    if task.data.manual is not None or not base.is_dir():
        return
    names = sorted(one.name for one in base.iterdir() if not one.name.startswith("."))
    if names:
        more = ", ..." if len(names) > 3 else ""
        raise DataError(
            f"{base} holds no data of task '{task.name}' but {', '.join(names[:3])}{more}; put "
            f"{task.data.split or '*'}-*.parquet there or into its folder 'data', or take the "
            "folder away to read the Hub."
        )


def _digest(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise DataError(f"The data file {path} is no file; check the path.")
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(
            f"The data file {path} cannot be read ({error.strerror}); check the path."
        ) from error
