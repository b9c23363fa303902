"""What a checkpoint's own files ask of generation, on copies of a tiny real model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from families import qwen
from families.common import save
from families.observe import ONE, TWO, ask, load

from vlmbench.errors import DependencyError, ModelError
from vlmbench.models.hub_kernels import is_kernel, kernels_named
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Request


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(qwen.FAMILIES[0], tmp_path_factory.mktemp("base") / "qwen")


@pytest.fixture(scope="module")
def plain(base: Path) -> list[str | None]:
    return texts(base)


def texts(folder: Path, **options: Any) -> list[str | None]:
    return [one.text for one in load(folder, **options).generate([ONE, TWO])]


def changed(base: Path, place: Path, name: str, **values: Any) -> Path:
    folder = shutil.copytree(base, place / "copy")
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {"return_dict_in_generate": True},
        {"return_dict_in_generate": True, "output_scores": True, "output_attentions": True},
        {"penalty_alpha": 0.6, "top_k": 4},
        {"dola_layers": "high"},
        {"num_beam_groups": 2, "num_beams": 4, "diversity_penalty": 0.5},
        {"force_words_ids": [[[5]]]},
        {"prompt_lookup_num_tokens": 3},
        {"assistant_early_exit": 1},
        {"guidance_scale": 1.5},
        {"token_healing": True},
        {"cache_implementation": "quantized"},
        {"prefill_chunk_size": 4},
        {"max_time": 1e-6},
    ],
    ids=lambda settings: "+".join(settings),
)
def test_settings_that_cannot_hold_are_unset_and_named(
    base: Path, plain: list[str | None], tmp_path: Path, settings: dict[str, Any]
) -> None:
    runner = load(changed(base, tmp_path, "generation_config.json", **settings))
    assert [one.text for one in runner.generate([ONE, TWO])] == plain
    named = str(runner.describe()["unset_generation"]).split(", ")
    assert named and set(named) <= set(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"output_scores": False, "num_beam_groups": 1, "diversity_penalty": 0.0},
        {"guidance_scale": 1.0, "token_healing": False, "return_dict_in_generate": False},
        {"watermarking_config": None, "cache_implementation": "dynamic"},
    ],
)
def test_settings_without_effect_are_not_spoken_of(
    base: Path, plain: list[str | None], tmp_path: Path, settings: dict[str, Any]
) -> None:
    runner = load(changed(base, tmp_path, "generation_config.json", **settings))
    assert [one.text for one in runner.generate([ONE, TWO])] == plain
    assert "unset_generation" not in runner.describe()


def test_a_checkpoints_own_stop_strings_end_its_answers(base: Path, tmp_path: Path) -> None:
    question = ask(1, "何色ですか。", new_tokens=8)
    whole = load(base).generate([question])[0].text
    assert whole and len(whole) > 3
    for place, stop in (("list", [whole[2]]), ("text", whole[2])):
        folder = changed(base, tmp_path / place, "generation_config.json", stop_strings=stop)
        answer = load(folder).generate([question])[0]
        assert (answer.text, answer.finish) == (whole[: whole.index(whole[2])], "stop")


def with_nan(folder: Path, *, column: int | None = None) -> None:
    """One weight tensor, or a column of it, is no number."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    name = next(one for one in weights if "layers.0.mlp.down_proj" in one)
    weights[name][:, slice(None) if column is None else column] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize("sampled", [False, True])
def test_answers_that_are_no_numbers_are_errors(base: Path, tmp_path: Path, sampled: bool) -> None:
    folder = shutil.copytree(base, tmp_path / "copy")
    with_nan(folder, column=3)
    runner = load(folder)
    asked = Generation(max_new_tokens=4, temperature=0.8 if sampled else 0.0)
    many = [Request(f"q{n}", ONE.parts, asked) for n in range(7)]
    errors = [one.error for one in runner.generate(many)]
    assert all(one and one.kind == "runner" and "(NaN)" in one.message for one in errors)
    with pytest.raises(ModelError, match="The checkpoint has answered nothing"):
        runner.generate([Request("q7", ONE.parts, asked)])


def test_remove_invalid_values_does_not_hide_them(base: Path, tmp_path: Path) -> None:
    folder = changed(base, tmp_path, "generation_config.json", remove_invalid_values=True)
    with_nan(folder)
    assert load(folder).generate([ONE])[0].error is not None


def test_numbers_may_be_infinite(base: Path, plain: list[str | None], tmp_path: Path) -> None:
    """Suppressed tokens have scores of minus infinity."""
    folder = changed(base, tmp_path, "generation_config.json", suppress_tokens=[5, 6])
    assert None not in texts(folder)


def at_the_top(config: dict[str, Any], name: str) -> None:
    config["attn_implementation"] = name


def by_part(config: dict[str, Any], name: str) -> None:
    config["_attn_implementation"] = {"": "sdpa", "vision_config": name}


def inside(config: dict[str, Any], name: str) -> None:
    config["text_config"]["attn_implementation"] = name


@pytest.mark.parametrize("put", [at_the_top, by_part, inside])
@pytest.mark.parametrize("name", ["org/kernel", "kernels-community/flash-attn2@v1:varlen"])
def test_kernels_of_the_hub_are_refused_by_name(
    base: Path, tmp_path: Path, put: Callable[[dict[str, Any], str], None], name: str
) -> None:
    folder = shutil.copytree(base, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    put(config, name)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert name in str(caught.value) and "--trust-remote-code" in str(caught.value)
    assert "\n" not in str(caught.value)
    # Another attention that the user names takes the place of all of them.
    assert None not in texts(folder, attention="sdpa")


def test_kernels_of_the_hub_are_loaded_with_the_flag(base: Path, tmp_path: Path) -> None:
    """As far as a machine without the package `kernels` goes: that is what is missing then."""
    if is_kernel("deepgemm"):
        pytest.skip("the package kernels is installed, and would ask the Hub")
    folder = changed(base, tmp_path, "config.json", attn_implementation="org/kernel")
    with pytest.raises(DependencyError, match="kernels"):
        load(folder, trust_remote_code=True)
    specs = [
        resolve_model(str(folder), options={"trust_remote_code": one}) for one in (False, True)
    ]
    assert specs[0].fingerprint == specs[1].fingerprint


def test_a_server_of_transformers_gets_no_such_checkpoint(base: Path, tmp_path: Path) -> None:
    folder = changed(base, tmp_path, "config.json", attn_implementation="org/kernel")
    with pytest.raises(ModelError, match="org/kernel"):
        resolve_model(f"served:transformers:{folder}")
    trusted = {"server_args": ["--trust-remote-code"]}
    assert resolve_model(f"served:transformers:{folder}", options=trusted)
    assert resolve_model(f"served:vllm:{folder}"), "it does not look at that field"


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"attn_implementation": "sdpa"}, []),
        ({"attn_implementation": "paged|org/x"}, ["paged|org/x"]),
        ({"experts_implementation": "org/x"}, ["org/x"]),
        ({"a": [{"text_config": {"_attn_implementation_internal": "org/x"}}]}, ["org/x"]),
        ({"name_or_path": "org/x", "base_model": {"id": "org/y"}}, []),
        ({"attn_implementation": None, "vision_config": None}, []),
    ],
)
def test_kernels_named(config: dict[str, Any], names: list[str]) -> None:
    assert kernels_named(config) == names
