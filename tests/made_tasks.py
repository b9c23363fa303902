"""Small real tasks for tests: pictures, rows, Parquet files and task files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow
import pyarrow.parquet
import yaml

COLORS = {"赤": (220, 30, 30), "青": (30, 60, 220), "緑": (30, 160, 60), "黄色": (240, 220, 40)}


def picture(color: str = "赤", *, size: tuple[int, int] = (48, 48)) -> bytes:
    """A PNG of one color."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, COLORS[color]).save(buffer, "PNG")
    return buffer.getvalue()


def color_rows(count: int, *, images: int = 1) -> list[dict[str, Any]]:
    """Questions for the color of a picture; the answers go round."""
    names = list(COLORS)
    rows = []
    for number in range(count):
        name = names[number % len(names)]
        struct = {
            "bytes": picture(name, size=(32 + 8 * (number % 4), 40 + number)),
            "path": None,
        }
        rows.append(
            {
                "id": f"q{number:03}",
                "images": [struct] * images,
                "question": "<image>" * images + "何色ですか。",
                "references": [name, f"{name}色"],
                "kind": "colour" if number % 3 else "what",
                "style": None if number % 2 else "seen",
            }
        )
    return rows


def task_data(**changes: Any) -> dict[str, Any]:
    """What the task file of such rows says, with some keys replaced."""
    data: dict[str, Any] = {
        "name": "colors",
        "display": {"title": "色", "capability": "vqa", "licence": "CC0-1.0"},
        "data": {"path": "colors.parquet"},
        "fields": {
            "id": "{{ row.id }}",
            "images": ["images"],
            "references": {"column": "references"},
            "meta": ["kind", "style"],
        },
        "slices": ["kind", "style"],
        "prompt": "{{ row.question | interleave }}\n短く答えてください。\n",
        "generation": {"max_new_tokens": 4},
        "metrics": [{"use": "match.exact"}],
    }
    return {**data, **changes}


def write_task(
    folder: Path, rows: Sequence[Mapping[str, Any]] | None = None, **changes: Any
) -> Path:
    """Write a task file, and its rows as Parquet unless there are none to write."""
    folder.mkdir(parents=True, exist_ok=True)
    if rows is not None:
        table = pyarrow.Table.from_pylist([dict(row) for row in rows])
        pyarrow.parquet.write_table(table, folder / "colors.parquet", row_group_size=8)
    path = folder / "colors.yaml"
    path.write_text(yaml.safe_dump(task_data(**changes), allow_unicode=True), encoding="utf-8")
    return path
