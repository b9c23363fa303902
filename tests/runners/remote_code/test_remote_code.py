"""Recipes for models with code of their own, run as transformers runs what the Hub holds.

The packages in code_packages/ have the interfaces that the recipes' families have, by their model
cards and reference adapters. The real repositories were not run.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from families.common import SIDE, SIGLIP, TEXT_SIZES, chat_template, enlarge, ids, tokenizer
from families.observe import BLIND, ONE, OTHER, SWAPPED, TWO, ask

from vlmbench.errors import DependencyError, ModelError, UsageError
from vlmbench.models.families import known_families
from vlmbench.models.resolve import known_models, resolve_model
from vlmbench.records import Generation
from vlmbench.runners.remote_code.recipes import CODE_RECIPES
from vlmbench.runners.remote_code.runner import CodeRunner

PACKAGES = Path(__file__).with_name("code_packages")
TRUST: dict[str, Any] = {"trust_remote_code": True}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

STRINGS = (
    "{% for m in messages %}{{ '<' + m.role + '>' }}PREFIX{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
"""A template of plain strings."""


@pytest.fixture(autouse=True)
def own_module_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers copies code of checkpoints into its cache; not into the user's."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))


def save_with_code(folder: Path, package: str, model: Any, **auto: str) -> Path:
    """Weights, the code beside them, and an `auto_map` that says where it is."""
    enlarge(model)
    model.save_pretrained(folder)
    shutil.copy(PACKAGES / f"{package}.py", folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["auto_map"] = {name: f"{package}.{one}" for name, one in auto.items()}
    path.write_text(json.dumps(config))
    return folder


def nvila(folder: Path) -> Path:
    from code_packages.nvila import NvilaConfig, NvilaModel

    model = NvilaModel(NvilaConfig())
    return save_with_code(folder, "nvila", model, AutoConfig="NvilaConfig", AutoModel="NvilaModel")


def marked(auto: str, template: str, *, mark: str = "<image>") -> Callable[[Path], Path]:
    """A LLaVA under its own name; one token an image, as Asagi's tokens have it."""

    def build(folder: Path) -> Path:
        from code_packages.marked import MarkedConfig, MarkedModel, MarkedProcessor
        from transformers import SiglipImageProcessor

        tokens = tokenizer("<|prefix|>", "<|suffix|>", image_token=mark)
        config = MarkedConfig(
            text_config={**TEXT_SIZES, **ids(tokens), "model_type": "llama"},
            vision_config={**SIGLIP, "patch_size": 32},
            image_token_index=tokens.image_token_id,
            vision_feature_select_strategy="full",
        )
        processor = MarkedProcessor(
            image_processor=SiglipImageProcessor(size=SIDE),
            tokenizer=tokens,
            patch_size=32,
            vision_feature_select_strategy="full",
            chat_template=template,
        )
        classes = {"AutoConfig": "MarkedConfig", auto: "MarkedModel"}
        save_with_code(folder, "marked", MarkedModel(config), **classes)
        processor.save_pretrained(folder)
        path = folder / "processor_config.json"
        said = json.loads(path.read_text())
        said["auto_map"] = {"AutoProcessor": "marked.MarkedProcessor"}
        path.write_text(json.dumps(said))
        return folder

    return build


def internvl(folder: Path) -> Path:
    from code_packages.internvl import InternChatConfig, InternChatModel

    tokens = tokenizer()
    model = InternChatModel(InternChatConfig(vocab_size=len(tokens)))
    names = {"AutoConfig": "InternChatConfig", "AutoModel": "InternChatModel"}
    save_with_code(folder, "internvl", model, **names)
    tokens.save_pretrained(folder)
    return folder


def save_plain(folder: Path, tokens: Any, model: Any) -> Path:
    """Weights and tokenizer; the code is a package that is installed apart."""
    enlarge(model)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def deepseek_vl2(folder: Path) -> Path:
    models = importlib.import_module("deepseek_vl2.models")
    tokens = tokenizer()
    config = models.DeepseekVLV2Config(vocab_size=len(tokens))
    return save_plain(folder, tokens, models.DeepseekVLV2ForCausalLM(config))


