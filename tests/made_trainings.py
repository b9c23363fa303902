"""What tests of training share: a recipe prepared, a log read, a training interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from made_colors import color_rows, data_recipe, write_rows
from safetensors.torch import load_file

from vlmbench.train.data.examples import Example
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe import Recipe
from vlmbench.train.recipe_file import parse_recipe, read_recipe


def recipe_of(path: Path) -> Recipe:
    return parse_recipe(read_recipe(path), path).stages[-1]


def prepared(folder: Path, model: Path, rows: int = 24, **changes: Any) -> Prepared:
    """A recipe on rows of colors, ready to be trained by."""
    write_rows(folder / "rows.parquet", color_rows(rows))
    return prepare(recipe_of(data_recipe(folder, model, **changes)), folder)


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [row["train/loss"] for row in log_of(out) if "train/loss" in row]


def facts_of(out: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((out / "checkpoint.json").read_text())
    return facts


def adapter(out: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(out / "adapter_model.safetensors"))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def alone(*examples: Example) -> list[tuple[Example, ...]]:
    """Each example in a row of its own."""
    return [(one,) for one in examples]


def gradients(ready: Prepared) -> dict[str, torch.Tensor]:
    """Of the first update."""
    loop = ready.loop
    _, batches = loop._micro_batches(0)
    loop._backward(0, batches, sum(batch.learned for batch in batches))
    found = {name: p.grad.clone() for name, _, p in ready.trainable.trained() if p.grad is not None}
    ready.trainable.model.zero_grad()
    return found


def resumable(folder: Path, seedling: Path) -> Path:
    """A recipe on a mixture, by LoRA with dropout and the connector in full.

    It saves after steps 3 and 6 of 8.
    """
    rows = color_rows(24)
    write_rows(folder / "rows.parquet", rows[:16])
    write_rows(folder / "more.parquet", rows[16:])
    return data_recipe(
        folder,
        seedling,
        data=[{"path": "rows.parquet"}, {"path": "more.parquet", "weight": 0.5}],
        lora={"r": 4, "alpha": 8, "dropout": 0.1},
        train=["connector"],
        max_steps=8,
        save_steps=3,
        validation={"rows": 4, "by": "picture"},
        evaluate={"every_steps": 4},
    )
