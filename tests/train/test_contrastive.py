"""The contrastive losses, large batches in two passes, resuming, and that it learns."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from vlmbench.errors import DataError, UsageError
from vlmbench.records import Image
from vlmbench.train.contrastive import (
    ContrastiveConfig,
    DualEncoder,
    backward_in_chunks,
    batch_rows,
    equal_texts,
    retrieval,
    sigmoid_loss,
    softmax_loss,
    train_contrastive,
)
from vlmbench.train.contrastive_stage import share_between_patches, speak_at_size
from vlmbench.train.encoders import (
    ImageEncoder,
    TextTower,
    TokenMeans,
    VlmImageEncoder,
    connector_inputs,
    seen,
)
from vlmbench.train.scratch import build_tokenizer
from vlmbench.train.synthetic.concepts import TRAINING_STYLES
from vlmbench.train.synthetic.scenes import available, draw, random_scene
from vlmbench.train.synthetic.sprites import load_sprites

SIDE = 32


def unit(rows: int, *, seed: int) -> torch.Tensor:
    vectors = torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=-1)


def to_pixels(pictures: list[Any]) -> torch.Tensor:
    arrays = [np.asarray(one.resize((SIDE, SIDE)), dtype=np.float32) for one in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 127.5 - 1


@dataclass(frozen=True)
class Pairs:
    images: list[Image]
    texts: list[str]

    def pixels(self, rows: list[int]) -> torch.Tensor:
        return to_pixels([self.images[row].decode() for row in rows])


@cache
def icons(count: int, kinds: int, seed: int) -> Pairs:
    """Pictures of single things in the styles of training, with their names."""
    rng, sprites = random.Random(seed), load_sprites()
    pairs = Pairs([], [])
    for _ in range(count):
        style = rng.choice(TRAINING_STYLES)
        subject = rng.choice(available(style, sprites)[:kinds])
        scene = random_scene(rng, "icon", style, sprites, subject=subject)
        output = io.BytesIO()
        draw(scene, rng, sprites).save(output, format="PNG")
        pairs.images.append(Image(output.getvalue()))
        pairs.texts.append(subject.name)
    return pairs


def dual_encoder(texts: list[str], *, seed: int = 0, batch_size: int = 64) -> DualEncoder:
    torch.manual_seed(seed)
    config = transformers.SiglipVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=8,
        vision_use_head=False,
    )
    images = ImageEncoder(transformers.SiglipVisionModel(config), 64)
    return DualEncoder(images, TextTower(build_tokenizer(texts, 400), 64), batch_size=batch_size)


def test_softmax_loss_is_clips() -> None:
    images, texts, scale = unit(6, seed=1), unit(6, seed=2), torch.tensor(7.0)
    expected = image_text_contrastive_loss(scale * texts @ images.T)
    got = softmax_loss(images, texts, scale, torch.eye(6, dtype=torch.bool))
    torch.testing.assert_close(got, expected)


def test_sigmoid_loss_is_siglips() -> None:
    """transformers' SiglipModel on its own vectors."""
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    model = transformers.SiglipModel(
        transformers.SiglipConfig(
            text_config={**sizes, "vocab_size": 50, "projection_size": 32},
            vision_config={**sizes, "image_size": 16, "patch_size": 8},
        )
    ).eval()
    output = model(
        input_ids=torch.randint(3, 50, (5, 4)),
        pixel_values=torch.randn(5, 3, 16, 16),
        return_loss=True,
    )
    got = sigmoid_loss(
        output.image_embeds,
        output.text_embeds,
        model.logit_scale.exp(),
        model.logit_bias,
        torch.eye(5, dtype=torch.bool),
    )
    torch.testing.assert_close(got, output.loss)


