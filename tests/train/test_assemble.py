"""Models put together of real, tiny transformers parts, and how they answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from made_parts import PAIRS, SIZES, chat_template, save_language, save_vision
from made_tasks import picture

from vlmbench.cli.main import main
from vlmbench.errors import ModelError, UsageError
from vlmbench.models.completion import COMPLETION
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.train.assemble import assemble, init_checkpoint, part_sizes
from vlmbench.train.connector_models import resized_positions


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


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A SigLIP and a Gemma 3, both tiny."""
    torch.manual_seed(2)
    vision = save_vision(tmp_path / "vision", "siglip")
    return vision, save_language(tmp_path / "language", "gemma3_text")


@pytest.mark.parametrize("part", [0, 1])
def test_a_part_that_names_kernels_of_the_hub_is_refused(
    pair: tuple[Path, Path], part: int
) -> None:
    config = pair[part] / "config.json"
    values = {**json.loads(config.read_text()), "attn_implementation": "someone/kernel"}
    config.write_text(json.dumps(values))
    vision, language = map(str, pair)
    with pytest.raises(ModelError, match=r"names code of the Hugging Face Hub \(someone/kernel\)"):
        assemble(vision=vision, language=language, connector="mlp")


def test_parts_are_copied_bit_by_bit(pair: tuple[Path, Path]) -> None:
    vision, language = pair
    model = assemble(vision=str(vision), language=str(language), connector="mlp").model
    tower = transformers.SiglipVisionModel.from_pretrained(vision).state_dict()
    inside = model.get_submodule("model.vision_tower").state_dict()
    assert all(torch.equal(value, tower[name]) for name, value in inside.items())
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("family", ["siglip", "clip"])
def test_the_eye_of_a_dual_encoder_is_taken_out(family: str, tmp_path: Path) -> None:
    """What people name is google/siglip-... or openai/clip-..., with a text tower inside."""
    torch.manual_seed(7)
    name = "Siglip" if family == "siglip" else "CLIP"
    text = {key: value for key, value in SIZES.items() if key not in ("image_size", "patch_size")}
    whole = getattr(transformers, f"{name}Model")(
        getattr(transformers, f"{name}Config")(text_config=text, vision_config=SIZES)
    )
    whole.save_pretrained(tmp_path / "vision")
    language = save_language(tmp_path / "language", "llama")
    vision = str(tmp_path / "vision")
    model = assemble(vision=vision, language=str(language), connector="mlp").model
    tower = whole.vision_model.state_dict()
    inside = model.get_submodule("model.vision_tower").state_dict()
    assert inside and all(torch.equal(value, tower[name]) for name, value in inside.items())


def test_dinov2_sees_the_same_inside_internvl(tmp_path: Path) -> None:
    """transformers' own DINOv2, which resizes its position table as it goes."""
    torch.manual_seed(3)
    vision = save_vision(tmp_path / "vision", "dinov2")
    language = save_language(tmp_path / "language", "gemma3_text")
    model = assemble(vision=str(vision), language=str(language), connector="mlp").model
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = transformers.Dinov2Model.from_pretrained(vision)(pixels).last_hidden_state
        got = model.get_submodule("model.vision_tower")(pixel_values=pixels).last_hidden_state
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    table = torch.randn(1, 17, 8)
    assert resized_positions(table, 4) is table


def test_vit_sees_the_same_inside_blip2(tmp_path: Path) -> None:
    torch.manual_seed(3)
    vision = save_vision(tmp_path / "vision", "vit")
    language = save_language(tmp_path / "language", "llama")
    model = assemble(vision=str(vision), language=str(language), connector="qformer").model
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = transformers.ViTModel.from_pretrained(vision)(pixels).last_hidden_state
        got = model.get_submodule("vision_model")(pixel_values=pixels).last_hidden_state
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    queries = model.get_parameter("query_tokens")[0]
    assert len({tuple(row.tolist()) for row in queries}) == len(queries)  # not all the same


def test_special_tokens_reuse_unused_ones(pair: tuple[Path, Path]) -> None:
    """Trap: '<image>' is not in the vocabulary, and would silently be read as '<'."""
    vision, language = pair
    before = transformers.AutoTokenizer.from_pretrained(language)
    assembled = assemble(vision=str(vision), language=str(language), connector="mlp")
    tokens = assembled.processor.tokenizer
    assert len(tokens) == len(before)
    assert tokens.image_token == "<unused0>"
    assert assembled.model.config.image_token_id == before.convert_tokens_to_ids("<unused0>")
    assert assembled.image_tokens == 16  # 32 pixels in patches of 8


