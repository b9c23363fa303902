"""Where the files of a training source are: on this machine, or on the Hub."""

from __future__ import annotations

import re
from pathlib import Path

from vlmbench.errors import DataError
from vlmbench.tasks.hub_split import open_split
from vlmbench.tasks.row_files import SUFFIXES, RowFile, open_rows


def find_files(
    path: str,
    *,
    split: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    streaming: bool = False,
) -> list[RowFile]:
    """The data files of a path.

    Args:
        path: A file, a folder, a glob pattern, or the name of a data set of the Hub, "org/name".
        split: Of a data set of several. In a folder or pattern, files that have the word in their
            names; by default those of "train" if there are any, otherwise all.
        config: Name of the Hub data set's configuration.
        revision: Its commit, tag or branch; None for the newest commit of the main branch.
        streaming: Read the Hub's Parquet files over the network, row group by row group, instead
            of keeping a copy.

    Raises:
        DataError: There are no such files, or they cannot be read.
    """
    local = Path(path)
    is_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", path) and local.suffix.lower() not in SUFFIXES
    is_here = local.exists() or "*" in path
    if revision is not None and (is_here or not is_hub):
        raise DataError(
            f"'revision: {revision}' is of a data set of the Hub, and {path} is a local path; "
            "leave it out."
        )
    if local.is_file():
        return [open_rows(local, local.name, local.parent)]
    if local.is_dir():
        base, pattern = local, "**/*"
    elif "*" in path:
        parts = local.parts
        fixed = next(number for number, part in enumerate(parts) if "*" in part)
        base, pattern = Path(*parts[:fixed]), str(Path(*parts[fixed:]))
    elif is_hub:
        found = open_split(
            path,
            split=split or "train",
            config=config,
            revision=revision,
            local="download it elsewhere and name its folder",
        )
        return found.row_files(streaming=streaming)
    else:
        raise DataError(f"There is no file or folder {path}; check the path of the data.")
    files = _chosen(sorted(base.glob(pattern)), split)
    if not files:
        wanted = f" of the split '{split}'" if split else ""
        raise DataError(
            f"There is no {', '.join(SUFFIXES)} file{wanted} in {path}; check the path of the data."
        )
    return [open_rows(file, file.relative_to(base).as_posix(), file.parent) for file in files]


def _chosen(files: list[Path], split: str | None) -> list[Path]:
    """Data files of one kind and of the split; see `find_files`."""
    kinds = [[file for file in files if file.suffix.lower() == suffix] for suffix in SUFFIXES]
    data = next(filter(None, kinds), [])
    word = split or "train"
    named = [file for file in data if word in (*re.split(r"[-_.]", file.stem), file.parent.name)]
    return named or ([] if split else data)
