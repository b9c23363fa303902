"""A config.json whose numbers no model can have is refused before anything is made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vlmbench.models
from vlmbench.errors import ModelError
from vlmbench.models.config_check import check_config, check_image_sizes

TINY = json.loads(
    (Path(vlmbench.models.__file__).parent / "tiny-ja" / "config.json").read_text("utf-8")
)

IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"text_config": {"num_hidden_layers": 10**9}}, "text_config.num_hidden_layers"),
    ({"text_config": {"num_hidden_layers": 1_001}}, "text_config.num_hidden_layers"),
    ({"vision_config": {"depth": 10**8}}, "vision_config.depth"),
    ({"vision_config": {"depths": [2, 10**8]}}, "vision_config.depths"),
    ({"n_layer": 10**6}, "n_layer"),
    ({"num_attention_heads": 0}, "num_attention_heads"),
    ({"num_local_experts": 10**7}, "num_local_experts"),
    ({"hidden_size": "big"}, "hidden_size"),
    ({"hidden_size": -5}, "hidden_size"),
    ({"hidden_size": True}, "hidden_size"),
    ({"vocab_size": 0}, "vocab_size"),
    ({"max_position_embeddings": 10**30}, "max_position_embeddings"),
    ({"patch_size": 0}, "patch_size"),
    ({"intermediate_size": float("nan")}, "intermediate_size"),
    ({"model_type": ["a", "b"]}, "model_type"),
    ({"model_type": {"a": 1}}, "model_type"),
]


@pytest.mark.parametrize(("changed", "path"), IMPOSSIBLE)
def test_what_no_model_can_have_is_named(changed: dict[str, Any], path: str) -> None:
    with pytest.raises(
        ModelError, match=f"^The config.json of ./m cannot be a model's: '{path}' is"
    ):
        check_config({**TINY, **changed}, "./m")


POSSIBLE: list[dict[str, Any]] = [
    {},
    # Llama 3.1 405B, Kimi K2 and Gemma 3n, as their pages on the Hub have them.
    {"num_hidden_layers": 126, "hidden_size": 16384, "num_attention_heads": 128},
    {"num_hidden_layers": 61, "n_routed_experts": 384, "first_k_dense_replace": 1},
    {"vocab_size": 262_400, "intermediate_size": [16384] * 35, "num_kv_shared_layers": 15},
    {"num_key_value_heads": None, "head_dim": None, "sliding_window": None},
    {"num_experts": 0, "num_nextn_predict_layers": 0, "image_token_id": -200},
    {"vision_config": {"image_size": [336, 336], "patch_size": [14, 14]}},
    {"size": {"shortest_edge": 56 * 56}, "image_size": "dynamic"},
    {"max_position_embeddings": 10_485_760, "rope_theta": 5e8},
]


@pytest.mark.parametrize("changed", POSSIBLE)
def test_what_real_models_have_passes(changed: dict[str, Any]) -> None:
    check_config({**TINY, **changed}, "./m")


@pytest.mark.parametrize(
    "size", [{"shortest_edge": 2 * 10**8}, {"height": 10**5, "width": 10}, {"width": float("nan")}]
)
def test_images_are_not_made_to_fill_the_memory(size: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="makes images too large: 'size"):
        check_image_sizes({"size": size}, "m")
    check_image_sizes({"size": {"shortest_edge": 3136, "longest_edge": 12_845_056}}, "m")
