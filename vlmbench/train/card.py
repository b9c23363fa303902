"""What a checkpoint says of itself: training.json for programs, README.md for people."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench import __version__
from vlmbench.models.checkpoints import model_path, weights_digest
from vlmbench.records import RunRecord
from vlmbench.train.config import TrainConfig
from vlmbench.train.recipe import Recipe

if TYPE_CHECKING:
    from vlmbench.train.checkpoint import Progress
    from vlmbench.train.prepare import Prepared
    from vlmbench.train.progress import TrainingLog

_PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "numpy", "pillow")
_ADAPTER_PACKAGES = {"full": (), "lora": ("peft",), "qlora": ("peft", "bitsandbytes")}


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


def checkpoint_facts(
    ready: Prepared, progress: Progress, records: Sequence[RunRecord]
) -> dict[str, Any]:
    """What checkpoint.json says: what was trained from what, on what, for how long."""
    recipe, spec, rows = ready.recipe, ready.spec, ready.rows
    base = model_path(spec.location)
    return {
        "name": recipe.name,
        "step": progress.step,
        "base": {
            "location": spec.location,
            "revision": spec.revision,
            "fingerprint": spec.fingerprint,
            "weights": weights_digest(base) if base.is_dir() else None,
        },
        "beside": sorted(ready.trainable.beside),
        "prompt": ready.encoder.digest,
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "data": {
            "training_rows": len(rows.training),
            "validation_rows": len(rows.validation),
            "too_long": rows.too_long,
            "digest": rows.digest,
            "generated": [
                {**source.model_dump(mode="json"), "seed": recipe.seed}
                for source in recipe.synthetic_sources
            ],
        },
        "best": progress.best,
        "tasks": {record.task: _task_facts(record) for record in records},
        "unreached": ready.loop.unreached,
        "packing": ready.loop.packing,
        "guard": ready.guard.as_dict(),
        "vlmbench": __version__,
        "commit": source_commit(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": round(progress.seconds / 60, 2),
        "machine": f"{platform.machine()}, {_device()}",
        "packages": {
            name: version(name) for name in (*_PACKAGES, *_ADAPTER_PACKAGES[recipe.method])
        },
    }


def _task_facts(record: RunRecord) -> list[dict[str, Any]]:
    return [
        {"metric": one.metric, "value": one.value, "low": one.low, "high": one.high, "n": one.n}
        for one in record.estimates
        if one.headline and one.slice is None
    ]


def checkpoint_readme(recipe: Recipe, facts: dict[str, Any]) -> str:
    """README.md with the Hub's metadata; tasks are named as the parts that were answered."""
    import yaml

    results = [
        {
            "task": {"type": "image-text-to-text"},
            "dataset": {"name": f"{task} (part)", "type": task},
            "metrics": [
                {
                    "type": one["metric"],
                    "value": one["value"],
                    "name": f"{one['metric']}, n={one['n']}",
                }
                for one in values
            ],
        }
        for task, values in facts["tasks"].items()
    ]
    head: dict[str, Any] = {}
    if recipe.scratch is None:
        head["base_model"] = facts["base"]["location"]
    if recipe.method != "full":
        head["library_name"] = "peft"
    if results:
        head["model-index"] = [{"name": recipe.name, "results": results}]
    data = facts["data"]
    pixels = recipe.model_options.get("max_pixels")
    flags = [f"--max-pixels {pixels}"] if pixels else []
    flags += ["--quantization 4bit"] if recipe.method == "qlora" else []
    note = f"- Run it with `{' '.join(flags)}`, as it was trained\n" if flags else ""
    return (
        f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False)}---\n\n"
        f"# {recipe.name}\n\n{recipe.description.strip()}\n\n"
        f"- Start: {facts['base']['location']}\n"
        f"- Method: {_method_line(recipe)}\n{note}"
        f"{''.join(_data_lines(recipe, data))}"
        f"- Steps: {facts['step']}, seed {recipe.seed}, {facts['minutes']} minutes on "
        f"{facts['machine']}\n"
        f"- Code: vlmbench {facts['vlmbench']}, commit {facts['commit'] or 'not recorded'}\n"
        f"- {_guard_line(facts['guard'])}\n"
    )


def _data_lines(recipe: Recipe, data: dict[str, Any]) -> Iterator[str]:
    if recipe.row_sources:
        yield (
            f"- Data: {data['training_rows']} rows, {data['validation_rows']} more kept for "
            f"validation, {len(data['too_long'])} left out as too long; digest {data['digest']}\n"
        )
    for source in recipe.synthetic_sources:
        mixture = source.synthetic.mixture
        families = ", ".join(f"{name} {weight:g}" for name, weight in mixture.items())
        yield (
            "- Data: pictures of the training split of vlmbench's embedded suite, drawn while "
            f"training ({families}); sources and licences of the art are in the suite's "
            "ATTRIBUTION.md\n"
        )


def _method_line(recipe: Recipe) -> str:
    if recipe.method == "full":
        return f"full, of the parts {', '.join(recipe.full_parts)}"
    adapted = f"{recipe.method}, of the parts {', '.join(recipe.adapted_parts)}"
    if not recipe.full_parts:
        return adapted
    return f"{adapted}; in full beside it: {', '.join(recipe.full_parts)}, in the adapter's file"


def _guard_line(guard: dict[str, Any]) -> str:
    if not guard["samples"]:
        return "Training data was compared with no evaluation task"
    hits = sum(
        guard["counts"].get(kind, {}).get(task, 0)
        for kind in ("leak", "picture")
        for task in guard["samples"]
    )
    return (
        f"Training data was compared with {', '.join(guard['samples'])}: {hits} rows show a "
        f"picture of these, {guard['dropped']} were left out for that"
    )


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