def vila(folder: Path) -> Path:
    builder = importlib.import_module("vila.model.builder")
    tokens = tokenizer()
    config = builder.LlavaLlamaConfig(vocab_size=len(tokens))
    return save_plain(folder, tokens, builder.LlavaLlamaModel(config))


SARASHINA = STRINGS.replace("PREFIX", "<|prefix|><|file|><|suffix|>")
PARTS = chat_template("<image>")
SHAPES: dict[str, Callable[[Path], Path]] = {
    "generate_content": nvila,
    "marked_text": marked("AutoModelForImageTextToText", STRINGS.replace("PREFIX", "")),
    "chat": marked("AutoModelForCausalLM", PARTS),
    "sarashina2_vision": marked("AutoModelForCausalLM", SARASHINA, mark="<|file|>"),
    "internvl_chat": internvl,
    "asagi": marked("AutoModel", PARTS),
    "deepseek_vl2": deepseek_vl2,
    "vila": vila,
}
WITH_PACKAGE = {"deepseek_vl2": "deepseek_vl2", "vila": "vila"}
"""Recipes whose families need a package of their authors' beside the checkpoint."""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The authors' packages, until the test ends."""
    monkeypatch.syspath_prepend(str(PACKAGES / "authors"))
    yield
    for name in [one for one in sys.modules if one.partition(".")[0] in WITH_PACKAGE.values()]:
        del sys.modules[name]


def load(folder: Path, recipe: str, **options: Any) -> CodeRunner:
    spec = resolve_model(str(folder), device="cpu", options=TRUST | options)
    assert spec.runner == "remote_code"
    runner = CodeRunner()
    known = {**spec.options, "recipe": recipe}  # as an alias of models.yaml would set it
    runner.prepare(dataclasses.replace(spec, options=known))
    return runner


