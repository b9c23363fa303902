"""Rows of the public benchmarks for tests, as local Parquet with exactly the published columns.

`public/schemas.json` holds names and types of the columns as the benchmarks' Hub pages and the
reference harnesses' code show them. The texts come from the tasks' own hand-made examples, so that
an example that the real columns could not hold is found here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from made_tasks import picture

from vlmbench.tasks.registry import load_task, task_names
from vlmbench.tasks.spec import Example, TaskSpec

SCHEMAS: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "tasks" / "public" / "schemas.json").read_text(encoding="utf-8")
)
PUBLIC = [name for name in task_names() if load_task(name).data.path is None]
REPEATS = 3
"""Rows a subset and an example."""

# What the rows look like that a task does not keep.
OTHERS: dict[str, dict[str, Any]] = {
    "cvqa-ja": {"Subset": "('Korean', 'South Korea')"},
    "cc-ocr-ja": {"l2-category": "Korean"},
    "mtvqa-ja": {"lang": "KO"},
    "jawildtext-board-vqa": {"answer": None},
}


def write_public(task: TaskSpec, folder: Path) -> int:
    """Write a task's rows as `--data-dir` wants them, and return how many samples they make."""
    subsets = task.data.subsets or (None,)
    for subset in subsets:
        rows = list(_rows(task, subset))
        file = folder / f"{task.name}.parquet"
        if subset is not None:
            file = folder / task.name / f"{subset}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        if task.name in OTHERS:
            rows.append({**rows[0], **OTHERS[task.name]})
        schema = _schema(SCHEMAS[task.name])
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file)
    return len(subsets) * len(task.examples) * REPEATS


def _rows(task: TaskSpec, subset: str | None) -> Iterator[dict[str, Any]]:
    number = 0
    for example in task.examples:
        for _ in range(REPEATS):
            yield _row(task, example, f"{subset or 'x'}_{number}", number)
            number += 1


def _row(task: TaskSpec, example: Example, label: str, number: int) -> dict[str, Any]:
    """The example's row with an id of its own and its images; what it lacks is null."""
    columns = SCHEMAS[task.name]
    row = {name: value for name, value in example.row.items() if name != "subset"}
    missing = set(row) - set(columns)
    assert not missing, f"the examples of {task.name} have columns that its data lacks: {missing}"
    for name in columns:
        if f"row.{name} " in task.fields.id and columns[name] == "string":
            row[name] = f"test_Math_{label}" if task.fields.derived else label
        elif f"row.{name} " in task.fields.id:
            row[name] = number
    if column := task.data.each:
        element = dict(row[column])
        if "qa_id" in element:
            element["qa_id"] = number
        row[column] = str([element]) if columns[column] == "string" else [element]
    left = example.images
    for name in task.fields.images:
        kind = columns[name]
        if kind == "list<image>":
            row[name] = [{"bytes": picture(size=(8, 8)), "path": None}] * left
        elif left:
            data = picture(size=(8, 8))
            base64_text = base64.b64encode(data).decode()
            row[name] = {"bytes": data, "path": None} if kind == "image" else base64_text
            left -= 1
    return row


def _schema(columns: dict[str, str]) -> pyarrow.Schema:
    return pyarrow.schema([(name, _type(text)) for name, text in columns.items()])


def _type(text: str) -> pyarrow.DataType:
    """Such as list<struct<text: string, polygon: list<int64>>>."""
    if text == "image":
        return pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    if text.startswith("list<"):
        return pyarrow.list_(_type(text[5:-1]))
    if text.startswith("struct<"):
        parts = (part.split(": ", 1) for part in _split(text[7:-1]))
        return pyarrow.struct([(name, _type(kind)) for name, kind in parts])
    return pyarrow.type_for_alias(text)


def _split(text: str) -> Iterator[str]:
    """The parts between commas that no bracket encloses."""
    depth, start = 0, 0
    for position, sign in enumerate(text):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and depth == 0:
            yield text[start:position].strip()
            start = position + 1
    yield text[start:].strip()
