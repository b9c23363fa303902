"""tiny-ja gains on what a recipe is for, and what it forgets is shown: by LoRA and in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from made_cards import card_task, cards, cauldron, crowds
from made_colors import data_recipe
from made_trainings import log_of

from vlmbench.cli.main import main

SETTINGS: dict[str, dict[str, Any]] = {
    "lora": {"lora": {"r": 16, "alpha": 32}, "learning_rate": 2e-3},
    "full": {"lora": None, "learning_rate": 3e-4},
}
"""Chosen on such cards of another seed; docs/training.md has what further seeds came to."""
FORGETTING = "ja-vqa"


def mixture_recipe(folder: Path, method: str, *, seed: int) -> Path:
    """A recipe on two Cauldron-format sources, which evaluates other cards and an old task."""
    cauldron(folder / "cards.parquet", cards(96, seed=seed))
    cauldron(folder / "crowds.parquet", crowds(48, seed=seed))
    task = card_task(folder, 48, seed=1000 + seed)
    return data_recipe(
        folder,
        "tiny-ja",
        name=f"cards-{method}",
        method=method,
        data=[
            {"path": "cards.parquet", "weight": 3.0},
            {"path": "crowds.parquet", "weight": 1.0},
        ],
        validation={"rows": 8},
        evaluate={"every_steps": 24, "tasks": {str(task): 48, FORGETTING: 24}},
        max_steps=24,
        per_device_train_batch_size=8,
        seed=seed,
        **SETTINGS[method],
    )


@pytest.mark.parametrize("method", SETTINGS)
def test_tiny_ja_gains_on_its_target_and_forgetting_is_shown(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    recipe = mixture_recipe(tmp_path, method, seed=1)
    assert main(["train", "run", str(recipe), "--out", str(out)]) == 0
    last = [row for row in log_of(out) if "samples" in row][-1]
    gained = last["eval/cards"]["change"]
    assert gained["n"] == 48
    assert gained["low"] > 0, gained
    # More than the words of an answer was learned: who does not look is right of one team of four.
    assert last["eval/cards"]["low"] > 1 / 4
    forgotten = last[f"eval/{FORGETTING}"]["change"]
    assert forgotten["n"] == 24
    assert forgotten["low"] <= forgotten["difference"] <= forgotten["high"]
    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    for task, change in (("cards", gained), (FORGETTING, forgotten)):
        interval = f"[{change['low']:+.3f}, {change['high']:+.3f}]"
        assert interval in shown[task]
    page = (out / "training.html").read_text(encoding="utf-8")
    for change in (gained, forgotten):
        shown_ends = re.compile(rf"\({_written(change['low'])} … {_written(change['high'])}\)")
        assert shown_ends.search(page)


def _written(value: float) -> str:
    """A difference as pages write it."""
    return re.escape(f"{value:+.3f}".replace("-", "−"))