def test_a_new_token_gets_a_row_and_changes_no_other(tmp_path: Path) -> None:
    """BLIP-2's processor insists on '<image>'."""
    torch.manual_seed(4)
    vision = save_vision(tmp_path / "vision", "vit")
    language = save_language(tmp_path / "language", "llama")
    before = transformers.AutoModelForCausalLM.from_pretrained(language)
    assembled = assemble(vision=str(vision), language=str(language), connector="qformer")
    table = assembled.model.get_input_embeddings().weight
    assert len(table) == before.vocab_size + 1 == len(assembled.processor.tokenizer)
    assert torch.equal(table[:-1], before.get_input_embeddings().weight)


@pytest.mark.parametrize("tower", ["siglip", "dinov2"])
def test_a_fresh_connector_speaks_as_loud_as_words(tower: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    vision = save_vision(tmp_path / "vision", tower)
    language = save_language(tmp_path / "language", "gemma3_text")
    model: Any = assemble(vision=str(vision), language=str(language), connector="mlp").model
    with torch.inference_mode():
        features = model.get_image_features(torch.randn(1, 3, 32, 32), return_dict=True)
        image = torch.cat(list(features.pooler_output)).pow(2).mean().sqrt()
        words = model.get_input_embeddings()(torch.arange(200)).pow(2).mean().sqrt()
    assert 0.5 < image / words < 2


@pytest.mark.parametrize(
    ("image_size", "image_tokens", "expected"),
    [
        (None, None, 4),  # 32 pixels are 4 x 4 patches of 8, two by two of which become one
        (None, 16, 16),
        (None, 1, 1),
        (48, None, 9),
        (48, 36, 36),
        (56, 49, 49),
        (64, 4, 4),
    ],
)
def test_an_image_takes_as_many_tokens_as_asked_for(
    image_size: int | None, image_tokens: int | None, expected: int, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    vision = save_vision(tmp_path / "vision", "dinov2")
    language = save_language(tmp_path / "language", "gemma3_text")
    assembled = init_checkpoint(
        vision=str(vision),
        language=str(language),
        connector="mlp",
        out=tmp_path / "out",
        image_size=image_size,
        image_tokens=image_tokens,
    )
    assert assembled.image_tokens == expected
    runner = HFRunner()
    runner.prepare(resolve_model(str(tmp_path / "out"), device="cpu"))
    request = ask(picture("赤", size=(56, 48)))
    (response,) = runner.generate([request])
    assert response.text == answer_live(assembled.model, assembled.processor, request)


def test_merged_patches_begin_as_their_average(tmp_path: Path) -> None:
    """The order of the patches in a block changes no image token before training."""
    torch.manual_seed(3)
    vision = save_vision(tmp_path / "vision", "dinov2")
    language = save_language(tmp_path / "language", "gemma3_text")
    model: Any = assemble(
        vision=str(vision), language=str(language), connector="mlp", image_tokens=4
    ).model
    blocks = torch.randn(5, 4, model.config.vision_config.hidden_size)
    projector = model.model.multi_modal_projector
    with torch.inference_mode():
        expected, got = (projector(b.flatten(1)) for b in (blocks, blocks[:, [2, 0, 3, 1]]))
    torch.testing.assert_close(got, expected)


def test_image_sizes_and_tokens_that_do_not_fit_are_one_sentence(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    siglip, language = map(str, pair)
    dinov2 = str(save_vision(tmp_path / "dinov2", "dinov2"))
    for vision, options, problem in (
        (dinov2, {"image_size": 50}, "size 50 is no multiple of the patches' side, 8; choose 48"),
        (dinov2, {"image_size": 40}, "5 x 5 patches, which InternVL merges to 25 tokens"),
        (dinov2, {"image_tokens": 9}, "4 x 4 patches, which InternVL merges to 16, 4, 1 tokens"),
        (siglip, {"image_size": 64}, "siglip_vision_model sees 32 pixels a side and no others"),
        (siglip, {"image_tokens": 4}, "tokens is fixed in LLaVA"),
    ):
        with pytest.raises(UsageError, match=problem):
            assemble(vision=vision, language=language, connector="mlp", **options)


def test_a_base_model_is_asked_in_plain_completion_form(pair: tuple[Path, Path]) -> None:
    vision, language = pair
    assembled = assemble(vision=str(vision), language=str(language), connector="mlp")
    assert assembled.processor.chat_template.endswith(COMPLETION)
    turns = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "何色？\n"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "赤"}]},
    ]
    render = assembled.processor.apply_chat_template
    assert render(turns, tokenize=False) == "<unused0>\n何色？\n答え:赤\n"
    asked = render(turns[:1], tokenize=False, add_generation_prompt=True)
    assert asked == "<unused0>\n何色？\n答え:"
    line_break = assembled.processor.tokenizer.encode("\n", add_special_tokens=False)
    ends = assembled.model.generation_config.eos_token_id
    assert ends == [assembled.processor.tokenizer.eos_token_id, *line_break]


