"""A split of a Hub data set: where its files are, and its rows as they come.

Everything that reads data sets of the Hub reads them here: a task's rows, `tasks prepare
--download`, training data and `data convert`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from vlmbench.errors import DataError
from vlmbench.hub import go_offline_if_unreachable, why_not_loaded
from vlmbench.tasks.row_files import ParquetRows, Row, RowFile, open_rows


@dataclass(frozen=True, slots=True)
class HubSplit:
    """What `datasets` found: on the Hub, or in a local folder."""

    name: str
    split: str
    files: tuple[str, ...]
    """Addresses; none where `datasets` knows of no files."""
    local: str
    """How to go on without the Hub, as an imperative."""
    builder: Any
    """Its `datasets.DatasetBuilder`."""

    @property
    def is_parquet(self) -> bool:
        """Whether all files can be read where they are, row group by row group."""
        return bool(self.files) and all(file.endswith(".parquet") for file in self.files)

    def row_files(self, *, streaming: bool) -> list[RowFile]:
        """The files, whose rows can be read by number.

        Args:
            streaming: Read Parquet files over the network, row group by row group, instead of
                keeping a copy.

        Raises:
            DataError: There are none, they cannot be loaded, or are neither Parquet nor JSON.
        """
        if not self.files:
            raise self._no_split()
        streamed = streaming and self.is_parquet
        copies = self.files if streamed else self._copies()
        paths = [PurePosixPath(file) for file in self.files]
        base = os.path.commonpath([path.parent for path in paths])
        return [
            open_rows(
                copy if streamed else Path(copy), path.relative_to(base).as_posix(), folder=None
            )
            for path, copy in zip(paths, copies, strict=True)
        ]

    def rows(self, *, skip: Collection[str] = ()) -> tuple[Any, Iterator[Row]]:
        """The schema and the rows in order, over the network, with images still encoded.

        Args:
            skip: Columns that need not be read.

        Returns:
            Its `pyarrow.Schema`, None if nobody knows it before the rows are read; and the rows.

        Raises:
            DataError: They cannot be loaded, also while they are read.
        """
        if not self.files and self.builder.config.data_files:
            raise self._no_split()
        if not self.is_parquet:
            return self._other_rows(skip)
        files = [file for file in self.row_files(streaming=True) if isinstance(file, ParquetRows)]
        names = dict.fromkeys(chain.from_iterable(file.columns for file in files))
        read = [name for name in names if name not in skip]
        lacking = {file.name: dict.fromkeys({*read} - {*file.columns}) for file in files}
        rows = ({**row, **lacking[file.name]} for file in files for row in file.read(read))
        schema = max((file.schema for file in files), key=len)
        kept = [schema.get_field_index(name) for name in schema.names if name in skip]
        for index in reversed(kept):
            schema = schema.remove(index)
        return schema, rows

    def _no_split(self) -> DataError:
        known = ", ".join(sorted(map(str, self.builder.config.data_files or {}))) or "none"
        return DataError(
            f"The data set '{self.name}' has no split '{self.split}'; there are: {known}."
        )

    def _copies(self) -> Any:
        import datasets

        try:
            return datasets.DownloadManager().download([*self.files])
        except Exception as error:  # the client raises its own errors, httpx's and plain OSErrors
            raise self._not_loaded(error) from error

    def _other_rows(self, skip: Collection[str]) -> tuple[Any, Iterator[Row]]:
        """Rows of any other kind of files, as `datasets` streams them."""
        try:
            rows = self.builder.as_streaming_dataset(self.split)
            features = rows.features or {}
            if unread := [name for name in features if name in skip]:
                rows = rows.remove_columns(unread)
            for name, feature in features.items():
                if name not in skip and (encoded := _encoded(feature)) is not None:
                    rows = rows.cast_column(name, encoded)
        except Exception as error:  # the client raises its own errors, httpx's and plain OSErrors
            raise self._not_loaded(error) from error
        return rows.features.arrow_schema if rows.features else None, self._loaded(rows)

    def _loaded(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows; an error of the client while they are streamed names the data set."""
        try:
            yield from rows
        except Exception as error:
            raise self._not_loaded(error) from error

    def _not_loaded(self, error: Exception) -> DataError:
        return _not_loaded(self.name, error, self.local)


def open_split(
    name: str, *, split: str, config: str | None = None, revision: str | None = None, local: str
) -> HubSplit:
    """Find a split's files.

    Args:
        name: "org/name" of the Hub, or a folder that `datasets` reads.
        config: Name of the configuration, where the data set has several.
        revision: Its commit, tag or branch; None for the newest commit of the main branch.
        local: How to go on without the Hub, as an imperative.

    Raises:
        DataError: The data set cannot be loaded.
    """
    go_offline_if_unreachable()
    import datasets

    try:
        builder = datasets.load_dataset_builder(name, config, revision=revision)
        found = (builder.config.data_files or {}).get(split, ())
    except Exception as error:  # the client raises its own errors, httpx's and plain OSErrors
        raise _not_loaded(name, error, local) from error
    return HubSplit(name, split, tuple(map(str, found)), local, builder)


def _not_loaded(name: str, error: Exception, local: str) -> DataError:
    return DataError(why_not_loaded(error, f"data set '{name}'", local=local))


def _encoded(feature: Any) -> Any:
    """The feature that leaves images encoded; None for one that holds no images."""
    import datasets

    if isinstance(feature, datasets.Image):
        return datasets.Image(decode=False)
    if isinstance(getattr(feature, "feature", None), datasets.Image):
        return type(feature)(datasets.Image(decode=False))
    return None
