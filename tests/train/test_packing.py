"""Packed questions against the same questions alone: every answer gets the same loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from families.common import TEXT_SIZES, Family, ids, save
from families.internvl import internvl
from made_colors import COLORS, color_rows, data_recipe, picture, write_rows
from made_families import SEEING

from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.load import Loaded, load
from vlmbench.train import losses as losses_module
from vlmbench.train.batch import Batch
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.losses import token_losses
from vlmbench.train.packing_check import packing_is_exact
from vlmbench.train.prepare import Prepared, end_tokens, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe

# PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RED, BLUE = Image(picture(COLORS["赤"], 1)), Image(picture(COLORS["青"], 2))
NOT_PACKED = ("paligemma",)
"""Its images see the question, so that no other can share them."""
ONE_QUESTION = ("paligemma", "blip-2")
"""Their templates write no earlier answers."""


def example(answer: str, *asked: Image | str) -> Example:
    return Example(answer, (Turn("user", asked), Turn("assistant", (answer,))), "made")


# Different lengths, a start that questions share, and a conversation of two answers.
GROUPS = [
    (
        example("赤", RED, "短く答えてください。何色ですか。"),
        example("はい、赤い画像です", RED, "短く答えてください。赤い画像ですか。本当に？"),
        Example(
            "turns",
            (
                *(Turn("user", (RED, "何色？")), Turn("assistant", ("赤",))),
                *(Turn("user", ("違いは？",)), Turn("assistant", ("ありません",))),
            ),
            "made",
        ),
    ),
    (example("青です", BLUE, "これは何色ですか。"), example("黄", BLUE, "一枚目の画像？")),
]


def internvl_with_gemma() -> tuple[Any, Any]:
    """As the recipe with real parts has it: a text model with two kinds of attention."""
    from transformers import InternVLForConditionalGeneration

    model, processor = internvl()
    text = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"]}
    values = model.config.to_dict()
    known = {**TEXT_SIZES, **ids(processor.tokenizer), **text}
    values["text_config"] = {**known, "model_type": "gemma3_text", "sliding_window": 9}
    return InternVLForConditionalGeneration(type(model.config)(**values)), processor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packing")


def opened(key: str, folder: Path) -> tuple[Loaded, ExampleEncoder]:
    if key == "tiny-ja":
        location = key
    elif key == "internvl/gemma3":
        location = str(save(Family(key, internvl_with_gemma), folder / "gemma"))
    else:
        location = str(save(SEEING[key], folder / key.replace("/", "-")))
    spec = resolve_model(location)
    loaded = load(spec)
    return loaded, ExampleEncoder(loaded, spec.options, end_tokens(loaded))


def alone(encoder: ExampleEncoder, batch: Batch) -> Batch:
    return encoder.batch([(one,) for one in batch.examples])


@pytest.mark.parametrize("key", ["tiny-ja", "internvl/gemma3", *SEEING])
def test_packing_changes_no_loss(key: str, folder: Path) -> None:
    loaded, encoder = opened(key, folder)
    groups = [group[:2] for group in GROUPS] if key in ONE_QUESTION else GROUPS
    assert packing_is_exact(loaded.model, encoder, groups) == (key not in NOT_PACKED)
    batch = encoder.batch(groups)
    apart = alone(encoder, batch)
    assert batch.learned_by_example == apart.learned_by_example
    assert len(batch.labels) == (len(batch.examples) if key in NOT_PACKED else 2)
    with torch.no_grad():
        packed, expected = token_losses(loaded.model, batch), token_losses(loaded.model, apart)
    # A token's loss may be 9, of which float32 keeps seven digits; sums over a row lose one more.
    torch.testing.assert_close(packed, expected, atol=1e-5, rtol=2e-6)
    assert float(packed.double().mean()) == pytest.approx(float(expected.double().mean()), abs=1e-6)


@pytest.mark.parametrize("key", ["gemma3", "mistral3"])
def test_packing_is_exact_within_a_sliding_window(key: str, folder: Path) -> None:
    loaded, encoder = opened(key, folder)
    with torch.no_grad():
        wide = token_losses(loaded.model, encoder.batch(GROUPS))
    text = loaded.model.config.get_text_config()
    text.sliding_window = 8
    for module in loaded.model.modules():
        if getattr(module, "sliding_window", None):
            module.sliding_window = 8
    assert packing_is_exact(loaded.model, encoder, GROUPS)
    with torch.no_grad():
        narrow = token_losses(loaded.model, encoder.batch(GROUPS))
    assert not torch.equal(wide, narrow)


def test_eager_attention_takes_the_mask_as_numbers(folder: Path) -> None:
    loaded, encoder = opened("gemma3", folder)
    loaded.model.set_attn_implementation("eager")
    assert packing_is_exact(loaded.model, encoder, GROUPS)


@pytest.fixture
def seen_by_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packed rows without what keeps their questions apart."""
    with monkeypatch.context() as patch:
        patch.setattr(losses_module, "packed_arguments", lambda *_: {})
        yield


@pytest.mark.usefixtures("seen_by_all")
def test_questions_that_see_one_another_are_found_out(folder: Path) -> None:
    loaded, encoder = opened("qwen2_vl", folder)
    assert not packing_is_exact(loaded.model, encoder, GROUPS)