def test_a_chat_models_own_template_is_kept(tmp_path: Path) -> None:
    vision = save_vision(tmp_path / "vision", "siglip")
    own = chat_template().replace("{% for part", "{{ raise_exception('texts') }}{% for part")
    language = save_language(tmp_path / "language", "llama", template=own)
    assembled = assemble(vision=str(vision), language=str(language), connector="mlp")
    parts = [{"type": "text", "text": "これは"}, {"type": "image"}, {"type": "text", "text": "何"}]
    text = assembled.processor.apply_chat_template(
        [{"role": "system", "content": "短く。"}, {"role": "user", "content": parts}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<system>短く。<end><user>これは<unused0>\n何<end><assistant>"


def test_bfloat16_parts_stay_bfloat16_with_exact_rotary_frequencies(tmp_path: Path) -> None:
    torch.manual_seed(6)
    vision = save_vision(tmp_path / "vision", "siglip")
    language = save_language(tmp_path / "language", "gemma3_text")
    for folder, auto in (
        (vision, transformers.SiglipVisionModel),
        (language, transformers.AutoModelForCausalLM),
    ):
        auto.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    out = tmp_path / "out"
    live: Any = init_checkpoint(
        vision=str(vision), language=str(language), connector="mlp", out=out
    ).model
    loaded: Any = transformers.AutoModelForImageTextToText.from_pretrained(out)
    text = transformers.AutoModelForCausalLM.from_pretrained(language)
    assert live.dtype == loaded.dtype == text.dtype == torch.bfloat16
    probe = torch.tensor([[7, 40, 41, 90, 200, 12]])
    with torch.inference_mode():
        expected = text(probe).logits
        assert torch.equal(live(probe).logits, expected)
        assert torch.equal(loaded(probe).logits, expected)


def test_configurations_alone_give_random_weights(pair: tuple[Path, Path]) -> None:
    vision, language = pair
    for folder in pair:
        (folder / "model.safetensors").unlink()
    first, again, other = (
        assemble(vision=str(vision), language=str(language), connector="mlp", seed=seed).model
        for seed in (1, 1, 2)
    )
    weights = [model.get_input_embeddings().weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_pair_that_does_not_fit_is_one_sentence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    vision, language = str(pair[0]), str(pair[1])
    with pytest.raises(UsageError, match=r"'siglip_vision_model'.*it takes blip_2_vision_model"):
        assemble(vision=vision, language=language, connector="qformer")
    tower = save_vision(tmp_path / "mllama", "mllama")
    with pytest.raises(UsageError, match="'gemma3_text', and Mllama computes as llama"):
        assemble(vision=str(tower), language=language, connector="cross-attention")
    cohere = save_language(tmp_path / "cohere", "cohere")  # scales its logits by 1/16 at the end
    with pytest.raises(UsageError, match="computes its answers in a way that LLaVA does not"):
        assemble(vision=vision, language=str(cohere), connector="mlp")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="holds a model already"):
        init_checkpoint(vision=vision, language=language, connector="mlp", out=tmp_path / "out")
    with pytest.raises(ModelError, match=r"image encoder in .*out cannot be loaded"):
        assemble(vision=str(tmp_path / "out"), language=language, connector="mlp")


def test_train_init_makes_what_vlmbench_run_takes(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vision, language = pair
    out = tmp_path / "out"
    words = ["train", "init", "--vision", str(vision), "--language", str(language)]
    assert main([*words, "--connector", "mlp", "-o", str(out)]) == 0
    assert "an image takes 16 tokens of the prompt" in capsys.readouterr().out
    run = ["run", "--model", str(out), "--tasks", "ja-vqa", "--limit", "2", "--quiet"]
    assert main([*run, "--out", str(tmp_path / "runs"), "--no-cache", "--replicas", "1"]) == 0
