"""Parts and LoRA targets, on a tiny model of every family with images."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
import torch
from made_families import BUILT, SEEING, build, loaded, train_steps

from vlmbench.errors import ModelError, UsageError
from vlmbench.models.families import ModelFamily, PartPrefixes, known_families
from vlmbench.runners.hf.quantize import kept_whole
from vlmbench.train.parts import (
    PART_NAMES,
    PartRow,
    describe,
    freeze_unreached,
    lora_targets,
    partition,
    train_only,
)

pytestmark = [
    # PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SUFFIXES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The list that most recipes of other trainers give."""

REACHED = {
    # shared/reference/trainers.md, table 1b: of towers of two layers, as these are
    **dict.fromkeys(("llava", "llava_next", "llava_onevision", "idefics2", "idefics3"), 6),
    **dict.fromkeys(("smolvlm", "gemma3", "internvl", "paligemma", "qwen2_5_vl"), 6),
    **dict.fromkeys(("qwen2_vl", "qwen3_vl", "blip-2"), 0),
    "mistral3": 14,
}
"""Modules of the vision encoder that the bare list reaches."""

CONNECTORS = {
    # shared/reference/trainers.md, table 1b: tensors where it counts them
    "qwen3_vl": (12, ["deepstack_merger_list", "merger"]),
    "gemma3": (2, ["multi_modal_projector"]),
    "idefics3": (1, ["connector"]),
    "llava": (4, ["multi_modal_projector"]),
    "llava_next": (5, ["image_newline", "multi_modal_projector"]),
}

