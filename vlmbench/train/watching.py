"""What there is to see of a training beside its log: what it began with, and when to look again."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import PIL.Image

from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.tasks.registry import load_task
from vlmbench.train.data.contamination import GuardReport
from vlmbench.train.data.examples import Example
from vlmbench.train.prepare import Prepared

REFRESH_SECONDS = 10.0
MOST_OF_THE_TIME = 0.02
"""Share of the training's time that writing its page may take."""

_NAMED = 20
"""Rows that were left out and are named."""
_PICTURES = 4
"""Of a row that are shown."""
_HITS = 8
"""Findings of the guard that are shown, of rows that were left out and of those that were not."""
_EDGE = 160
"""Pixels of a thumbnail's longer edge."""


class StageNumber(NamedTuple):
    """Which of a recipe's stages, from 1."""

    number: int
    total: int


ONLY_STAGE = StageNumber(1, 1)


class PageUpdates:
    """Has a training's page written again: after each check, between checks now and then.

    Args:
        write: Writes the page.
    """

    def __init__(self, write: Callable[[], object]) -> None:
        self._write = write
        self._next = 0.0

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Looks at a line of the log."""
        began = time.monotonic()
        if "train/loss" in row and began < self._next:
            return
        self._write()
        now = time.monotonic()
        self._next = now + max(REFRESH_SECONDS, (now - began) / MOST_OF_THE_TIME)


def start_facts(ready: Prepared, stage: StageNumber, probes: Sequence[Example]) -> dict[str, Any]:
    """What is known before the first update, as JSON values; the first line of log.jsonl.

    Args:
        probes: The rows whose answers are looked at; small pictures of them are kept.
    """
    recipe, rows = ready.recipe, ready.rows
    evaluate = recipe.evaluate
    guard = ready.guard.as_dict()
    held = {id(example) for example in rows.validation}
    return {
        "name": recipe.name,
        "stage": stage._asdict(),
        "steps": ready.loop.steps,
        "model": ready.spec.location,
        "method": recipe.method,
        "parts": list(recipe.trained_parts),
        "rows_per_update": recipe.examples_per_step,
        "seed": recipe.seed,
        "rows": rows.counts,
        "generated": len(recipe.synthetic_sources),
        "validation_rows": len(rows.validation),
        "too_long": {"count": len(rows.too_long), "first": rows.too_long[:_NAMED]},
        "best": evaluate.best if evaluate else None,
        "tasks": sorted(load_task(one).name for one in evaluate.tasks) if evaluate else [],
        "trained_tasks": sorted(
            source.path.removeprefix("task:")
            for source in recipe.row_sources
            if source.path.startswith("task:")
        ),
        "guard": {
            name: guard[name] for name in ("examples", "dropped", "samples", "counts", "unreadable")
        }
        | {
            name: [_with_pictures(hit, ready.guard) for hit in guard[name][:_HITS]]
            for name in ("hits", "left_out")
        },
        "samples": [
            {
                "id": one.id,
                "source": one.source,
                "question": one.question,
                "reference": one.answers[0],
                "held_out": id(one) in held,
                **_pictures(one.images),
            }
            for one in probes
        ],
    }


def _with_pictures(hit: Mapping[str, Any], guard: GuardReport) -> dict[str, Any]:
    return {**hit, **_pictures(guard.shown.get((hit["source"], hit["example"]), ()))}


def _pictures(images: Sequence[Image]) -> dict[str, Any]:
    small = [thumbnail(image) for image in images[:_PICTURES]]
    return {"images": [one for one in small if one], "more": max(0, len(images) - _PICTURES)}


def thumbnail(image: Image) -> str | None:
    """A small JPEG as a data URL; None if the picture cannot be read."""
    try:
        picture = image.decode()
    except DataError:
        return None
    picture.thumbnail((_EDGE, _EDGE), PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
