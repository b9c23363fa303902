"""Options that change how a model is loaded and asked, on tiny real models."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from families import gemma, internvl, phi, qwen, text
from families.common import Family, save
from families.observe import ONE, TWO, ask, load, logits

from vlmbench.errors import ConfigError, DependencyError, ModelError, UsageError, VlmbenchError
from vlmbench.models.families import family
from vlmbench.models.hf_options import GenerationOptions, contradiction, hf_options
from vlmbench.models.options import options_from_args
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Request
from vlmbench.runners.hf.adapt import attention
from vlmbench.runners.hf.adapters import add_adapter
from vlmbench.train.scratch import ScratchSpec, build_model, build_processor, build_tokenizer

# peft asks transformers for something by an old name.

POLITE = "丁寧に答えてください。"


def need(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(qwen.FAMILIES[0], tmp_path_factory.mktemp("base") / "qwen")


@pytest.fixture(scope="module")
def adapter(base: Path) -> Path:
    """A LoRA adapter as peft writes it, with weights that change answers."""
    peft = pytest.importorskip("peft")
    import torch
    from transformers import AutoModelForMultimodalLM

    torch.manual_seed(3)
    config = peft.LoraConfig(
        r=4, target_modules=r".*language_model.*(q_proj|v_proj)", init_lora_weights=False
    )
    folder = base.with_name("adapter")
    model = AutoModelForMultimodalLM.from_pretrained(base)
    peft.get_peft_model(model, config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("options", "error", "fragment"),
    [
        ({"quantization": "3bit"}, ConfigError, "'quantization' in the model's options is wrong"),
        ({"atention": "sdpa"}, ConfigError, "did you mean 'attention'"),
        ({"min_pixels": 9, "max_pixels": 4}, ConfigError, "'min_pixels' is larger"),
        ({"adapter": "gone"}, ConfigError, "there is no adapter_config.json in gone"),
        ({"system": ""}, ConfigError, "'system'"),
        ({"generation": {"top_pp": 0.5}}, UsageError, "Did you mean 'top_p'"),
        ({"generation": {"top_p": 2}}, ConfigError, "'top_p' in --generation is wrong"),
        ({"generation": {"max_new_tokens": 5}}, UsageError, "which the task decides"),
        ({"generation": {"temperature": 1}}, UsageError, "which the task decides"),
        ({"generation": {"length_penalty": 1.5}}, ConfigError, "nothing without 'num_beams'"),
    ],
)
def test_refused_before_loading(
    options: dict[str, Any], error: type[VlmbenchError], fragment: str
) -> None:
    with pytest.raises(error) as caught:
        hf_options(options)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def given(pairs: list[str]) -> dict[str, Any]:
    args = dict.fromkeys(("base_url", "api_key_env", "server_args"))
    return options_from_args({**args, "generation": pairs, "model_option": []})


def test_pairs_of_the_command_line() -> None:
    assert given(["top_p=0.9", "num_beams=3"]) == {"generation": {"top_p": 0.9, "num_beams": 3}}
    with pytest.raises(UsageError, match="is not of the form key=value"):
        given(["top_p"])


GREEDY, SAMPLED = Generation(), Generation(temperature=1.0, top_p=0.8)


@pytest.mark.parametrize(
    ("chosen", "asked", "fragment"),
    [
        ({"top_k": 5}, GREEDY, "top_k means nothing to greedy answers"),
        ({"top_p": 0.9}, SAMPLED, "the task sets top_p to 0.8, --generation to 0.9"),
        ({"top_p": 0.8, "top_k": 5}, SAMPLED, None),
        ({"repetition_penalty": 1.1, "num_beams": 2}, GREEDY, None),
    ],
)
def test_a_task_is_not_contradicted(
    chosen: dict[str, Any], asked: Generation, fragment: str | None
) -> None:
    problem = contradiction({"generation": chosen}, asked)
    assert problem is None if fragment is None else problem is not None and fragment in problem


def test_the_runner_itself_refuses_a_contradiction(base: Path) -> None:
    with pytest.raises(ModelError, match="top_k means nothing to greedy answers"):
        load(base, generation={"top_k": 5}).generate([ONE])


def test_every_generation_argument_is_one_of_transformers() -> None:
    from transformers import GenerationConfig

    assert set(GenerationOptions.model_fields) <= set(vars(GenerationConfig()))


def test_what_changes_answers_is_in_the_fingerprint(base: Path, adapter: Path) -> None:
    def fingerprint(**options: Any) -> str:
        return resolve_model(str(base), options=options).fingerprint

    changes: list[dict[str, Any]] = [
        {},
        {"attention": "eager"},
        {"quantization": "8bit"},
        {"adapter": str(adapter)},
        {"min_pixels": 400},
        {"max_pixels": 400},
        {"system": POLITE},
        {"generation": {"num_beams": 2}},
    ]
    assert len({fingerprint(**options) for options in changes}) == len(changes)
    assert fingerprint(device_map="auto") == fingerprint(trust_remote_code=True) == fingerprint()
    moved = shutil.copytree(adapter, adapter.with_name("moved"))
    assert fingerprint(adapter=str(moved)) == fingerprint(adapter=str(adapter))


@pytest.mark.parametrize("chosen", [{"num_beams": 3}, {"no_repeat_ngram_size": 1}])
def test_generation_arguments_reach_the_model(base: Path, chosen: dict[str, int]) -> None:
    """The reference is a bare call of transformers."""
    question = ask(1, *_parts(ONE), new_tokens=12)
    runner = load(base, generation=chosen)
    answer = runner.generate([question])[0].text
    loaded, inputs = runner._ready(), runner.encode([question]).inputs
    tokens = loaded.model.generate(**inputs, max_new_tokens=12, do_sample=False, **chosen)
    new = tokens[0, inputs["input_ids"].shape[1] :]
    assert answer == loaded.tokenizer.decode(new, skip_special_tokens=True)
    assert answer != load(base).generate([question])[0].text
    # Answers of a batch are still those of each request.
    alone = [runner.generate([one])[0].text for one in (question, TWO)]
    assert [one.text for one in runner.generate([question, TWO])] == alone


@pytest.mark.parametrize(
    ("family", "place"), [(qwen.FAMILIES[0], "system turn"), (text.FAMILIES[1], "before the quest")]
)
def test_a_system_prompt_of_the_model_stands_before_the_tasks(
    tmp_path: Path, family: Family, place: str
) -> None:
    runner = load(save(family, tmp_path / "m"), system=POLITE)
    question = ask(1, "何色？", system="短く。")
    tokens = runner.encode([question]).inputs["input_ids"][0]
    prompt = runner._ready().tokenizer.decode(tokens)
    assert f"{POLITE}\n\n短く。" in prompt
    assert prompt.index("短く。") < prompt.index("何色？")
    assert str(runner.describe()["system_prompt"]).startswith(place)
    assert ("<system>" in prompt) == (place == "system turn")


def test_attention_of_a_family_is_pinned_where_it_must_be() -> None:
    pinned = family("phi4_multimodal")
    assert attention(pinned, {}) == {"attn_implementation": {"": "sdpa", "vision_config": "eager"}}
    assert attention(pinned, {"attention": "flash_attention_2"}) == {
        "attn_implementation": {"": "flash_attention_2", "vision_config": "eager"}
    }
    assert attention(family("qwen2_vl"), {}) == {}


def test_attention_is_what_was_asked_for(base: Path, tmp_path: Path) -> None:
    eager = load(base, attention="eager")
    assert eager.describe()["attention"] == "eager"
    assert load(base).describe()["attention"] == "sdpa"
    assert abs(logits(eager, [ONE]) - logits(load(base), [ONE])).max() < 1e-4
    config = load(save(phi.FAMILIES[0], tmp_path / "phi"))._ready().model.config
    assert (config._attn_implementation, config.vision_config._attn_implementation) == (
        "sdpa",
        "eager",
    )


@pytest.mark.skipif(
    importlib.util.find_spec("flash_attn") is not None, reason="flash-attn is installed"
)
def test_attention_that_needs_a_package(base: Path) -> None:
    with pytest.raises(DependencyError, match=r"with --attention flash_attention_2 \(.*Flash"):
        load(base, attention="flash_attention_2")


@need("bitsandbytes")
@pytest.mark.parametrize(("bits", "kind"), [("4bit", "Linear4bit"), ("8bit", "Linear8bitLt")])
# bitsandbytes says each time that it computes 8 bit in float16.
@pytest.mark.filterwarnings("ignore:MatMul8bitLt")
def test_quantized_weights_answer_nearly_alike(tmp_path: Path, bits: str, kind: str) -> None:
    import torch

    # Four bits are kept in blocks of 64 weights, so the smallest models have too few.
    sizes = {"vision_width": 64, "vision_depth": 1, "text_width": 64, "text_depth": 1}
    torch.manual_seed(0)
    spec = ScratchSpec(vocabulary=400, vision_heads=2, text_heads=2, **sizes)
    tokens = build_tokenizer(("何色ですか。",), spec.vocabulary)
    build_model(tokens, spec).save_pretrained(tmp_path)
    build_processor(tokens, spec).save_pretrained(tmp_path)
    runner, exact = load(tmp_path, quantization=bits), load(tmp_path)
    assert kind in {type(module).__name__ for module in runner._ready().model.modules()}
    assert runner.describe()["bitsandbytes"]
    assert [one.error for one in runner.generate([ONE, TWO])] == [None, None]
    expected = logits(exact, [ONE])
    difference = (logits(runner, [ONE]) - expected).abs().mean()
    assert 0 < difference < 0.2 * expected.abs().mean()


@need("bitsandbytes")
def test_four_bits_are_of_the_language_model_and_computed_with_in_float32(
    base: Path, tmp_path: Path
) -> None:
    from bitsandbytes.functional import dequantize_4bit

    runner, exact = load(base, quantization="4bit"), load(base)
    whole = exact._ready().model
    found = {
        name: module
        for name, module in runner._ready().model.named_modules()
        if type(module).__name__ == "Linear4bit"
    }
    assert found and all(name.startswith("model.language_model.layers.") for name in found)
    assert {module.weight.quant_state.quant_type for module in found.values()} == {"nf4"}
    for name, module in found.items():
        plain = dequantize_4bit(module.weight.data, module.weight.quant_state)
        whole.get_submodule(name).weight.data = plain
    # A layer of 48 x 16 is also one that bitsandbytes would not pack for AVX-512.
    assert (logits(runner, [ONE]) - logits(exact, [ONE])).abs().max() < 1e-5


def test_quantization_without_its_package(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"pip install 'vlmbench-ja\[quantization\]'"):
        load(base, quantization="4bit")
    with pytest.raises(DependencyError, match="pip install peft"):
        add_adapter(None, "x")


def test_an_adapter_changes_answers_as_peft_says(base: Path, adapter: Path) -> None:
    """The reference is peft's own model around the base."""
    import peft
    import torch
    from transformers import AutoModelForMultimodalLM

    runner = load(base, adapter=str(adapter))
    inputs = runner.encode([ONE, TWO]).inputs
    reference = AutoModelForMultimodalLM.from_pretrained(base)
    plain = reference(**inputs).logits
    wrapped = peft.PeftModel.from_pretrained(reference, str(adapter))
    with torch.inference_mode():
        expected, found = wrapped(**inputs).logits, runner._ready().model(**inputs).logits
    assert (expected - plain).abs().max() > 0.1
    torch.testing.assert_close(found, expected)


