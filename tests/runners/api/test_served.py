"""Real servers on 127.0.0.1, started as `vlmbench run --model served:SERVER:MODEL` starts them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vlmbench.cli.main import main
from vlmbench.errors import ModelError
from vlmbench.models.resolve import model_path, resolve_model
from vlmbench.records import Generation, Request, TextPart
from vlmbench.runners.api.served import (
    ServedRunner,
    name_for_server,
    server_command,
)
from vlmbench.runners.api.server_process import find_executable

needs_transformers = pytest.mark.skipif(
    find_executable("transformers") is None, reason="transformers' own command is not installed"
)
needs_vllm = pytest.mark.skipif(find_executable("vllm") is None, reason="vLLM is not installed")


@pytest.fixture
def kept_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers' logs go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def answers(place: Path, model: str) -> dict[str, Any]:
    """Text and finish by sample."""
    lines = (place / model / "ja-vqa" / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    responses = [one for one in map(json.loads, lines) if one["type"] == "response"]
    return {one["sample_id"]: (one.get("text"), one.get("finish")) for one in responses}


def run(place: Path, model: str, *more: str) -> int:
    arguments = ["run", "--quiet", "--tasks", "ja-vqa", "--limit", "8", "--out", str(place)]
    return main([*arguments, "--dtype", "float32", "--model", model, *more])


@needs_transformers
def test_transformers_serve_answers_as_the_model_does(tmp_path: Path) -> None:
    """The same checkpoint, prompts and images, once over HTTP and once in this process."""
    folder = str(model_path("embedded:tiny-ja"))
    assert run(tmp_path, f"served:transformers:{folder}", "--device", "cpu") == 0
    assert run(tmp_path, folder, "--device", "cpu") == 0
    served = answers(tmp_path, "tiny-ja-transformers")
    assert served == answers(tmp_path, "tiny-ja")
    assert len(set(served.values())) > 3, "the answers tell samples apart"


@needs_vllm
def test_vllm_answers_as_the_model_does(tmp_path: Path) -> None:
    folder = str(model_path("embedded:tiny-ja"))
    small = "--max-model-len 512 --enforce-eager --gpu-memory-utilization 0.15"
    assert run(tmp_path, f"served:vllm:{folder}", "--server-args", small) == 0
    assert run(tmp_path, folder, "--device", "cpu") == 0
    assert answers(tmp_path, "tiny-ja-vllm") == answers(tmp_path, "tiny-ja")


def ask(runner: ServedRunner, count: int) -> Iterator[str | None]:
    many = [Request(f"q{n}", (TextPart("何色ですか。"),), Generation(4)) for n in range(count)]
    return (response.text for response in runner.stream(many))


@needs_transformers
def test_a_server_that_dies_stops_the_run_with_its_last_words(checkpoint: Path) -> None:
    import psutil

    runner = ServedRunner()
    runner.prepare(resolve_model(f"served:transformers:{checkpoint}", device="cpu"))
    try:
        replies = ask(runner, 500)
        assert next(replies) is not None
        assert runner._server is not None
        for process in psutil.Process(runner._server._supervisor.pid).children():
            process.kill()
        with pytest.raises(ModelError, match=r"'transformers' has ended with exit code 137; .*"):
            list(replies)
    finally:
        runner.close()


@needs_transformers
def test_a_server_that_does_not_start_says_why(
    tmp_path: Path, kept_logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "served:transformers:tiny-ja", "--server-args=--no-such-flag") == 2
    error = capsys.readouterr().err
    assert "The server 'transformers' has ended with exit code 2" in error
    assert "transformers serve --help" in error, "the last lines of what it said"
    logs = [path.read_text(encoding="utf-8") for path in kept_logs.glob("vlmbench-server-*/*.log")]
    assert len(logs) == 1 and "no-such-flag" in logs[0], "the whole log is kept"


@pytest.mark.parametrize(
    ("server", "model", "arguments"),
    [
        # As the servers' own help writes them.
        ("vllm", "org/m", "serve org/m --host H --port 9 --dtype auto --x 1"),
        ("sglang", "org/m", "serve --model-path org/m --host H --port 9 --dtype auto --x 1"),
        ("transformers", "org/m", "serve org/m --host H --port 9 --dtype auto --device auto --x 1"),
        ("llama.cpp", "org/m:Q4", "--host H --port 9 --jinja --hf-repo org/m:Q4 --x 1"),
        ("ollama", "m:7b", "serve --x 1"),
        ("mlx-vlm", "org/{port}", "--model org/{port} --host H --port 9 --x 1"),
    ],
)
def test_commands(
    server: str, model: str, arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vlmbench.models.endpoints import known_servers, served_options

    entry = known_servers()[server]
    executable = tmp_path / entry.command[0]
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    options = served_options(server, {"server_args": ["--x", "1"]})
    spec = resolve_model(f"served:{server}:{model}")
    command = server_command(entry, spec, options, model, 9)
    assert command[1:] == arguments.replace("H", "127.0.0.1").split()


def test_a_gguf_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    from vlmbench.models.endpoints import known_servers

    file = tmp_path / "a model.gguf"
    file.touch()
    assert name_for_server(str(file)) == str(file)
    assert name_for_server("org/m") == "org/m"
    assert known_servers()["llama.cpp"].for_path == ("--model", "{model}")
