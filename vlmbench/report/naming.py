"""What files of the site are called, which samples are shown, and when a run has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.records import RunRecord, stable_hash
from vlmbench.report.entries import Run


def model_slug(name: str) -> str:
    """A file name for a model: never a path, another one for each name."""
    plain = "".join(
        one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in name
    )
    plain = plain.strip("-.")[:60]
    return plain if plain == name else f"{plain or 'model'}-{stable_hash(name)[:8]}"


def run_state(run: Run, variants: Mapping[str, Run]) -> list[Any]:
    """Changes whenever a file of a run, of its judges or of its variants does."""
    folders = [run.directory.path, *(one.directory.path for one in variants.values())]
    return [
        [folder.name, sorted([one.name, *_stamp(one)] for one in folder.iterdir() if one.is_file())]
        for folder in folders
    ]


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


_FIELDS = {
    "answer_type": "回答の種類",
    "background": "背景",
    "category": "分類",
    "domain": "領域",
    "group": "区分",
    "image_category": "画像の分類",
    "image_type": "画像の種類",
    "kind": "種類",
    "question_type": "問題の種類",
    "subject": "科目",
    "subset": "部分集合",
    "task": "タスク",
    "type": "種類",
}
"""What data sets call the fields by which scores are sliced, where a task names none."""


def japanese_names(record: RunRecord) -> dict[str, str]:
    """Japanese names of the fields and values by which a task is sliced, as far as known."""
    spec = record.task_spec
    own: Mapping[str, str] = (spec.get("ja") or {}).get("names") or {}
    fields = {str(name): str(name).lower().replace(" ", "_") for name in spec.get("slices") or ()}
    known = {name: _FIELDS[plain] for name, plain in fields.items() if plain in _FIELDS}
    return {**known, **own}


def spread(names: Sequence[str], at_most: int | None) -> Sequence[str]:
    """At most so many of the names, spread evenly over them."""
    if at_most is None or len(names) <= at_most:
        return names
    share = at_most / len(names)
    return [name for n, name in enumerate(names) if int((n + 1) * share) > int(n * share)]