@pytest.mark.parametrize("recipe", SHAPES)
# Old ways of others: of numpy in transformers' SigLIP processor, of Pillow in the packages.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")
@pytest.mark.usefixtures("installed")
def test_a_recipe_asks_with_images_in_their_order(recipe: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(8)
    runner = load(SHAPES[recipe](tmp_path / "model"), recipe)
    # Tiny models with one token an image hang little on it; long answers show it sooner.
    long = Generation(max_new_tokens=24)
    questions = [
        dataclasses.replace(one, generation=long) for one in (ONE, OTHER, BLIND, TWO, SWAPPED)
    ]
    answers = [runner.generate([question])[0] for question in questions]
    assert [one.error for one in answers] == [None] * 5
    one, other, blind, two, swapped = [answer.text for answer in answers]
    assert one and len({one, other, blind}) == 3
    assert two != swapped
    again = runner.generate([questions[0], questions[3]])
    assert [answer.text for answer in again] == [one, two]
    assert str(runner.describe()["code"]).endswith("model")


def test_every_recipe_is_used_and_tested() -> None:
    used = {kind.recipe for kind in known_families().values() if kind.recipe} | {"chat"}
    assert used == set(CODE_RECIPES) == set(SHAPES)
    for name, entry in known_models().items():
        assert not entry.remote_code or entry.family in known_families(), name


@pytest.mark.parametrize("recipe", WITH_PACKAGE)
def test_a_missing_package_of_the_authors_is_named(recipe: str, tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match=r"needs the package '\w+' of github.com/"):
        load(nvila(tmp_path / "model"), recipe)


def test_a_checkpoint_whose_code_is_a_package_needs_the_flag_too(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "deepseek_vl_v2"}')
    with pytest.raises(ModelError, match="needs the Python code of its authors"):
        resolve_model(str(tmp_path))
    assert resolve_model(str(tmp_path), options=TRUST).options["recipe"] == "deepseek_vl2"


def test_code_runs_only_where_it_is_allowed(tmp_path: Path) -> None:
    folder = nvila(tmp_path / "model")
    marker = tmp_path / "ran"
    code = folder / "nvila.py"
    code.write_text(f"open({str(marker)!r}, 'w').close()\n" + code.read_text())
    spec = resolve_model(str(folder), device="cpu")
    assert spec.runner == "hf"
    from vlmbench.runners.hf.runner import HFRunner

    with pytest.raises(ModelError, match="--trust-remote-code would run on this machine"):
        HFRunner().prepare(spec)
    assert not marker.exists()
    load(folder, "generate_content")
    assert marker.exists()
    # Its code is part of what a checkpoint is.
    before = resolve_model(str(folder), options=TRUST).fingerprint
    code.write_text(code.read_text() + "# changed\n")
    assert resolve_model(str(folder), options=TRUST).fingerprint != before


@pytest.mark.parametrize(
    ("name", "runner", "recipe"),
    [
        (f"asagi-14b@{COMMIT}", "remote_code", "asagi"),
        (f"hf:MIL-UT/Asagi-14B@{COMMIT}", "remote_code", "asagi"),
        (f"hf:org/unknown@{COMMIT}", "remote_code", "chat"),
        # A family that transformers loads by itself runs nobody's code, flag or not.
        ("qwen2-vl-2b", "hf", None),
        ("hf:Qwen/Qwen2-VL-2B-Instruct", "hf", None),
    ],
)
def test_which_hub_models_run_code(name: str, runner: str, recipe: str | None) -> None:
    spec = resolve_model(name, options=TRUST)
    assert (spec.runner, spec.options.get("recipe")) == (runner, recipe)
    assert recipe is None or spec.revision == COMMIT


@pytest.mark.parametrize(
    ("name", "options", "fragment"),
    [
        ("asagi-14b", {}, "--trust-remote-code would run on this machine with your rights"),
        ("asagi-14b", TRUST, "is run only at a commit that is named in full"),
        ("asagi-14b@main", TRUST, "is run only at a commit that is named in full"),
        ("hf:org/unknown", TRUST, "is run only at a commit that is named in full"),
        (f"llama-3-evovlm-jp-v2@{COMMIT}", TRUST, "There is no recipe for the code of"),
        (f"asagi-14b@{COMMIT}", TRUST | {"max_pixels": 9}, "which takes no --max-pixels"),
    ],
)
def test_what_is_refused(name: str, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises((ModelError, UsageError)) as caught:
        resolve_model(name, options=options)
    assert fragment in str(caught.value)


def test_options_and_stops_reach_the_code(tmp_path: Path) -> None:
    folder = marked("AutoModelForCausalLM", PARTS)(tmp_path / "model")
    runner, polite = load(folder, "chat"), load(folder, "chat", system="丁寧に。")
    question = ask(1, "何色？", new_tokens=9)
    (plain,) = runner.generate([question])
    assert polite.generate([question])[0].prompt_tokens > (plain.prompt_tokens or 0)
    assert plain.finish == "length" and plain.output_tokens == 9 and plain.text
    beams = load(folder, "chat", generation={"num_beams": 3})
    assert beams.generate([question])[0].text != plain.text


def test_code_that_fails_is_an_error_of_its_request(tmp_path: Path) -> None:
    folder = nvila(tmp_path / "model")
    code = folder / "nvila.py"
    body = code.read_text()
    code.write_text(
        body.replace("pieces = [", "assert len(prompt) < 4, 'too long'\n        pieces = [")
    )
    good, bad = load(folder, "generate_content").generate([BLIND, TWO])
    assert good.error is None
    assert bad.error is not None and bad.error.kind == "runner" and "too long" in bad.error.message
    code.write_text("import a_package_of_the_year_2024\n" + body)
    with pytest.raises(DependencyError, match="a_package_of_the_year_2024"):
        load(folder, "generate_content")
