"""Parquet from strangers: long values are refused, repeated ones not held many times at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from made_tasks import color_rows, write_task

from vlmbench.errors import DataError
from vlmbench.tasks.parquet_rows import MAX_VALUE_MIB, parquet_rows
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.rows import read_rows

LONG = "x" * ((MAX_VALUE_MIB + 1) * 2**20)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (LONG, "'a'"),
        (LONG.encode(), "'a'"),
        ({"bytes": LONG.encode()}, "'a'"),
        ([LONG], "'a'"),
    ],
)
def test_a_long_value_is_refused(tmp_path: Path, value: object, place: str) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [value], "b": ["y"]}), path)
    with pytest.raises(DataError, match=f"The column {place} of .* holds a value of 65 MiB"):
        list(parquet_rows(path, None, 32))
    assert list(parquet_rows(path, ["b"], 32)) == [{"b": "y"}]


@pytest.mark.parametrize("value", [LONG, {"bytes": LONG.encode(), "path": None}, [LONG]])
def test_one_long_value_among_many_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [value, *[None] * 200]}), path)
    with pytest.raises(DataError, match=r"The column 'a(\.bytes)?' of .* a value of 65 MiB"):
        list(parquet_rows(path, None, 32))


def test_values_that_rows_share_come_one_row_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    text = "長" * 10**6
    pyarrow.parquet.write_table(pyarrow.table({"a": [text] * 64, "n": range(64)}), path)
    assert path.stat().st_size < 10**6
    rows = parquet_rows(path, None, 64)
    before = pyarrow.total_allocated_bytes()
    assert [row["n"] for row in rows if row["a"] == text] == list(range(64))
    assert pyarrow.total_allocated_bytes() - before < 10 * len(text)


def test_nulls_and_nested_columns_are_as_pyarrow_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = [
        {"t": "あ", "b": b"\x00", "s": {"bytes": b"1", "path": None}, "l": ["x", None], "n": 1.5},
        {"t": None, "b": None, "s": None, "l": None, "n": None},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert list(parquet_rows(path, None, 32)) == rows


def test_long_columns_that_a_task_does_not_name_are_not_read(tmp_path: Path) -> None:
    rows = [{**row, "scan": "x" * 2**16, "note": "short"} for row in color_rows(3)]
    task = load_task(str(write_task(tmp_path, rows)))
    assert {name for row in read_rows(task) for name in row} == {*rows[0]} - {"scan"}
    named = load_task(str(write_task(tmp_path / "b", rows, prompt="{{ row.scan }}")))
    assert {name for row in read_rows(named) for name in row} == {*rows[0]}
    whole = load_task(str(write_task(tmp_path / "c", rows, prompt="{{ row | length }}")))
    assert {name for row in read_rows(whole) for name in row} == {*rows[0]}
