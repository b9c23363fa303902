"""What ten steps of training do to a tiny model of a family: the truth behind docs/models.md.

python tests/train/trained_families.py | python docs/build/family_pages.py trained
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    tests = Path(__file__).parents[1]
    sys.path[:0] = [str(tests), str(tests / "runners" / "hf")]

from made_colors import color_rows, data_recipe, write_rows
from made_families import SEEING, checkpoint

from vlmbench.models.resolve import resolve_model
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.train import reload
from vlmbench.train.data.formats import read_examples
from vlmbench.train.live import answers_of
from vlmbench.train.run import train_by_recipe

METHODS = ("lora", "full")
ROWS = 4
LARGE = ("gemma4", "phi4_multimodal")
"""Families whose processors make a thousand patches of any picture: they see one at a time."""


@dataclass(frozen=True, slots=True)
class TrainedFamily:
    """What was seen of a training of ten steps."""

    family: str
    """Key of families.yaml."""
    method: str
    losses: list[float]
    unreached: list[str]
    """Weights of the trained parts that no loss reaches."""
    live: list[str]
    """Answers of the model in memory, after the last step."""
    written: list[str]
    """Answers of the checkpoint to the same questions, loaded as `vlmbench run` loads it."""
    asked_as_trained: bool
    """Whether that makes prompts as the training did."""

    @property
    def fall(self) -> float:
        """How much the loss fell: of the first two updates, a part of it, 0 to 1."""
        return 1 - sum(self.losses[-2:]) / sum(self.losses[:2])

    @property
    def succeeded(self) -> bool:
        """Whether it learned, and the checkpoint holds what it learned."""
        return self.fall > 0.15 and self.live == self.written and self.asked_as_trained


def train(key: str, method: str, root: Path) -> TrainedFamily:
    """Trains the tiny model of a family on pictures and their colors.

    Args:
        root: Where the families' untrained models are kept, and everything else is written.
    """
    folder = root / f"{key.replace('/', '-')}-{method}"
    folder.mkdir()
    rows = write_rows(folder / "rows.parquet", color_rows(ROWS))
    recipe = data_recipe(
        folder,
        checkpoint(key, root),
        method=method,
        learning_rate=0.01 if method == "lora" else 0.003,
        max_steps=10,
        per_device_train_batch_size=1 if key in LARGE else 2,
        gradient_accumulation_steps=2 if key in LARGE else 1,
        lr_scheduler_type="constant",
    )
    out = train_by_recipe(recipe, out=folder / "out", quiet=True)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    facts = json.loads((out / "checkpoint.json").read_text())
    runner = HFRunner()
    runner.prepare(resolve_model(str(out)))
    seen = TrainedFamily(
        key,
        method,
        losses=[row["train/loss"] for row in log if "train/loss" in row],
        unreached=facts["unreached"],
        live=sorted(facts["answers"]),
        written=sorted(answers_of(runner, list(read_examples(str(rows))))),
        asked_as_trained=runner.describe()["asked_as_trained"] is True,
    )
    runner.close()
    return seen


def main() -> None:
    """Train every family and print JSON."""
    reload.run_process = reload.answer  # as in tests: no process of its own for each checkpoint
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as root:
        for key in SEEING:
            for method in METHODS:
                seen = train(key, method, Path(root))
                rows.append({**asdict(seen), "succeeded": seen.succeeded})
    json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
