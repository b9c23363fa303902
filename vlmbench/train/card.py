"""What a checkpoint says of itself: checkpoint.json for programs, README.md for people."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench import __version__
from vlmbench.models.checkpoints import model_path, weights_digest
from vlmbench.records import RunRecord
from vlmbench.train.recipe import Recipe

if TYPE_CHECKING:
    from vlmbench.train.checkpoint import Progress
    from vlmbench.train.prepare import Prepared

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "numpy", "pillow")
_ADAPTER_PACKAGES = {"full": (), "lora": ("peft",), "qlora": ("peft", "bitsandbytes")}


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
        "max_pixels": spec.options.get("max_pixels"),
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "data": {
            "training_rows": len(rows.training),
            "validation_rows": len(rows.validation),
            "sources": rows.counts,
            "too_long": rows.too_long,
            "digest": rows.digest,
            "generated": [
                {**source.model_dump(mode="json"), "seed": recipe.seed}
                for source in recipe.synthetic_sources
            ],
        },
        "best": progress.best,
        "best_step": progress.best_step,
        "tasks": {record.task: _task_facts(record) for record in records},
        "unreached": ready.loop.unreached,
        "packing": ready.loop.packing,
        "guard": ready.guard.as_dict(),
        "earlier_guards": list(ready.live.guards[1:]),
        "vlmbench": __version__,
        "commit": source_commit(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": round(progress.seconds / 60, 2),
        "machine": f"{platform.machine()}, {_device()}",
        "processes": ready.loop.processes.count,
        "packages": {
            name: version(name) for name in (*_PACKAGES, *_ADAPTER_PACKAGES[recipe.method])
        },
    }


def _task_facts(record: RunRecord) -> list[dict[str, Any]]:
    """Headline metrics on the part that was answered, and on what of it was not trained on."""
    headlines = [one for one in record.estimates if one.headline and one.slice is None]
    return [
        {
            "metric": one.metric,
            "part": part,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "n": one.n,
        }
        for part, estimates in (("all", headlines), ("clean", record.clean))
        for one in estimates
    ]


def checkpoint_readme(recipe: Recipe, facts: dict[str, Any]) -> str:
    """README.md with the Hub's metadata; tasks are named as the parts that were answered."""
    import yaml

    results = [
        {
            "task": {"type": "image-text-to-text"},
            "dataset": {"name": f"{task} (part)", "type": task},
            "metrics": [
                {"type": one["metric"], "value": one["value"], "name": _metric_name(one)}
                for one in values
                if one["value"] is not None
            ],
        }
        for task, values in facts["tasks"].items()
        if any(one["value"] is not None for one in values)
    ]
    base = facts["base"]["location"]
    head: dict[str, Any] = {
        "library_name": "transformers" if recipe.method == "full" else "peft",
        "pipeline_tag": "image-text-to-text",
        "tags": ["vlmbench"],
    }
    if _HUB_NAME.fullmatch(base) and not Path(base).exists():  # the Hub refuses anything else
        head["base_model"] = base
    if results:
        head["model-index"] = [{"name": recipe.name, "results": results}]
    data = facts["data"]
    quantized = recipe.method == "qlora"
    note = "- Run it with `--quantization 4bit`, as it was trained\n" if quantized else ""
    return (
        f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False)}---\n\n"
        f"# {recipe.name}\n\n{recipe.description.strip()}\n\n"
        f"- Start: {base if head.get('base_model') else Path(base).name}\n"
        f"- Method: {_method_line(recipe)}\n{note}"
        f"{''.join(_data_lines(recipe, data))}"
        f"- Steps: {facts['step']}, seed {recipe.seed}, {facts['minutes']} minutes on "
        f"{facts['machine']}\n"
        f"- Code: vlmbench {facts['vlmbench']}, commit {facts['commit'] or 'not recorded'}\n"
        f"- {_choice_line(recipe, facts)}\n"
        f"- {_guard_line(facts['guard'])}\n"
        f"- Losses, checks and sample answers: log.jsonl, as a page training.html\n"
    )


def _metric_name(one: dict[str, Any]) -> str:
    where = " on samples not trained on" if one["part"] == "clean" else ""
    return f"{one['metric']}{where}, n={one['n']}"


def _sources(rows: dict[str, int]) -> str:
    return ", ".join(f"{Path(name).name} ({count})" for name, count in rows.items())


def _choice_line(recipe: Recipe, facts: dict[str, Any]) -> str:
    """On what the checkpoint was chosen."""
    best = recipe.evaluate.best if recipe.evaluate else None
    if best is None or facts["best"] is None:
        return f"Chosen as the last one, of step {facts['step']}"
    of_rows = f"{best} on the {facts['data']['validation_rows']} validation rows"
    if facts["step"] != facts["best_step"]:
        return (
            f"Of step {facts['step']}; the best by {of_rows} is that of step {facts['best_step']}"
        )
    return (
        f"Chosen by {of_rows}, {facts['best']:.4f} at step {facts['step']}; no sample of a task "
        "had a say in it"
    )


def _data_lines(recipe: Recipe, data: dict[str, Any]) -> Iterator[str]:
    if recipe.row_sources:
        yield (
            f"- Data: {data['training_rows']} rows, {data['validation_rows']} more kept for "
            f"validation, {len(data['too_long'])} left out as too long; digest {data['digest']}\n"
            f"- Sources: {_sources(data['sources'])}\n"
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