def test_what_cannot_share_a_row_gets_one_of_its_own(folder: Path) -> None:
    _, encoder = opened("tiny-ja", folder)
    other_picture = (GROUPS[0][0], GROUPS[1][0])
    text_before = (example("赤", "一枚目", RED, "何色？"), example("赤", "二枚目", RED, "何色？"))
    no_picture = (example("赤", "何色？"), example("青", "何色？"))
    for group in (other_picture, text_before, no_picture):
        batch = encoder.batch([group])
        assert batch.segments is None and len(batch.labels) == 2
    mixed = encoder.batch([(*GROUPS[0][:2], GROUPS[1][0])])
    assert [one.id for one in mixed.examples] == ["赤", "はい、赤い画像です", "青です"]
    assert len(mixed.labels) == 2


def test_the_same_question_twice_and_two_pictures(folder: Path) -> None:
    loaded, encoder = opened("tiny-ja", folder)
    twice = (example("赤", RED, "何色？"), example("青", RED, "何色？"))
    two = tuple(example(name, "これは", RED, "次は", BLUE, name) for name in ("違い", "同じ"))
    assert packing_is_exact(loaded.model, encoder, [twice, two])


def prepared(folder: Path, seedling: Path, **changes: Any) -> Prepared:
    rows = color_rows(4)
    repeated = [
        {**row, "texts": [{"user": f"{row['texts'][0]['user']}{number}", "assistant": answer}]}
        for row in rows
        for number, answer in enumerate(("赤", "青と緑", "黄色です"))
    ]
    write_rows(folder / "rows.parquet", repeated)
    path = data_recipe(folder, seedling, **{"method": "full", **changes})
    return prepare(parse_recipe(read_recipe(path), path).stages[-1], folder)


def gradients(ready: Prepared, batches: list[Batch]) -> dict[str, torch.Tensor]:
    ready.loop._backward(0, batches, sum(batch.learned for batch in batches))
    found = {name: p.grad.clone() for name, _, p in ready.trainable.trained() if p.grad is not None}
    ready.trainable.model.zero_grad()
    return found


def test_rows_with_the_same_picture_are_packed_and_give_the_same_gradient(
    seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(tmp_path, seedling, packing=True, per_device_train_batch_size=2)
    _, batches = ready.loop._micro_batches(0)
    assert [len(batch.labels) for batch in batches] == [2]
    assert [len(batch.examples) for batch in batches] == [6]
    packed = gradients(ready, batches)
    apart = gradients(ready, [alone(ready.encoder, batch) for batch in batches])
    assert packed.keys() == apart.keys()
    for name, gradient in apart.items():
        torch.testing.assert_close(packed[name], gradient, atol=1e-6, rtol=1e-5)


def test_an_epoch_of_packed_rows_has_each_row_once(seedling: Path, tmp_path: Path) -> None:
    feed = prepared(tmp_path, seedling, packing=True, per_device_train_batch_size=3).loop.feed
    assert feed.steps_per_epoch == 2
    groups = [group for step in range(2) for group in feed.update(step)]
    assert [len(group) for group in groups] == [3] * 4
    assert all(len({one.images[0].digest for one in group}) == 1 for group in groups)
    assert len({one.id for group in groups for one in group}) == 12


def test_a_training_says_whether_it_packed(seedling: Path, tmp_path: Path) -> None:
    ready = prepared(tmp_path, seedling, packing=True, max_steps=2)
    assert [report.learned > 0 for report in ready.loop.run()] == [True, True]
    assert ready.loop.packing == "exact"


@pytest.mark.usefixtures("seen_by_all")
def test_where_packing_is_not_exact_each_example_has_its_row(
    seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(tmp_path, seedling, packing=True, max_steps=2)
    losses = [report.loss for report in ready.loop.run()]
    assert ready.loop.packing == "not exact for this family"
    plain = prepared(tmp_path, seedling, packing=True, max_steps=2)
    plain.loop.packing = "not exact for this family"
    assert [report.loss for report in plain.loop.run()] == pytest.approx(losses, abs=1e-6)


HALF: dict[str, Any] = {"bf16": True, "method": "lora", "train": ["connector"]}
"""The base in bfloat16, the connector and the adapter in float32."""


def test_weights_of_two_kinds_are_packed_too(seedling: Path, tmp_path: Path) -> None:
    ready = prepared(tmp_path, seedling, packing=True, max_steps=2, **HALF)
    kinds = {str(p.dtype) for p in ready.trainable.model.parameters()}
    assert kinds == {"torch.bfloat16", "torch.float32"}
    assert len([report.loss for report in ready.loop.run()]) == 2
    assert ready.loop.packing == "exact"


@pytest.mark.usefixtures("seen_by_all")
def test_in_half_precision_too_it_shows_that_questions_see_one_another(
    seedling: Path, tmp_path: Path
) -> None:
    ready = prepared(tmp_path, seedling, packing=True, max_steps=1, **HALF)
    assert len([report.loss for report in ready.loop.run()]) == 1
    assert ready.loop.packing == "not exact for this family"
