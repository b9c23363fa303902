"""`vlmbench models show`: what it says of a model before anything is run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from vlmbench.cli.main import main
from vlmbench.runners.hf.runner import HFRunner


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["models", "show", *arguments, "--json"]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_a_directory_is_shown_as_the_runner_loads_it(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = shown(
        capsys, str(checkpoint), "--device", "cpu", "--attention", "eager", "--system", "短く。"
    )
    expected = {
        "runner": "hf",
        "model_type": "qwen2_vl",
        "class": "Qwen2VLForConditionalGeneration",
        "processor": "Qwen2VLProcessor",
        "options": {"attention": "eager", "system": "短く。"},
        "positions": 4096,
        "licence": None,
    }
    assert {key: value[key] for key in expected} == expected
    from vlmbench.models.resolve import resolve_model

    runner = HFRunner()
    runner.prepare(resolve_model(str(checkpoint), device="cpu", options=value["options"]))
    described = runner.describe()
    said = ("device", "dtype", "attention", "sees_images", "images_in_place", "system_prompt")
    assert {key: value[key] for key in said} == {key: described[key] for key in said}
    assert value["quirks"] == json.loads(str(described["quirks"]))


def test_what_keeps_a_model_from_loading_is_shown(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    (copy / "processor_config.json").unlink()
    assert "has no image processor" in shown(capsys, str(copy))["problem"]
    # The Hub cannot be reached from tests.
    value = shown(capsys, "phi-4-multimodal")
    assert "can't be reached" in value["problem"]
    assert value["family"] == "Phi-4-multimodal"
    assert value["quirks"]["attention"] == {"default": "sdpa", "vision_config": "eager"}


def test_models_with_code_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    value = shown(capsys, "sarashina2-vision-8b")
    assert (value["recipe"], value["licence"]) == ("sarashina2_vision", "MIT")
    assert value["needs"].endswith("sarashina2-vision-8b@COMMIT")
    commit = "0123456789abcdef0123456789abcdef01234567"
    allowed = shown(capsys, f"sarashina2-vision-8b@{commit}", "--trust-remote-code")
    assert (allowed["runner"], allowed["revision"]) == ("remote_code", commit)


def test_the_list_marks_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    notes = {one["name"]: one["note"] for one in json.loads(capsys.readouterr().out)}
    assert notes["llama-3.1-swallow-8b"] == "text only: gets no images"
    assert notes["asagi-14b"] == "runs its own code"
    assert notes["llama-3-evovlm-jp-v2"] == "needs its own code: not supported"
