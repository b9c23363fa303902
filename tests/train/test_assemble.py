"""Models put together of real, tiny transformers parts, and how they answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from made_tasks import picture

from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.train.assemble import init_checkpoint, part_sizes

sys.path.insert(0, str(Path(__file__).parents[1] / "runners/hf"))
from families.common import TEXT_SIZES, enlarge, ids, tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TOWERS: dict[str, Any] = {
    "siglip": lambda: transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SIZES)),
    "clip": lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**SIZES)),
    "dinov2": lambda: transformers.Dinov2Model(
        transformers.Dinov2Config(**{**SIZES, "intermediate_size": None, "image_size": 40})
    ),
    "vit": lambda: transformers.ViTModel(transformers.ViTConfig(**SIZES)),
    "mllama": lambda: transformers.MllamaVisionModel(
        transformers.MllamaVisionConfig(
            **{**SIZES, "num_attention_heads": 2},
            num_global_layers=1,
            intermediate_layers_indices=[0, 1],
            vision_output_dim=96,
        )
    ),
}
PAIRS = [
    ("mlp", "siglip", "gemma3_text"),
    ("mlp", "clip", "llama"),
    ("mlp", "dinov2", "gemma3_text"),
    ("qformer", "vit", "llama"),
    ("resampler", "siglip", "qwen2"),
    ("cross-attention", "mllama", "llama"),
]


def save_language(folder: Path, model_type: str, *, template: str | None = None) -> Path:
    """A text model whose answers depend on what it reads, with spare tokens in its vocabulary."""
    tokens = tokenizer("<bos>", *(f"<unused{number}>" for number in range(5)))
    tokens.bos_token = "<bos>"
    tokens.chat_template = template
    extra = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"]}
    config = transformers.AutoConfig.for_model(
        model_type,
        **TEXT_SIZES,
        **ids(tokens),
        **(extra if model_type == "gemma3_text" else {}),
        tie_word_embeddings=model_type == "gemma3_text",
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    enlarge(model)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def save_vision(folder: Path, name: str) -> Path:
    tower = TOWERS[name]()
    enlarge(tower)
    tower.save_pretrained(folder)
    if name == "dinov2":  # a position table of 5 x 5 patches, pictures of 4 x 4
        transformers.BitImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ).save_pretrained(folder)
    return folder


def ask(image: bytes, text: str = "何色ですか。") -> Request:
    parts = (ImagePart(Image(image)), TextPart(text))
    return Request("q1", parts, Generation(max_new_tokens=8))


def answer_live(model: Any, processor: Any, request: Request) -> str:
    """The answer of the model in memory, by transformers alone."""
    content = [
        {"type": "image", "image": part.image.decode()}
        if isinstance(part, ImagePart)
        else {"type": "text", "text": part.text}
        for part in request.parts
    ]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        chat_template=processor.chat_template or processor.tokenizer.chat_template,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        output = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    return str(
        processor.tokenizer.decode(
            output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
    )


@pytest.mark.parametrize(("connector", "tower", "language"), PAIRS)
def test_an_assembled_checkpoint_answers_as_the_live_model(
    connector: Any, tower: str, language: str, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    vision = save_vision(tmp_path / "vision", tower)
    text = save_language(tmp_path / "language", language)
    out = tmp_path / "out"
    assembled = init_checkpoint(
        vision=str(vision), language=str(text), connector=connector, out=out
    )
    for path in (out / "generation_config.json", out / "chat_template.jinja"):
        assert path.is_file(), path

    before = transformers.AutoModelForCausalLM.from_pretrained(text)
    after = transformers.AutoModelForImageTextToText.from_pretrained(out)
    inside: Any = after if connector != "qformer" else after.language_model
    probe = torch.tensor([[7, 40, 41, 90, 200, 12]])
    with torch.inference_mode():
        expected, got = before(probe).logits, inside(probe).logits[..., : before.vocab_size]
    assert torch.equal(expected, got)

    runner = HFRunner()
    runner.prepare(resolve_model(str(out), device="cpu"))
    for color in ("赤", "青"):
        request = ask(picture(color, size=(56, 48)))
        (response,) = runner.generate([request])
        assert response.error is None
        assert response.text == answer_live(assembled.model, assembled.processor, request)
    sizes = part_sizes(assembled)
    assert sizes["vision"] > 0 < sizes["connector"] and sizes["language"] >= before.num_parameters()