def test_equal_texts_are_no_negatives() -> None:
    """Two pictures of a dog, whose vectors are all right: a lower loss than as negatives."""
    images = torch.eye(3)[[0, 0, 1]]
    same, scale = equal_texts(["犬", "犬", "猫"]), torch.tensor(20.0)
    assert same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    # With two positives the best softmax loss is log 2 for each dog, and nothing for the cat.
    loss = softmax_loss(images, images, scale, same).item()
    assert loss == pytest.approx(2 / 3 * np.log(2), abs=1e-4)
    assert sigmoid_loss(images, images, scale, torch.tensor(-10.0), same).item() < 1e-3


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("chunk_size", [3, 8])
def test_two_passes_give_the_gradients_of_one(kind: Any, chunk_size: int) -> None:
    texts = [f"絵{number % 6}" for number in range(8)]
    model = dual_encoder(texts).eval()
    pixels = torch.randn(8, 3, SIDE, SIDE)
    loss = model.loss(*model(pixels, texts), equal_texts(texts), kind)
    loss.backward()
    expected = {name: value.grad for name, value in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    got = backward_in_chunks(
        model, lambda rows: pixels[rows], range(8), texts, chunk_size=chunk_size, kind=kind
    )
    assert got == pytest.approx(loss.item(), rel=1e-5)
    for name, value in model.named_parameters():
        torch.testing.assert_close(value.grad, expected[name], rtol=1e-4, atol=1e-6)


def test_rows_of_a_step_cover_the_data_once_an_epoch() -> None:
    rows = [batch_rows(12, batch_size=4, step=step, seed=3) for step in range(6)]
    first, second = ([row for step in epoch for row in step] for epoch in (rows[:3], rows[3:]))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_resumed_training_is_bit_equal(tmp_path: Path) -> None:
    pairs = icons(24, 6, 1)
    inputs, texts = pairs.pixels, pairs.texts
    config = ContrastiveConfig(steps=4, batch_size=8, chunk_size=4, save_every=1)

    class Killed(Exception):
        pass

    def kill(step: int, *_: float) -> None:
        if step == 3:  # before its checkpoint is written
            raise Killed

    whole = train_contrastive(dual_encoder(texts), inputs, texts, config)
    with pytest.raises(Killed):
        train_contrastive(dual_encoder(texts), inputs, texts, config, out=tmp_path, on_step=kill)
    steps: list[int] = []
    resumed = train_contrastive(
        dual_encoder(texts, seed=9),
        inputs,
        texts,
        config,
        out=tmp_path,
        resume=True,
        on_step=lambda step, *_: steps.append(step),
    )
    assert steps == [3, 4]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    other = ContrastiveConfig(steps=4, batch_size=6)
    with pytest.raises(UsageError, match="another 'batch_size'"):
        train_contrastive(dual_encoder(texts), inputs, texts, other, out=tmp_path, resume=True)


def test_retrieval_counts_equal_texts_once() -> None:
    """By hand: image 2 is nearer to the cat than to its own bird."""
    images = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0.8, 0.6], [1.0, 0, 0]])
    texts = torch.eye(3)[[0, 1, 2, 0]]
    found = retrieval(images, texts, ["犬", "猫", "鳥", "犬"])
    assert found.text_of_image_1 == 0.75
    assert found.image_of_text_1 == 1.0
    assert found.text_of_image_5 == found.image_of_text_5 == 1.0


def test_token_means_are_centered_and_frozen() -> None:
    tokenizer = build_tokenizer(["犬", "猫", "大きな車"], 400)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    language = transformers.LlamaForCausalLM(config)
    encoder = TokenMeans(language, tokenizer, ["犬", "猫", "大きな車", "犬"])
    assert list(encoder.parameters()) == []
    vectors = encoder(["犬", "猫", "大きな車", "犬"])
    assert torch.equal(vectors[0], vectors[3])
    torch.testing.assert_close(vectors[:3].mean(0), torch.zeros(16), atol=1e-6, rtol=0)
    with pytest.raises(DataError, match="no token"):
        TokenMeans(language, tokenizer, [""])


def test_retrieval_rises_clearly_above_chance() -> None:
    """Twelve things in six drawing styles; new pictures of them. Chance is 1/12."""
    pairs, held_out = icons(600, 12, 2), icons(120, 12, 3)
    model = dual_encoder(pairs.texts)
    pixels = held_out.pixels(list(range(120)))

    def measured() -> float:
        with torch.inference_mode():
            vectors = model.eval()(pixels, held_out.texts)
        return retrieval(*vectors, held_out.texts).text_of_image_1

    before = measured()
    config = ContrastiveConfig(steps=120, batch_size=64, chunk_size=64, learning_rate=2e-3)
    train_contrastive(model, pairs.pixels, pairs.texts, config)
    after = measured()
    assert before < 0.3 < 0.5 < after


