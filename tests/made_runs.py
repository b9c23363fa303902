"""Run directories made by the real pipeline, on small tasks with images drawn here."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import yaml

from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.models.training_data import GuardResult
from vlmbench.records import RunRecord
from vlmbench.runs.directory import canonical_json
from vlmbench.runs.seal import sealed, unsealed
from vlmbench.tasks.registry import load_task

EXACT = ({"use": "match.exact", "headline": True, "options": {"unpack": True}},)


def picture(number: int, kind: str = "PNG") -> bytes:
    """A small image file, another one for each number."""
    buffer = io.BytesIO()
    color = (number * 37 % 256, number * 91 % 256, 128)
    PIL.Image.new("RGB", (64, 48), color).save(buffer, format=kind)
    return buffer.getvalue()


def question(
    number: int, text: str = "何色ですか。", answer: str = "赤", **columns: Any
) -> dict[str, Any]:
    """A row of a task; `images` are file names."""
    defaults = {"level": "basic", "kind": "colour", "images": [f"{number}.png"]}
    row = {"id": f"q{number}", "question": text, "references": [answer], **defaults, **columns}
    for name in row["images"]:
        row.setdefault("files", {}).setdefault(name, picture(number))
    return row


def make_task(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    name: str = "ja-small",
    metrics: Sequence[Mapping[str, Any]] = EXACT,
    prompt: str = "{{ row.question | interleave }}",
    title: str = "小さな課題",
) -> Path:
    """Write a task with its data and return the YAML file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows:
        for file, data in row.get("files", {}).items():
            (folder / file).write_bytes(data)
        lines.append(json.dumps({k: v for k, v in row.items() if k != "files"}))
    (folder / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))
    task = {
        "name": name,
        "display": {"title": title, "capability": "vqa", "licence": "CC0-1.0", "card": "試験用。"},
        "data": {"path": f"{name}.jsonl"},
        "fields": {
            "id": "{{ row.id }}",
            "images": ["images"],
            "references": {"column": "references"},
            "meta": ["level", "kind"],
        },
        "slices": ["level", "kind"],
        "prompt": prompt,
        "metrics": [dict(metric) for metric in metrics],
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(task, allow_unicode=True))
    return path


def make_run(
    task: Path,
    out: Path,
    model: str,
    *,
    limit: int | None = None,
    fresh: bool = False,
    guards: Sequence[GuardResult] | None = None,
) -> RunRecord:
    """Evaluate `baseline:...` on a task, as a model of which guards found something."""
    spec = resolve_model(model)
    return run(
        spec,
        load_task(str(task)),
        executor=LocalExecutor(batch_size=8),
        out=out,
        limit=limit,
        fresh=fresh,
        guards=guards,
    )


def answered_run(
    task: Path,
    out: Path,
    name: str,
    answers: Mapping[str, str],
    *,
    limit: int | None = None,
    guards: Sequence[GuardResult] | None = None,
) -> Path:
    """The model directory of a run whose answers are given by sample id; others are errors."""
    script = out.parent / f"{name}.jsonl"
    lines = [json.dumps({"id": key, "text": text}) for key, text in answers.items()]
    script.write_text("\n".join(lines) + "\n")
    record = make_run(task, out, f"baseline:scripted:{script}", limit=limit, guards=guards)
    return out / record.model


def replace_in_journal(path: Path, *changes: tuple[str, str]) -> None:
    """Change texts in a journal, as its writer would have written them: with its checksums."""
    lines = []
    for line in path.read_bytes().splitlines():
        text = canonical_json(unsealed(line))
        for old, new in changes:
            text = text.replace(old, new)
        lines.append(sealed(text))
    path.write_bytes(b"".join(lines))
