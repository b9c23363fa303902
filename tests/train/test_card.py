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
from vlmbench.train.recipe import Recipe


@pytest.fixture(scope="module")
def facts(trained: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((trained / "checkpoint.json").read_text(encoding="utf-8"))
    return found


def test_facts_are_those_of_the_training(facts: dict[str, Any], seedling: Path) -> None:
    assert facts["recipe"]["max_steps"] == 9
    assert facts["recipe"]["model"] == facts["base"]["location"] == str(seedling)
    assert facts["packages"]["torch"] == version("torch")
    assert facts["machine"].endswith("1 threads")
    assert 0 < facts["minutes"] < 2


def test_the_recipe_can_be_trained_again(facts: dict[str, Any]) -> None:
    recipe = Recipe.model_validate_json(json.dumps(facts["recipe"]))
    assert recipe.model_dump(mode="json", exclude_none=True) == facts["recipe"]


def test_the_readme_names_the_same_numbers(trained: Path, facts: dict[str, Any]) -> None:
    text = (trained / "README.md").read_text(encoding="utf-8")
    assert "\n# drawn\n" in text
    assert f"commit {facts['commit'] or 'not recorded'}" in text
    assert f"- Steps: {facts['step']}, seed 3, {facts['minutes']} minutes" in text
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
