"""Checkpoints that lack something, made from a tiny real one: one sentence before anything runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from families import qwen
from families.common import save
from families.observe import load

from vlmbench.cli.main import main
from vlmbench.errors import ModelError, VlmbenchError


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(qwen.FAMILIES[0], tmp_path_factory.mktemp("base") / "qwen")


def set_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def without_one(folder: Path) -> None:
    change_weights(folder, lambda all: {n: w for n, w in all.items() if "0.mlp.up" not in n})


def of_another_model(folder: Path) -> None:
    change_weights(folder, lambda all: {f"other.{name}": weight for name, weight in all.items()})


def of_another_size(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"]
    set_config(folder, text_config=text | {"intermediate_size": text["intermediate_size"] * 2})


def broken_off(folder: Path) -> None:
    """As a download that was interrupted leaves it."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def template(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text)

    return write


@pytest.mark.parametrize(
    ("spoil", "fragment"),
    [
        (without_one, "lacks weights of the model (model.language_model.layers.0.mlp.up_proj"),
        (of_another_model, "lacks weights of the model (lm_head.weight and 57 more)"),
        (of_another_size, " is 32 x 64 in the file and 32 x 128 in the model"),
        (broken_off, "cannot be loaded (Error while deserializing header"),
        (without_tokenizer, "has no vocabulary"),
        (template("{% for m in %}"), "fails at a plain question (Expected an expression"),
        (template("{{ raise_exception('no') }}"), "fails at a plain question (no)"),
        (template("{% for m in messages %}{{ m.content }}{% endfor %}"), "is one for texts"),
        (
            lambda folder: set_config(folder, model_type="qwen9_vl"),
            "does not know; install",
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_asked(
    spoil: Callable[[Path], None], fragment: str, base: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(base, tmp_path / "copy")
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert fragment in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"attention": "spda"}, "Did you mean 'sdpa'"),
        ({"attention": "org/kernel"}, "Unknown attention 'org/kernel'"),  # code of the Hub
        ({"attention": "flex_attention"}, "with --attention flex_attention ("),
        # This checkpoint's own upper bound is 64 x 64 pixels.
        ({"min_pixels": 64 * 64 + 1}, "more than the 4096 pixels that this checkpoint shrinks"),
    ],
)
def test_options_that_this_model_cannot_take(
    options: dict[str, Any], fragment: str, base: Path
) -> None:
    with pytest.raises(VlmbenchError) as caught:
        load(base, **options)
    assert fragment in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_checkpoint_that_asks_for_several_answers_gives_one(base: Path, tmp_path: Path) -> None:
    from families.observe import ONE, TWO

    folder = shutil.copytree(base, tmp_path / "copy")
    path = folder / "generation_config.json"
    settings = {"num_return_sequences": 2, "do_sample": True, "temperature": 0.1}
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    answers = [[one.text for one in load(each).generate([ONE, TWO])] for each in (base, folder)]
    assert answers[0] == answers[1] and None not in answers[0]


def test_folders_and_files_that_are_no_checkpoint_lead_to_one(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, gguf = tmp_path / "trained", tmp_path / "gguf" / "m.gguf"
    shutil.copytree(base, trained / "checkpoint-20")
    gguf.parent.mkdir()
    gguf.touch()
    served = f"'--model served:llama.cpp:{gguf}'"
    for model, fragment in (
        (trained, f"such as {trained}/checkpoint-20"),
        (gguf.parent, served),
        (gguf, served),
    ):
        assert main(["run", "--model", str(model), "--tasks", "ja-vqa"]) == 2
        assert fragment in capsys.readouterr().err
