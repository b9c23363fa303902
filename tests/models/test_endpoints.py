"""What --model openai:NAME and served:SERVER:MODEL may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmbench.cli.main import main
from vlmbench.models.endpoints import OFFICIAL_URL, known_servers
from vlmbench.models.resolve import ModelSpec, resolve_model
from vlmbench.runners.api.server_process import find_executable

LOCAL = {"base_url": "http://127.0.0.1:8000/v1"}
OPENAI = "openai:m --base-url http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def openai(name: str = "org/m", **options: Any) -> ModelSpec:
    return resolve_model(f"openai:{name}", options={**LOCAL, **options})


def test_an_openai_model_is_called_by_its_name() -> None:
    spec = openai(max_side=1024)
    assert (spec.runner, spec.location, spec.name) == ("openai_api", "org/m", "org-m")
    assert spec.options["base_url"] == LOCAL["base_url"]
    assert spec.options["max_side"] == 1024


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_model("openai:m").options["base_url"] == OFFICIAL_URL
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1/")
    assert resolve_model("openai:m").options["base_url"] == LOCAL["base_url"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"concurrency": 3, "retries": 1, "timeout": 5.0, "patience": 9.0}, True),
        ({"stream": True, "token_field": "max_completion_tokens"}, True),
        ({"api_key_env": "OTHER", "price": {"input": 1.0, "output": 2.0}}, True),
        ({"base_url": "http://127.0.0.1:8001/v1"}, True),
        ({"max_side": 100}, False),
        ({"max_pixels": 100}, False),
        ({"omit": ["temperature"]}, False),
        ({"extra": {"reasoning_effort": "low"}}, False),
    ],
)
def test_the_fingerprint_covers_what_changes_answers(change: dict[str, Any], same: bool) -> None:
    assert (openai().fingerprint == openai(**change).fingerprint) == same


def test_a_served_model_is_known_by_its_content(checkpoint: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.symlink_to(checkpoint)
    here = resolve_model(f"served:vllm:{checkpoint}")
    there = resolve_model(f"served:vllm:{moved}")
    assert here.fingerprint == there.fingerprint
    assert here.name == f"{checkpoint.name}-vllm"
    others = [
        resolve_model(f"served:sglang:{checkpoint}"),
        resolve_model(f"served:vllm:{checkpoint}", dtype="float16"),
        resolve_model(f"served:vllm:{checkpoint}", options={"server_args": ["--seed", "1"]}),
    ]
    assert len({here.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    ("model", "location"),
    [
        ("tiny-ja", "embedded:tiny-ja"),
        ("qwen2-vl-2b", "Qwen/Qwen2-VL-2B-Instruct"),
        ("org/name-GGUF:Q4_K_M", "org/name-GGUF:Q4_K_M"),
    ],
)
def test_a_served_model_may_be_an_alias(model: str, location: str) -> None:
    assert resolve_model(f"served:llama.cpp:{model}").location == location


def test_a_gguf_file_is_known_by_its_content(tmp_path: Path) -> None:
    prints = []
    for content in (b"one", b"two"):
        (tmp_path / "model.gguf").write_bytes(content)
        prints.append(resolve_model(f"served:llama.cpp:{tmp_path}/model.gguf").fingerprint)
    assert prints[0] != prints[1]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ("openai:", "write openai:NAME"),
        ("opena:m", "Did you mean 'openai:m'"),
        ("served:vlm:m", "Did you mean 'vllm'"),
        ("served:vllm", "write served:vllm:MODEL"),
        ("served:vllm:--trust-remote-code", "write served:vllm:MODEL"),
        ("served:vllm:./gone", "no file or directory './gone'"),
        ("served:ollama:m --dtype float16", "The server 'ollama' takes no --dtype"),
        ("served:transformers:m --model-option stream=true", "leave the option 'stream' out"),
        ("served:vllm:m --server-args '--x", "correct the quotes"),
        ("served:vllm:m --server-args=--api-key=geheim", "--api-key would be written"),
        ("served:vllm:m --server-args=--hf-token", "--hf-token would be written"),
        ("served:vllm:m --base-url http://127.0.0.1:9/v1", "Unknown key 'base_url'"),
        ("openai:m --base-url 127.0.0.1:8000", "it is no address such as"),
        ("openai:m --base-url http://me:geheim@127.0.0.1/v1", "keys belong in the environment"),
        ("openai:m --base-url http://127.0.0.1/v1?key=geheim", "keys belong in the environment"),
        ("openai:m --api-key-env sk-geheim", "it is no name of an environment variable"),
        (f"{OPENAI} --model-option max_sides=3", "did you mean 'max_side'"),
        (f"{OPENAI} --model-option max_side=0", "greater than or equal to 1"),
        (f"{OPENAI} --model-option max_side", "not of the form key=value"),
        (f"{OPENAI} --model-option omit=[model]", "'temperature', 'top_p', 'seed' or 'stop'"),
        ("baseline:oracle --base-url http://127.0.0.1:9/v1", "takes no option 'base_url'"),
        (OPENAI, "No server answers at http://127.0.0.1:9/v1"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: str, fragment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--quiet", "--tasks", "ja-vqa", "--limit", "1", "--model", *arguments.split()]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert fragment in error
    assert error.startswith("vlmbench: ") and error.count("\n") == 1
    assert "geheim" not in error


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                find_executable(entry.command[0]) is not None, reason=f"{name} is installed"
            ),
        )
        for name, entry in known_servers().items()
    ],
)
def test_a_missing_server_says_how_to_get_it(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", f"served:{server}:org/m", "--out", str(tmp_path)]
    assert main(["run", "--quiet", "--tasks", "ja-vqa", "--limit", "1", *model]) == 2
    error = capsys.readouterr().err
    assert f"There is no '{known_servers()[server].command[0]}' on PATH" in error
    assert "; install " in error


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (f"{OPENAI} --model-option max_side=99", {"max_side": 99, "api_key_env": "OPENAI_API_KEY"}),
        (
            "served:vllm:org/m --server-args=--tensor-parallel-size=8",
            {"server": "vllm", "server_args": ["--tensor-parallel-size=8"]},
        ),
    ],
)
def test_show_says_how_a_model_is_called(
    arguments: str, shown: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "show", "--json", *arguments.split()]) == 0
    options = json.loads(capsys.readouterr().out)["options"]
    assert options.items() >= shown.items()
