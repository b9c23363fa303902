"""Rows to train on that take no time: plain pictures, asked for their color."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

COLORS = {"赤": (220, 30, 30), "青": (30, 30, 220), "緑": (30, 160, 60), "黄": (230, 210, 40)}
SCHEMA = pa.schema(
    [
        ("images", pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
        ("texts", pa.list_(pa.struct([("user", pa.string()), ("assistant", pa.string())]))),
    ]
)


def picture(color: tuple[int, int, int], number: int) -> bytes:
    """A PNG of one color, with a small mark by which two of them differ."""
    image = PIL.Image.new("RGB", (64, 64), color)
    image.putpixel((number % 64, number // 64 % 64), (255, 255, 255))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def color_rows(count: int, *, turns: int = 1) -> list[dict[str, Any]]:
    """Rows in the layout of The Cauldron."""
    rows = []
    for number in range(count):
        name = list(COLORS)[number % len(COLORS)]
        texts = [{"user": "これは何色ですか。", "assistant": name}] * turns
        content = picture(COLORS[name], number)
        rows.append({"images": [{"bytes": content, "path": None}], "texts": texts})
    return rows


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A Parquet file of such rows."""
    pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), path)
    return path


def data_recipe(folder: Path, model: str | Path | dict[str, Any], **changes: Any) -> Path:
    """Writes a recipe of six steps on `rows.parquet`; a change to None takes a key out."""
    recipe = {
        "name": "colors",
        "model": model if isinstance(model, dict) else str(model),
        "method": "lora",
        "lora": {"r": 4, "alpha": 8},
        "data": [{"path": "rows.parquet"}],
        "learning_rate": 0.01,
        "max_steps": 6,
        "per_device_train_batch_size": 4,
        "seed": 3,
        **changes,
    }
    kept = {key: value for key, value in recipe.items() if value is not None}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(kept, allow_unicode=True), encoding="utf-8")
    return path
