"""A Parquet file that is there as a whole or not at all: what `tasks prepare` and `data convert`
write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class ParquetFile:
    """Row groups into a file under a temporary name, which it loses when it is whole.

    Args:
        path: The file's name in the end.
        schema: Its `pyarrow.Schema`; None to take that of the first rows.
    """

    def __init__(self, path: Path, schema: Any = None) -> None:
        self.path = path
        self._schema = schema
        self._writer: Any = None

    @property
    def partial(self) -> Path:
        """The file while it is not whole."""
        return self.path.with_suffix(".partial")

    @property
    def begun(self) -> bool:
        """Whether something was written."""
        return self._writer is not None

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write a row group; an empty one only begins the file.

        Raises:
            OSError: The file cannot be written.
        """
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist(list(rows), schema=self._schema)
        if self._writer is None:
            self._schema = table.schema
            self._writer = pyarrow.parquet.ParquetWriter(self.partial, self._schema)
        if rows:
            self._writer.write_table(table.cast(self._schema))

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            OSError: The file cannot be written.
        """
        self._writer.close()
        self._writer = None
        self.partial.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing of what is not whole; after `finish` there is nothing."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.partial.unlink(missing_ok=True)
