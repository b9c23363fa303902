"""A damaged tiny-ja fails the gate; the same model, another runner and a hair of noise pass it.

What tiny-ja answers, whole and damaged, is in tiny_ja_answers.json.xz, made by
tests/bench/damage_tiny_ja.py with the real model on the four embedded tasks.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from made_tiny_server import tiny_server

from vlmbench.cli.main import main
from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.tasks.registry import load_task

Answers: TypeAlias = dict[str, dict[str, str]]
ANSWERS: dict[str, Answers] = json.loads(
    lzma.decompress(Path(__file__).with_name("tiny_ja_answers.json.xz").read_bytes())
)
TASKS = ("ja-vqa", "ja-chart")
"""Two of the four, so that the test takes seconds."""


def answered(folder: Path, name: str, answers: Answers) -> Path:
    """Runs with these answers."""
    script = folder / f"{name}.jsonl"
    lines = (
        json.dumps({"id": sample, "text": text})
        for task in TASKS
        for sample, text in answers[task].items()
    )
    script.write_text("\n".join(lines))
    model = resolve_model(f"baseline:scripted:{script}")
    for task in TASKS:
        run(model, load_task(task), executor=LocalExecutor(batch_size=64), out=folder / name)
    return folder / name


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the whole model."""
    folder = tmp_path_factory.mktemp("whole")
    runs = answered(folder, "whole", ANSWERS["whole"])
    assert main(["gate", "save", str(runs), "-o", str(folder / "b.json")]) == 0
    return folder / "b.json"


def changed(change: Callable[[int, str], str]) -> Answers:
    """The whole model's answers, changed by their place and text."""
    return {
        task: {
            name: change(place, text)
            for place, (name, text) in enumerate(sorted(ANSWERS["whole"][task].items()))
        }
        for task in TASKS
    }


DAMAGED: dict[str, Callable[[], Answers]] = {
    "noise-0.35": lambda: ANSWERS["noise-0.35"],
    "images dropped": lambda: ANSWERS["blind"],
    "cut to one character": lambda: changed(lambda place, text: text[:1]),
    "last character lost": lambda: changed(lambda place, text: text[:-1]),
    "in Chinese": lambda: changed(lambda place, text: "这张图片里有一只狗，它在草地上跑。"),
    "every 20th empty": lambda: changed(lambda place, text: "" if place % 20 == 0 else text),
    "every 20th refused": lambda: changed(
        lambda place, text: "申し訳ありませんが、お答えできません。" if place % 20 == 0 else text
    ),
}


@pytest.mark.parametrize("damage", list(DAMAGED))
def test_a_damaged_model_exits_with_1(tmp_path: Path, baseline: Path, damage: str) -> None:
    runs = answered(tmp_path, "damaged", DAMAGED[damage]())
    assert main(["gate", "check", str(runs), "--baseline", str(baseline)]) == 1


def test_a_hair_of_noise_exits_with_0(tmp_path: Path, baseline: Path) -> None:
    assert ANSWERS["noise-0.001"] != ANSWERS["whole"]
    runs = answered(tmp_path, "noise", ANSWERS["noise-0.001"])
    assert main(["gate", "check", str(runs), "--baseline", str(baseline)]) == 0


def test_five_reruns_and_another_runner_exit_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real model in other batches and copies, and behind a server that is not ours."""
    common = ["--tasks", "ja-vqa", "--limit", "12", "--no-cache", "--quiet"]
    first = tmp_path / "first"
    alone = ["--replicas", "1"]
    assert main(["run", "--model", "tiny-ja", "--out", str(first), *common, *alone]) == 0
    file = tmp_path / "b.json"
    assert main(["gate", "save", str(first), "-o", str(file)]) == 0
    settings = [["--batch-size", str(size), *alone] for size in (1, 5, 8, 12)]
    for number, setting in enumerate([*settings, ["--replicas", "2"]]):
        again = tmp_path / str(number)
        assert main(["run", "--model", "tiny-ja", "--out", str(again), *common, *setting]) == 0
        assert main(["gate", "check", str(again), "--baseline", str(file)]) == 0
    with tiny_server() as server:
        other = ["--model", "openai:tiny-ja", "--model-option", f"base_url={server.url}"]
        assert main(["run", *other, "--out", str(tmp_path / "other"), *common]) == 0
    assert len(server.bodies) == 12
    capsys.readouterr()
    assert main(["gate", "check", str(tmp_path / "other"), "--baseline", str(file)]) == 0
    assert "unchanged" in capsys.readouterr().out
