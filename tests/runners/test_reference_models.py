"""Checkpoints, adapters and servers that were once run wrongly, where the reference is beside the
checkout: run as a user runs them."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from locations import CASES

from vlmbench.cli.main import main
from vlmbench.models.checkpoints import model_path
from vlmbench.runners.api.server_process import free_port

pytestmark = [
    pytest.mark.reference,
]


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a reference folder, in which the test is."""
    folder = CASES / request.param
    if not folder.exists():
        pytest.skip("the reference cases (../shared/reference/cases) are not here")
    copy = tmp_path / "case"
    shutil.copytree(folder, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    monkeypatch.chdir(copy)
    return copy


def checkpoint(**settings: Any) -> Path:
    """A copy of tiny-ja with further settings in its generation_config.json."""
    folder = Path("ck")
    shutil.copytree(model_path("embedded:tiny-ja"), folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


def run(*model: str) -> int:
    arguments = ["run", "--tasks", "q.yaml", "--out", "runs", "--no-cache", "--quiet"]
    return main([*arguments, "--batch-size", "3", "--model", *model])


def responses() -> list[dict[str, Any]]:
    """The journal's responses, by sample."""
    (journal,) = Path("runs").glob("*/*/journal.jsonl")
    lines = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    return sorted((one for one in lines if "sample_id" in one), key=lambda one: one["sample_id"])


def texts() -> list[str | None]:
    return [one.get("text") for one in responses() if one["type"] == "response"]


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("genconfig-return-dict", {"return_dict_in_generate": True}),
        ("genconfig-stop-strings", {"stop_strings": ["。"]}),
    ],
    indirect=["case"],
)
def test_generation_settings(case: Path, settings: dict[str, Any]) -> None:
    assert run(str(checkpoint(**settings))) == 0
    assert texts() == ["本", "ゾウ", "カエル"]


@pytest.mark.parametrize("case", ["nan-weights"], indirect=True)
def test_nan_weights(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import load_file, save_file

    path = checkpoint() / "model.safetensors"
    weights = load_file(path)
    name = next(one for one in weights if "layers.1.mlp.down_proj" in one and "visual" not in one)
    weights[name][:] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    assert run("./ck") == 3
    assert "not a number (NaN)" in capsys.readouterr().err
    assert texts() == [None, None, None]


@pytest.mark.parametrize("case", ["adapter-own-template"], indirect=True)
def test_an_adapter_with_its_own_template(case: Path) -> None:
    pytest.importorskip("peft")
    assert run("tiny-ja", "--adapter", "./adapter") == 0
    tokens = [one["prompt_tokens"] for one in responses() if one["type"] == "response"]
    assert min(tokens) > 17


@pytest.mark.parametrize("case", ["dora-adapter"], indirect=True)
def test_a_dora_adapter(case: Path) -> None:
    pytest.importorskip("peft")
    assert run("tiny-ja", "--adapter", "./adapter") == 0
    assert None not in texts()


# mk.py leaves its files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("case", ["think-special-tokens-1"], indirect=True)
def test_special_tokens_around_reasoning(case: Path) -> None:
    # mk.py looks for tiny-ja where it lay once.
    script = Path("mk.py").read_text(encoding="utf-8")
    Path("mk.py").write_text(script.replace("/embedded/tiny-ja", "/models/tiny-ja"))
    runpy.run_path("mk.py")
    assert run("./ck_x") == 0
    assert texts() == ["<think>バラ</think>2枚目1組描かれています"]


@contextmanager
def server(kind: str) -> Iterator[str]:
    """The reference's server, whose every answer is `kind`."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "server.py", str(port), kind])
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.usefixtures("no_key")
@pytest.mark.parametrize("case", ["max-completion-tokens"], indirect=True)
def test_a_service_that_refuses_max_tokens(case: Path) -> None:
    with server("max_tokens") as url:
        assert run("openai:m", "--base-url", url) == 0
    assert texts() == ["猫"] * 40


@pytest.mark.usefixtures("no_key")
@pytest.mark.parametrize("kind", ["thought_only", "tool_calls"])
@pytest.mark.parametrize("case", ["stream-thought-only"], indirect=True)
def test_thoughts_alone_are_the_same_error_streamed_or_not(case: Path, kind: str) -> None:
    found = []
    with server(kind) as url:
        for stream in ("false", "true"):
            shutil.rmtree("runs", ignore_errors=True)
            assert run("openai:m", "--base-url", url, "--model-option", f"stream={stream}") == 3
            found += [one["error"] for one in responses() if one["type"] == "response"]
    assert found[0] == found[1] and found[0]["kind"] == "rejected"
