"""Ten steps of LoRA on a tiny model of several families, saved and asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from families.common import save
from families.observe import FAMILIES
from made_colors import color_rows, data_recipe, write_rows

from vlmbench.train.checkpoint import try_checkpoint
from vlmbench.train.prepare import prepare
from vlmbench.train.recipe import parse_recipe, read_recipe

# PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("model_type", ["qwen3_vl", "gemma3", "llava", "paligemma"])
def test_a_family_learns_and_its_checkpoint_answers_alike(model_type: str, tmp_path: Path) -> None:
    family = next(one for one in FAMILIES if one.model_type == model_type)
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    path = data_recipe(
        tmp_path, save(family, tmp_path / "model"), max_steps=10, lr_scheduler_type="constant"
    )
    ready = prepare(parse_recipe(read_recipe(path), path).stages[0], tmp_path)
    losses = [report.loss for report in ready.loop.run()]
    assert losses[-1] < losses[0]
    try_checkpoint(tmp_path, ready.trainable, ready.live, ready.rows.training[0])