def test_an_adapter_directory_is_a_model(base: Path, adapter: Path) -> None:
    spec = resolve_model(str(adapter))
    assert (spec.name, spec.location) == ("adapter", str(base))
    assert spec.options["adapter"] == str(adapter)
    given = resolve_model(str(base), options={"adapter": str(adapter)})
    assert spec.fingerprint == given.fingerprint
    both = load(adapter).generate([ONE])[0].text, load(base, adapter=str(adapter)).generate([ONE])
    assert both[0] == both[1][0].text != load(base).generate([ONE])[0].text


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"base_model_name_or_path": None}, "does not say which model it was trained on"),
        ({"base_model_name_or_path": "gone"}, "was trained on 'gone', which is not here"),
    ],
)
def test_adapters_without_their_model(
    adapter: Path, tmp_path: Path, change: dict[str, Any], fragment: str
) -> None:
    copy = shutil.copytree(adapter, tmp_path / "copy")
    settings = json.loads((copy / "adapter_config.json").read_text()) | change
    (copy / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError) as caught:
        resolve_model(str(copy))
    assert fragment in str(caught.value)
    with pytest.raises(UsageError, match="is an adapter itself"):
        resolve_model(str(adapter), options={"adapter": str(adapter)})


def test_an_adapter_of_another_model_is_refused(adapter: Path, tmp_path: Path) -> None:
    other = save(gemma.FAMILIES[0], tmp_path / "gemma")
    with pytest.raises(ModelError, match="does not fit the Gemma3ForConditionalGeneration"):
        load(other, adapter=str(adapter))
    # The same kind, but with other sizes or names.
    for name in ("shape", "names"):
        copy = shutil.copytree(adapter, tmp_path / name)
        _spoil(copy / "adapter_model.safetensors", name)
        with pytest.raises(ModelError, match="does not fit the Qwen2VL"):
            load(adapter.with_name("qwen"), adapter=str(copy))


