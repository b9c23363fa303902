"""What a checkpoint says of itself is true."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from locations import ROOT

from vlmbench.train.card import source_commit


@pytest.fixture(scope="module")
def facts(trained: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((trained / "training.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def log(trained: Path) -> list[dict[str, Any]]:
    lines = (trained / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_facts_are_those_of_the_training(
    facts: dict[str, Any], log: list[dict[str, Any]], seedling: Path
) -> None:
    assert facts["recipe"]["steps"] == 9
    assert facts["recipe"]["model"] == {"checkpoint": str(seedling)}
    assert facts["final_loss"] == next(row["loss"] for row in reversed(log) if "loss" in row)
    last = next(row["exact"] for row in reversed(log) if "exact" in row)
    assert facts["exact_by_kind"] == pytest.approx(last, abs=1e-4)
    assert facts["packages"]["torch"] == version("torch")
    assert facts["machine"].endswith("1 threads")
    assert facts["minutes"] == pytest.approx(log[-1]["seconds"] / 60, abs=0.2)


def test_the_recipe_can_be_trained_again(facts: dict[str, Any]) -> None:
    from vlmbench.train.config import TrainConfig

    config = TrainConfig.model_validate_json(json.dumps(facts["recipe"]))
    assert config.model_dump(mode="json", exclude_none=True) == facts["recipe"]


def test_the_readme_names_the_same_numbers(trained: Path, facts: dict[str, Any]) -> None:
    text = (trained / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# small\n")
    for kind, value in facts["exact_by_kind"].items():
        assert f"| {kind} | {100 * value:.1f} |" in text
    assert f"final loss {facts['final_loss']}" in text
    assert f"commit {facts['commit'] or 'not recorded'}" in text
    assert "- Steps: 9, seed 3" in text
    assert "](" not in text  # nothing is linked, as no other file is written


def test_the_commit_is_that_of_the_checkout() -> None:
    root = ROOT
    if not (root / ".git").exists():
        assert source_commit() is None
        return
    head = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert source_commit() in (head, f"{head}+")