def test_nothing_to_train_is_refused() -> None:
    pairs = icons(24, 6, 1)
    model = dual_encoder(pairs.texts)
    for parameter in [*model.images.parameters(), *model.texts.parameters()]:
        parameter.requires_grad_(False)
    with pytest.raises(UsageError, match="Nothing of the encoders"):
        train_contrastive(model, pairs.pixels, pairs.texts, ContrastiveConfig(steps=1))


def tiny_vlm(model_type: str) -> Any:
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
    }
    text = {**sizes, "model_type": "llama", "vocab_size": 400}
    if model_type == "llava":
        vision: Any = {"model_type": "clip_vision_model", "image_size": SIDE, "patch_size": 8}
        return transformers.LlavaForConditionalGeneration(
            transformers.LlavaConfig(vision_config={**sizes, **vision}, text_config=text)
        ).eval()
    vision = {"image_size": [SIDE, SIDE], "patch_size": [8, 8], "use_mean_pooling": False}
    return transformers.InternVLForConditionalGeneration(
        transformers.InternVLConfig(vision_config={**sizes, **vision}, text_config=text)
    ).eval()


@pytest.mark.parametrize("model_type", ["llava", "internvl"])
def test_stored_inputs_train_the_connector_as_pixels_do(model_type: str) -> None:
    pairs = icons(24, 6, 1)
    vlm = tiny_vlm(model_type)
    vlm.requires_grad_(False)
    vlm.model.multi_modal_projector.requires_grad_(True)
    pixels = pairs.pixels(list(range(24)))
    stored = connector_inputs(vlm, 24, pairs.pixels)
    encoder = VlmImageEncoder(vlm)
    with torch.no_grad():
        expected, got = encoder(pixels), encoder(seen(stored))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    frozen = {name: value.clone() for name, value in vlm.named_parameters()}
    texts = TokenMeans(vlm, build_tokenizer(pairs.texts, 400), pairs.texts)
    model = DualEncoder(encoder, texts)
    config = ContrastiveConfig(steps=2, batch_size=12)
    train_contrastive(model, lambda rows: seen(stored[rows]), pairs.texts, config)
    changed = {name for name, value in vlm.named_parameters() if not value.equal(frozen[name])}
    projector = {name for name in frozen if "multi_modal_projector" in name}
    assert changed == projector


def test_merged_patches_learn_one_thing() -> None:
    """A projector that begins with the patches' average still has it after training."""
    pairs, vlm = icons(24, 6, 1), tiny_vlm("internvl")
    vlm.requires_grad_(False)
    projector = vlm.model.multi_modal_projector.requires_grad_(True)
    with torch.no_grad():  # 16 numbers of each of four patches
        projector.linear_1.weight.copy_(projector.linear_1.weight[:, :16].repeat(1, 4))
    before = projector.linear_1.weight.clone()
    share_between_patches(vlm)
    texts = TokenMeans(vlm, build_tokenizer(pairs.texts, 400), pairs.texts)
    model = DualEncoder(VlmImageEncoder(vlm), texts)
    train_contrastive(model, pairs.pixels, pairs.texts, ContrastiveConfig(steps=2, batch_size=12))
    after = projector.linear_1.weight
    assert not torch.equal(before, after)
    for weights in (after, projector.layer_norm.weight[None], projector.layer_norm.bias[None]):
        blocks = weights.unflatten(-1, (4, 16))
        assert torch.equal(blocks, blocks[:, :1].expand_as(blocks))


def test_image_tokens_get_the_place_and_the_size_of_words() -> None:
    pairs, vlm = icons(24, 6, 1), tiny_vlm("llava")
    words = TokenMeans(vlm, build_tokenizer(pairs.texts, 400), pairs.texts)
    layer: Any = vlm.model.multi_modal_projector.linear_2
    inputs = torch.randn(50, layer.in_features)
    with torch.no_grad():
        before = layer(inputs)
        speak_at_size(layer, before, words)
        after = layer(inputs) - words.center
    table: Any = words.table
    cosine = torch.nn.functional.cosine_similarity(before, after, dim=-1)
    torch.testing.assert_close(cosine, torch.ones(50))  # only directions were learned
    torch.testing.assert_close(after.norm(dim=-1).mean(), table.norm(dim=-1).mean())
