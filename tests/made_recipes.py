"""A recipe on generated pictures that takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_colors import data_recipe

DRAWN = {"synthetic": {"mixture": {"single": 1}, "kinds": {"what": 0}, "questions": 2}}
"""Asks for the color of the ground."""

SIZES = {
    "vocabulary": 600,
    "vision_width": 32,
    "vision_depth": 1,
    "vision_heads": 2,
    "text_width": 64,
    "text_feed_forward": 64,
    "text_depth": 1,
    "text_heads": 2,
}
"""Of a model from nothing."""


def drawn_recipe(folder: Path, model: Any, **changes: Any) -> Path:
    """Nine steps of Muon on generated pictures; a change to None takes a key out."""
    return data_recipe(
        folder,
        model,
        **{
            "name": "drawn",
            "method": "full",
            "lora": None,
            "data": [DRAWN],
            "optim": "muon",
            "learning_rate": 0.02,
            "optim_args": {"adamw_learning_rate": 0.01},
            "warmup_ratio": 0.2,
            "max_steps": 9,
            "save_steps": 4,
            "per_device_train_batch_size": 3,
            "gradient_accumulation_steps": 2,
            "validation": {"rows": 4},
            "evaluate": {"every_steps": 3, "best": "validation.match.exact"},
            **changes,
        },
    )
