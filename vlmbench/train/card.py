"""What a checkpoint says of itself: training.json for programs, README.md for people."""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vlmbench import __version__
from vlmbench.train.config import TrainConfig
from vlmbench.train.progress import TrainingLog

_PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "numpy", "pillow")


def write_card(config: TrainConfig, target: Path, log: TrainingLog, *, commit: str | None) -> None:
    """Writes README.md and training.json beside the weights."""
    facts = {
        "recipe": config.model_dump(mode="json", exclude_none=True),
        "vlmbench": __version__,
        "commit": commit,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": round(log.seconds / 60, 1),
        "machine": f"{platform.machine()}, {_device()}",
        "packages": {name: version(name) for name in _PACKAGES},
        "final_loss": log.losses[-1][1] if log.losses else None,
        "exact_by_kind": {kind: round(value, 4) for kind, value in log.accuracy.items()},
    }
    (target / "README.md").write_text(_card(config, facts), encoding="utf-8")
    text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
    (target / "training.json").write_text(text, encoding="utf-8")  # last: says that all is done


def source_commit() -> str | None:
    """The commit of the checkout that this package runs from; "+" where files were changed.

    None for an installed package.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "vlmbench", "tasks")
    return f"{commit}+" if commit and changed else commit or None


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"CPU, {torch.get_num_threads()} threads"


def _card(config: TrainConfig, facts: dict[str, Any]) -> str:
    start = config.model.checkpoint or "random weights"
    kinds = facts["exact_by_kind"]
    rows = "".join(f"| {kind} | {100 * value:.1f} |\n" for kind, value in kinds.items())
    checks = (
        "\nExact answers on generated questions that were not trained on (training styles, %):\n\n"
        f"| kind | exact |\n|---|---|\n{rows}"
        if kinds
        else ""
    )
    return (
        f"# {config.name}\n\n{config.description.strip()}\n\n"
        f"- Start: {start}\n"
        "- Data: the generated training split of vlmbench's embedded suite (basic level): "
        "emoji scenes in the training art styles, bar charts of the training years. "
        "Sources and licences: ATTRIBUTION.md of the suite.\n"
        f"- Steps: {config.steps}, seed {config.seed}, {facts['minutes']} minutes on "
        f"{facts['machine']}\n"
        f"- Code: vlmbench {facts['vlmbench']}, commit {facts['commit'] or 'not recorded'}\n"
        f"- Finished: {facts['finished']}, final loss {facts['final_loss']}\n"
        f"{checks}"
    )
