"""What a checkpoint says of its training data: which samples of a task it has learned from.

The guard of vlmbench's trainer compares every row with tasks before it trains, and writes what it
found into checkpoint.json. A checkpoint that was trained further carries the results of all its
trainings.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from vlmbench.models.checkpoints import model_path
from vlmbench.models.spec import ModelSpec
from vlmbench.records import TrainingOverlap

CHECKPOINT_FACTS = "checkpoint.json"
"""What the trainer says of a checkpoint, beside its weights."""

GuardResult: TypeAlias = Mapping[str, Any]
"""What a guard found, as checkpoint.json has it."""

_KEPT = ("samples", "counts", "dropped", "seen")


def guard_results(model: ModelSpec) -> tuple[GuardResult, ...]:
    """What the guards of a model's trainings found, the last training's first, with its `parent`.

    Empty for a model that vlmbench did not train, and for one of the Hub.
    """
    facts = read_facts(Path(str(model.options.get("adapter") or model_path(model.location))))
    try:
        results = [facts["guard"], *facts.get("earlier_guards", [])]
        kept = [{key: result[key] for key in _KEPT} for result in results]
        if "base" in facts:
            kept[0]["parent"] = facts["base"]["location"]
        training_overlap(kept, "")  # sees that all is of its kind
        return tuple(kept)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()  # a file of that name that another program wrote says nothing of ours


def read_facts(folder: Path) -> dict[str, Any]:
    """What a checkpoint's checkpoint.json says; nothing where there is none that can be read."""
    try:
        facts = json.loads((folder / CHECKPOINT_FACTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def trained_max_pixels(folder: Path) -> int | None:
    """Pixels that an adapter's training shrank larger images to; None for as its base has it.

    A whole checkpoint keeps that in its processor, and an adapter is loaded with its base's.
    """
    value = read_facts(folder).get("max_pixels")
    return value if isinstance(value, int) and value > 0 else None


def training_overlap(results: Sequence[GuardResult], task: str) -> TrainingOverlap | None:
    """What trainings had of a task, all of them together; None if there was none."""
    if not results:
        return None
    rows: Counter[str] = Counter()
    for result in results:
        rows.update({kind: tasks.get(task, 0) for kind, tasks in result["counts"].items()})
    return TrainingOverlap(
        compared=all(task in result["samples"] for result in results),
        rows={kind: count for kind, count in sorted(rows.items()) if count},
        dropped=sum(result["dropped"] for result in results),
        seen=tuple(sorted({one for result in results for one in result["seen"].get(task, ())})),
        parent=results[0].get("parent"),
    )
