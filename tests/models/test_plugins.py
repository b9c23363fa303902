"""A runner of another package, as pip installs one: a module and its metadata on sys.path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from locations import ROOT
from made_tasks import color_rows, write_task

MODULE = """
from vlmbench.records import Response

class Shouter:
    def prepare(self, spec):
        self.text = spec.location + "!" * spec.options.get("loud", 0)

    def generate(self, requests):
        return [Response(one.sample_id, one.key, text=self.text) for one in requests]

    def describe(self):
        return {"voice": "loud"}

    def close(self):
        pass

class Broken:
    def __init__(self):
        raise OSError("no microphone")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for sys.path, and a task."""
    package = tmp_path / "packages"
    metadata = package / "shout-1.2.dist-info"
    metadata.mkdir(parents=True)
    (package / "shout.py").write_text(MODULE, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(
        "[vlmbench.runners]\nshout = shout:Shouter\nbroken = shout:Broken\nother = shout:Response\n"
        "hf = shout:Shouter\n"
    )
    write_task(tmp_path / "task", color_rows(4))
    return tmp_path


def vlmbench(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = ROOT
    path = os.pathsep.join([str(place / "packages"), str(root)])
    return subprocess.run(
        [sys.executable, "-m", "vlmbench", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=place,
        capture_output=True,
        text=True,
    )


def run(place: Path, model: str, *more: str) -> subprocess.CompletedProcess[str]:
    task = ["--tasks", "task/colors.yaml", "--quiet"]
    return vlmbench(place, "run", "--model", model, *task, *more)


def test_it_is_asked_by_its_name(place: Path) -> None:
    done = run(place, "shout:赤", "--model-option", "loud=1")
    assert done.returncode == 0, done.stderr
    record = json.loads((place / "runs/shout-赤/colors/run.json").read_text(encoding="utf-8"))
    assert record["model_spec"]["runner"] == "shout"
    assert record["environment"]["voice"] == "loud"
    journal = (place / "runs/shout-赤/colors/journal.jsonl").read_text(encoding="utf-8")
    assert journal.count('"text":"赤!"') == 4


@pytest.mark.parametrize(
    ("model", "fragment"),
    [
        ("broken:x", "The runner 'broken' of shout 1.2 cannot be used (OSError: no microphone)"),
        ("other:x", "The runner 'other' of shout 1.2 cannot be used (TypeError"),
        ("shot:x", "Did you mean 'shout:x'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(place: Path, model: str, fragment: str) -> None:
    done = run(place, model)
    assert done.returncode == 2
    assert fragment in done.stderr and done.stderr.count("\n") == 1


def test_it_cannot_take_the_place_of_a_runner_that_is_there(place: Path) -> None:
    done = vlmbench(place, "models", "show", "hf:org/name", "--json")
    assert json.loads(done.stdout)["location"] == "org/name"
