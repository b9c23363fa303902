"""What `vlmbench tasks check` finds in a public benchmark's rows, one sentence for each mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from made_public import write_public

from vlmbench.check import check_task
from vlmbench.errors import DataError
from vlmbench.tasks.registry import load_task

Row = dict[str, Any]


def checked(folder: Path, change: Callable[[Row], Row], *, every: bool) -> tuple[str, ...]:
    """The problems of jgraphqa with the second of its three rows changed, or all of them."""
    write_public(load_task("jgraphqa"), folder)
    file = folder / "jgraphqa.parquet"
    table = pyarrow.parquet.read_table(file)
    rows = [change(r) if every or n == 1 else r for n, r in enumerate(table.to_pylist())]
    changed = pyarrow.Table.from_pylist(rows, schema=None if every else table.schema)
    pyarrow.parquet.write_table(changed, file)
    return check_task(load_task("jgraphqa", data_dir=folder)).problems


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"question": "  "}, "The prompt of sample '1' of task 'jgraphqa' shows row.question"),
        ({"question": None}, "shows row.question, which is empty; fill it."),
        ({"image": None}, "There is no image in sample '1' of task 'jgraphqa'"),
        ({"image": {"bytes": b"x", "path": None}}, "cannot be read (UnidentifiedImageError"),
    ],
)
def test_one_bad_row(change: Row, sentence: str, tmp_path: Path) -> None:
    (problem,) = checked(tmp_path, lambda row: {**row, **change}, every=False)
    assert sentence in problem and "BytesIO" not in problem


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"question": ["a", "b"]}, "shows row.question, a list; it takes a text. 2 more samples"),
        ({"answer": {"a": 1}}, "The reference of sample '0' of task 'jgraphqa' shows row.answer"),
    ],
)
def test_a_column_of_another_type_is_one_sentence(
    change: Row, sentence: str, tmp_path: Path
) -> None:
    (problem,) = checked(tmp_path, lambda row: {**row, **change}, every=True)
    assert sentence in problem


def test_a_missing_column_is_one_sentence(tmp_path: Path) -> None:
    def renamed(row: Row) -> Row:
        return {("Question" if name == "question" else name): one for name, one in row.items()}

    (problem,) = checked(tmp_path, renamed, every=True)
    assert "no column 'question'" in problem and "did you mean 'Question'?" in problem
    assert problem.endswith("2 more samples are like this.")


@pytest.mark.parametrize("change", [{"answer": None}, {"answer": ""}])
def test_null_is_no_answer(change: Row, tmp_path: Path) -> None:
    """And not the word None."""
    with pytest.raises(DataError, match="no reference answer in row 1"):
        checked(tmp_path, lambda row: {**row, **change}, every=False)


def test_a_question_that_comes_again_is_a_note(tmp_path: Path) -> None:
    write_public(load_task("jgraphqa"), tmp_path)
    found = check_task(load_task("jgraphqa", data_dir=tmp_path))
    note, size = found.notes
    assert size.startswith("The data of jgraphqa has 3 samples where its card says ")
    assert found.problems == () and note.startswith("2 of the samples repeat an earlier one")


def test_an_id_that_comes_again_is_refused(tmp_path: Path) -> None:
    write_public(load_task("docvqa"), tmp_path)
    file = tmp_path / "docvqa.parquet"
    rows = pyarrow.parquet.read_table(file)
    pyarrow.parquet.write_table(pyarrow.concat_tables([rows, rows]), file)
    with pytest.raises(DataError, match="The id 'x_0' stands twice"):
        check_task(load_task("docvqa", data_dir=tmp_path))
