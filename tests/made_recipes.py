"""Training recipes that take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def make_recipe(folder: Path, seedling: Path, **changes: Any) -> Path:
    """Writes a recipe of nine steps, with some top-level keys replaced, and returns its path."""
    recipe = {
        "name": "small",
        "seed": 3,
        "model": {"checkpoint": str(seedling)},
        "data": {
            "groups_per_batch": 3,
            "questions_per_group": 2,
            "stages": [{"share": 1, "mixture": {"single": 1}, "kinds": {"what": 0}}],
        },
        "optimizer": {
            "muon_learning_rate": 0.02,
            "adamw_learning_rate": 0.01,
            "warmup_steps": 2,
        },
        "steps": 9,
        "micro_batches": 2,
        "precision": "float32",
        "weights_dtype": "float32",
        "check_groups": 2,
        "save_every": 4,
        "threads": 1,
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    return path