@pytest.mark.parametrize(("pixels", "fragment"), [(3, "is less than models"), (None, "lacks what")])
def test_bounds_that_cannot_be_set(tmp_path: Path, pixels: int | None, fragment: str) -> None:
    folder = save(internvl.FAMILIES[0], tmp_path / "m")
    if pixels is None:
        path = folder / "processor_config.json"
        said = json.loads(path.read_text())
        # A processor that counts no tiles, as another version's may not.
        said["image_processor"] = {"image_processor_type": "SiglipImageProcessor"}
        path.write_text(json.dumps(said))
        pixels = 10**6
    with pytest.raises(UsageError, match=fragment):
        load(folder, max_pixels=pixels)


def test_a_device_map_answers_as_one_device_does(base: Path) -> None:
    mapped = load_mapped(base)
    assert mapped.generate([ONE, TWO])[1].text == load(base).generate([ONE, TWO])[1].text
    with pytest.raises(UsageError, match="leave out '--device cpu'"):
        resolve_model(str(base), device="cpu", options={"device_map": "auto"})


def load_mapped(folder: Path) -> Any:
    from vlmbench.runners.hf.runner import HFRunner

    runner = HFRunner()
    runner.prepare(resolve_model(str(folder), options={"device_map": "auto"}))
    return runner


def _parts(request: Request) -> list[Any]:
    return [getattr(part, "text", None) or part.image for part in request.parts]


def _spoil(path: Path, how: str) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    if how == "shape":
        weights = {name: one[:, :2].contiguous() for name, one in weights.items()}
    else:
        weights = {name.replace("q_proj", "k_proj"): one for name, one in weights.items()}
    save_file(weights, path, metadata={"format": "pt"})
