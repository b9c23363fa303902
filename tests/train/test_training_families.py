"""Ten steps of LoRA and of full training on a tiny model of every family with images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from families.common import SIDE, TEXT_SIZES, chat_template, enlarge, ids, tokenizer
from families.llava import CLIP
from family_pages import PAGE, trained_row
from made_colors import color_rows, data_recipe, write_rows
from made_families import SEEING
from trained_families import METHODS, train

from vlmbench.errors import ModelError
from vlmbench.train.run import train_by_recipe

# PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


@pytest.mark.parametrize("key", SEEING)
def test_a_family_learns_and_its_checkpoint_answers_as_the_live_model(key: str, root: Path) -> None:
    seen = [train(key, method, root) for method in METHODS]
    for one in seen:
        assert one.fall > 0.15
        assert len(one.live) == 4 and one.live == one.written
        assert one.asked_as_trained
    row = trained_row([{**asdict(one), "succeeded": one.succeeded} for one in seen])
    assert row in PAGE.read_text(encoding="utf-8").splitlines(), (
        "run: python tests/train/trained_families.py | python docs/build/family_pages.py trained"
    )


def vipllava(folder: Path) -> Path:
    """A family that transformers loads and families.yaml does not know."""
    from transformers import (
        CLIPImageProcessor,
        LlavaProcessor,
        VipLlavaConfig,
        VipLlavaForConditionalGeneration,
    )

    tokens = tokenizer(image_token="<image>")
    model: Any = VipLlavaForConditionalGeneration(
        VipLlavaConfig(
            text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
            vision_config=CLIP,
            image_token_index=tokens.image_token_id,
            vision_feature_layers=[-2, -1],
        )
    )
    enlarge(model)
    model.generation_config.eos_token_id = tokens.eos_token_id
    model.save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SIDE),
        tokenizer=tokens,
        patch_size=8,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=chat_template("<image>\n"),
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_a_family_whose_parts_are_not_known_is_refused_with_their_names(
    method: str, tmp_path: Path
) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(4))
    recipe = data_recipe(tmp_path, vipllava(tmp_path / "model"), method=method)
    with pytest.raises(ModelError) as refused:
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert str(refused.value) == (
        "Which part of a VipLlavaForConditionalGeneration these belong to is not known: "
        "model.vision_tower, model.multi_modal_projector, model.language_model, lm_head.weight; "
        "add their prefixes to its `parts` in vlmbench/models/families.yaml."
    )
    assert not (tmp_path / "out" / "config.json").exists()
