"""Whether a checkpoint's weights can be those of the model that its config.json describes.

transformers draws at random what the files do not hold, in memory, before it says so. So the model
is made without any memory first ("meta" in torch), and its numbers are counted.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from vlmbench.errors import ModelError
from vlmbench.models.checkpoints import model_path
from vlmbench.models.resolve import ModelSpec

PER_BYTE = 8
"""Numbers that a byte of weights can stand for: four where each has two bits, and as many again
where two tables are one."""
TABLES = 2**26
"""Numbers that a model computes by itself, such as the angles of its positions."""

WEIGHT_FILES = ("*.safetensors", "*.bin")


def check_size(spec: ModelSpec, auto: Any, config: Any) -> None:
    """See that the model is no larger than the files beside its config.json can hold.

    Args:
        auto: The class of transformers that makes it.

    Raises:
        ModelError: It is. Models that are not in a directory here are not looked at, nor those
            that cannot be made, of which loading will tell.
    """
    folder = model_path(spec.location)
    held = sum(path.stat().st_size for path in _weights(folder)) if folder.is_dir() else 0
    if not held:
        return
    count = _numbers(auto, config)
    if count > held * PER_BYTE + TABLES:
        raise ModelError(
            f"The config.json of {spec.location} describes a model of {count:,} numbers, and its "
            f"weights are files of {held:,} bytes, which cannot hold it; restore whichever of them "
            "was changed."
        )


def _weights(folder: Path) -> list[Path]:
    return [path for kind in WEIGHT_FILES for path in folder.glob(kind) if path.is_file()]


def _numbers(auto: Any, config: Any) -> int:
    """Parameters and tables of the model; 0 if it cannot be made."""
    import torch
    from transformers.initialization import no_init_weights

    try:
        with no_init_weights(), torch.device("meta"):
            model = auto.from_config(copy.deepcopy(config))
    except Exception:  # a class may raise anything at an odd config; loading says it better
        return 0
    # Tables that are computed from positions are not kept in files.
    return sum(one.numel() for one in (*model.parameters(), *model.buffers()))
