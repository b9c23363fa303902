"""Rows of training data, written by hand for each layout that the trainer reads."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image


def png(color: str = "red", size: tuple[int, int] = (12, 8)) -> bytes:
    """A picture of one color."""
    encoded = io.BytesIO()
    PIL.Image.new("RGB", size, color).save(encoded, "png")
    return encoded.getvalue()


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


RED, BLUE = png("red"), png("blue")


def struct(data: bytes) -> dict[str, Any]:
    """As `datasets.Image` stores it."""
    return {"bytes": data, "path": None}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def message(role: str, content: object) -> dict[str, Any]:
    return {"role": role, "content": content}


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path, **options)
    return path


def write_jsonl(path: Path, rows: Sequence[object]) -> Path:
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    return path
