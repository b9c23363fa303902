"""What a checkpoint says of itself is true."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from locations import ROOT

from vlmbench.train.card import source_commit
from vlmbench.train.progress import loss_curve


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


def test_the_commit_is_that_of_the_checkout() -> None:
    root = ROOT
    if not (root / ".git").exists():
        assert source_commit() is None
        return
    head = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert source_commit() in (head, f"{head}+")


def test_the_loss_curve_of_the_training(trained: Path, log: list[dict[str, Any]]) -> None:
    picture = xml.etree.ElementTree.parse(trained / "loss.svg").getroot()
    (line,) = (part for part in picture if part.tag.endswith("polyline"))
    assert len(line.attrib["points"].split()) == sum("loss" in row for row in log)


@pytest.mark.parametrize(
    ("losses", "points"),
    [
        # In 720 x 260 pixels the curve spans 46 to 710 and, over half powers of ten, 10 to 234.
        ([(0, 10.0), (50, 3.1622776), (100, 1.0)], ["46.0,10.0", "378.0,122.0", "710.0,234.0"]),
        ([(1, 0.0), (2, 1.0)], ["378.0,234.0", "710.0,10.0"]),  # a loss of 0 is drawn at 0.0001
    ],
)
def test_the_curve_is_logarithmic(losses: list[tuple[int, float]], points: list[str]) -> None:
    picture = xml.etree.ElementTree.fromstring(loss_curve(losses))
    (line,) = (part for part in picture if part.tag.endswith("polyline"))
    assert line.attrib["points"].split() == points


def test_no_loss_no_curve() -> None:
    assert loss_curve([]) == ""