NEVER_REACHED = {
    # LLaVA takes the features before the last layer (complaint 12); so do those that follow it.
    "llava": "model.vision_tower.encoder.layers.1.",
    "llava_next": "model.vision_tower.encoder.layers.1.",
    "phi4_multimodal": "model.embed_tokens_extend.image_embed.img_processor.encoder.layers.2.",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(params=SEEING)
def key(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_family_with_images_has_parts() -> None:
    without = {
        name
        for name, one in known_families().items()
        if not one.text_only and one.recipe is None and one.parts is None
    }
    assert without == {"evovlm-jp"}  # no code of it is in transformers
    assert set(SEEING) == {
        one.model_type for one in BUILT if not known_families()[one.model_type].text_only
    }


def test_every_parameter_is_in_one_part(key: str) -> None:
    model = build(key)
    parts = partition(model, known_families()[key])
    rows = describe(model, parts)
    assert sum(row.parameters for row in rows) == model.num_parameters()
    assert sum(row.tensors for row in rows) == len(list(model.parameters()))
    assert {row.part for row in rows} >= set(PART_NAMES)
    assert {row.part for row in rows} - set(PART_NAMES) <= {"other"}
    seen, named = model.get_input_embeddings(), dict(model.named_modules())
    assert {parts.part_of(name) for name, one in named.items() if one is seen} == {"language"}
    assert parts.part_of("") is None and parts.part_of("model") is None


def test_what_four_bits_leave_out_is_all_but_the_language_models_layers(key: str) -> None:
    from transformers.quantizers.quantizers_utils import should_convert_module

    model, kind = build(key), known_families()[key]
    parts, kept = partition(model, kind), kept_whole(kind, model)
    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            is_layer = parts.part_of(name) == "language" and module is not head
            assert should_convert_module(name, kept) == is_layer, name


def test_prefixes_are_those_of_the_model(key: str) -> None:
    prefixes = known_families()[key].parts
    assert prefixes is not None
    names = [name for name, _ in build(key).named_parameters(remove_duplicate=False)]
    for prefix in (*prefixes.vision, *prefixes.connector, *prefixes.language):
        # Only some checkpoints of a family tie or lack a head; loose parameters are always there.
        assert any(name == prefix or name.startswith(f"{prefix}.") for name in names), prefix


@pytest.mark.parametrize("key", CONNECTORS)
def test_connectors_are_those_of_the_reference(key: str) -> None:
    model = build(key)
    parts = partition(model, known_families()[key])
    names = [name for name, _ in model.named_parameters() if parts.part_of(name) == "connector"]
    words = ("merger", "deepstack_merger_list", "multi_modal_projector", "connector")
    held = {next(w for w in (*words, "image_newline") if w in name.split(".")) for name in names}
    assert (len(names), sorted(held)) == CONNECTORS[key]


def test_mixture_of_experts_has_the_parts_of_its_family() -> None:
    """On the meta device, two layers a part; its tiny model is not among the families."""
    from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

    text = {"num_hidden_layers": 2, "num_experts": 4, "vocab_size": 1000}
    vision = {"depth": 2, "deepstack_visual_indexes": [0]}
    with torch.device("meta"):
        model = Qwen3VLMoeForConditionalGeneration(
            Qwen3VLMoeConfig(text_config=text, vision_config=vision)
        )
    parts = partition(model, known_families()["qwen3_vl_moe"])
    connector = [n for n, _ in model.named_parameters() if parts.part_of(n) == "connector"]
    assert len(connector) == 12


def test_cross_attention_of_mllama_is_connector() -> None:
    """Its layers are fresh where a language model is given eyes, so `align` trains them."""
    model = build("mllama")
    parts = partition(model, known_families()["mllama"])
    found = {name: parts.part_of(name) for name, _ in model.named_parameters()}
    inside = {n: part for n, part in found.items() if n.startswith("model.language_model.layers.")}
    assert {n.split(".")[3] for n, part in inside.items() if part == "connector"} == {"1"}
    assert {n.split(".")[3] for n, part in inside.items() if part == "language"} == {"0", "2"}
    assert found["model.multi_modal_projector.weight"] == "connector"


def test_sound_of_gemma4_is_never_trained() -> None:
    from transformers import Gemma4AudioConfig, Gemma4Config, Gemma4ForConditionalGeneration

    text = {"num_hidden_layers": 2, "vocab_size": 1000, "vocab_size_per_layer_input": 1000}
    with torch.device("meta"):
        config = Gemma4Config(
            text_config=text,
            vision_config={"num_hidden_layers": 1},
            audio_config=Gemma4AudioConfig(num_hidden_layers=1).to_dict(),
        )
        model = Gemma4ForConditionalGeneration(config)
    parts = partition(model, known_families()["gemma4"])
    found = {parts.part_of(n) for n, _ in model.named_parameters() if "audio" in n}
    assert found == {"other"}


def test_an_unknown_family_is_refused_with_its_names() -> None:
    with pytest.raises(ModelError) as refused:
        partition(build("llava"), ModelFamily())
    assert str(refused.value) == (
        "Which part of a LlavaForConditionalGeneration these belong to is not known: "
        "model.vision_tower, model.multi_modal_projector, model.language_model, lm_head.weight; "
        "add their prefixes to its `parts` in vlmbench/models/families.yaml."
    )


def test_unplaced_parameters_are_refused() -> None:
    prefixes = PartPrefixes(
        vision=("model.vision_tower",),
        connector=("model.multi_modal_projector",),
        language=("model.language_model", "lm_head"),
    )
    with pytest.raises(ModelError, match=r"not known: model\.image_newline; add"):
        partition(build("llava_next"), ModelFamily(title="LLaVA-NeXT", parts=prefixes))


def test_a_weight_that_two_parts_share_is_refused() -> None:
    prefixes = PartPrefixes(
        vision=("model.vision_tower",),
        connector=("model.multi_modal_projector", "lm_head"),
        language=("model.language_model",),
    )
    with pytest.raises(ModelError, match="in its connector part and, as"):
        partition(build("gemma3"), ModelFamily(title="Gemma 3", parts=prefixes))


def test_part_names_are_checked() -> None:
    model = build("llava")
    parts = partition(model, known_families()["llava"])
    with pytest.raises(UsageError, match=r"Unknown part 'langage'\. Did you mean 'language'"):
        train_only(model, parts, ["langage"])
    with pytest.raises(UsageError, match="No part is chosen"):
        train_only(model, parts, [])


# LoRA (complaint 10)


@pytest.mark.parametrize(("key", "count"), REACHED.items())
def test_a_bare_suffix_list_reaches_the_vision_encoder(key: str, count: int) -> None:
    model = build(key)
    parts = partition(model, known_families()[key])
    bare = [n for n, _ in model.named_modules() if n.rpartition(".")[2] in SUFFIXES]
    assert sum(parts.part_of(name) == "vision" for name in bare) == count


def test_a_suffix_list_stays_in_the_chosen_part(key: str) -> None:
    model = build(key)
    parts = partition(model, known_families()[key])
    language = [n for n, _ in model.named_modules() if parts.part_of(n) == "language"]
    there = [one for one in SUFFIXES if any(name.endswith(f".{one}") for name in language)]
    assert there
    targets = lora_targets(model, parts, ["language"], there)
    assert targets == [name for name in language if name.rpartition(".")[2] in there]


def test_gemma4s_wrapped_layers_go_by_their_usual_names() -> None:
    model = build("gemma4")
    parts = partition(model, known_families()["gemma4"])
    targets = lora_targets(model, parts, ["vision"], ["q_proj", "v_proj"])
    assert targets == [
        f"model.vision_tower.encoder.layers.{layer}.self_attn.{name}_proj.linear"
        for layer in (0, 1)
        for name in "qv"
    ]


def test_all_linear_takes_every_linear_layer_but_the_head(key: str) -> None:
    model = build(key)
    parts = partition(model, known_families()[key])
    chosen = ["vision", "language"]
    targets = lora_targets(model, parts, chosen)
    assert {parts.part_of(name) for name in targets} == set(chosen)
    assert all(isinstance(model.get_submodule(name), torch.nn.Linear) for name in targets)
    assert not any("lm_head" in name for name in targets)
    linear = {n for n, one in model.named_modules() if isinstance(one, torch.nn.Linear)}
    left = {name for name in linear - set(targets) if parts.part_of(name) in chosen}
    heads = {name for name in left if name.endswith("lm_head")}
    # The pooling head of SigLIP is attention of torch, which never calls its layer.
    assert left - heads <= {name for name in left if name.endswith("head.attention.out_proj")}


def test_gemma3s_connector_cannot_take_lora() -> None:
    model = build("gemma3")
    parts = partition(model, known_families()["gemma3"])
    with pytest.raises(ModelError) as refused:
        lora_targets(model, parts, ["connector", "language"])
    assert str(refused.value) == (
        "LoRA cannot adapt the connector part of Gemma 3, which has no linear layer (its weights "
        "are model.multi_modal_projector.mm_input_projection_weight, "
        "model.multi_modal_projector.mm_soft_emb_norm.weight); train it in full instead."
    )


def test_a_chosen_part_is_never_passed_over() -> None:
    model = build("qwen2_vl")
    parts = partition(model, known_families()["qwen2_vl"])
    with pytest.raises(ModelError, match="vision part of Qwen2-VL has no module that is called"):
        lora_targets(model, parts, ["vision", "language"], ["q_proj", "v_proj"])
    with pytest.raises(UsageError, match="Did you mean 'q_proj'"):
        lora_targets(model, parts, ["language"], ["q_porj"])
    assert lora_targets(model, parts, ["connector"]) == [
        "model.visual.merger.mlp.0",
        "model.visual.merger.mlp.2",
    ]


def test_patches_and_head_only_if_they_are_named() -> None:
    model = build("qwen2_vl")
    parts = partition(model, known_families()["qwen2_vl"])
    assert lora_targets(model, parts, ["vision"], ["patch_embed.proj"]) == [
        "model.visual.patch_embed.proj"
    ]
    assert lora_targets(model, parts, ["language"], ["lm_head"]) == ["lm_head"]
    tied = build("gemma3")
    with pytest.raises(ModelError, match="lm_head is tied"):
        lora_targets(tied, partition(tied, known_families()["gemma3"]), ["language"], ["lm_head"])


def test_an_adapter_is_where_the_targets_are(key: str, root: Path) -> None:
    model, inputs = loaded(key, root)
    parts = partition(model, known_families()[key])
    targets = lora_targets(model, parts, ["vision"])
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=targets))
    added = {name for name, one in adapted.named_parameters() if one.requires_grad}
    expected = {
        f"base_model.model.{name}.lora_{side}.default.weight" for name in targets for side in "AB"
    }
    assert added == expected
    adapted(**inputs).loss.backward()
    frozen = freeze_unreached(adapted, parts, ["vision"])
    assert bool(frozen) == any(NEVER_REACHED.get(key, "nothing") in name for name in targets)
    train_steps(adapted, parts, inputs, ["vision"])


def test_an_adapter_beside_a_connector_that_is_trained_in_full(root: Path) -> None:
    model, inputs = loaded("qwen2_vl", root)
    parts = partition(model, known_families()["qwen2_vl"])
    targets = lora_targets(model, parts, ["language"])
    config = peft.LoraConfig(r=2, target_modules=targets, modules_to_save=["merger"])
    adapted = peft.get_peft_model(model, config)
    rows = {row.part: row.trained for row in describe(adapted, parts)}
    # r=2 on q, k, v, o of 32x32 and gate, up, down of 32x64, in two layers
    assert rows == {"vision": 0, "connector": 20704, "language": 2 * 2 * (4 * 64 + 3 * 96)}
    train_steps(adapted, parts, inputs, ["connector", "language"])


# One real step (complaints 9, 11, 12)


@pytest.mark.parametrize("part", PART_NAMES)
def test_one_part_is_trained_and_nothing_else(key: str, part: str, root: Path) -> None:
    model, inputs = loaded(key, root)
    model.bfloat16()
    parts = partition(model, known_families()[key])
    train_only(model, parts, [part])
    learned = {n: one for n, one in model.named_parameters() if one.requires_grad}
    assert {parts.part_of(name) for name in learned} == {part}
    assert {one.dtype for one in learned.values()} == {torch.float32}
    assert [row.part for row in describe(model, parts) if row.trained] == [part]
    model.float()
    model(**inputs).loss.backward()
    frozen = freeze_unreached(model, parts, [part])
    assert all(one.grad is None for one in learned.values())
    assert not frozen or part == "vision"
    if part == "vision":
        unused = NEVER_REACHED.get(key, "nothing")
        assert {name for name in learned if name.startswith(unused)} <= set(frozen)
    train_steps(model, parts, inputs, [part])


def test_rows_say_what_is_trained() -> None:
    model = build("qwen2_vl")
    parts = partition(model, known_families()["qwen2_vl"])
    train_only(model, parts, ["connector"])
    rows = {row.part: row for row in describe(model, parts)}
    assert rows["connector"] == PartRow("connector", tensors=6, parameters=20704, trained=20704)
    assert rows["vision"].trained == rows["language"].trained == 0


def test_quantized_weights_are_not_trained_in_full() -> None:
    model = build("qwen2_vl")
    parts = partition(model, known_families()["qwen2_vl"])
    train_only(model, parts, ["connector"])
    weight = model.model.visual.merger.mlp[0]
    weight.weight = torch.nn.Parameter(weight.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(ModelError, match="connector part of Qwen2-VL is quantized"):
        train_only(model, parts, ["connector"])
