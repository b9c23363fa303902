"""The log of a training that never was, with figures that can be reckoned by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # a GIF


def start(name: str = "made", *, stage: int = 1, stages: int = 1, **changes: Any) -> dict[str, Any]:
    """What a log begins with."""
    return {
        "name": name,
        "stage": {"number": stage, "total": stages},
        "steps": 20,
        "model": "tiny-ja",
        "method": "lora",
        "parts": ["language"],
        "rows_per_update": 4,
        "seed": 0,
        "rows": {"one": 30, "two": 10},
        "generated": 1,
        "validation_rows": 5,
        "too_long": {"count": 2, "first": ["long-1", "long-2"]},
        "best": "validation.match.exact",
        "tasks": ["ja-chart", "ja-vqa"],
        "trained_tasks": ["ja-vqa"],
        "guard": {
            "examples": 50,
            "dropped": 3,
            "samples": {"ja-vqa": 332},
            "counts": {"picture": {"ja-vqa": 1}},
            "unreadable": {"count": 0, "first": []},
            "left_out": [
                {
                    "source": "two",
                    "example": "row-3",
                    "kind": "leak",
                    "by": "ids",
                    "task": "ja-vqa",
                    "sample": "scene-3",
                    "images": [],
                    "more": 0,
                }
            ],
            "hits": [
                {
                    "source": "one",
                    "example": "row-9",
                    "kind": "picture",
                    "by": "hash",
                    "task": "ja-vqa",
                    "sample": "scene-9",
                    "images": [PIXEL],
                    "more": 0,
                }
            ],
        },
        "samples": [
            {
                "id": "row-0",
                "source": "one",
                "question": "何色ですか。",
                "reference": "赤",
                "held_out": True,
                "images": [PIXEL],
                "more": 2,
            }
        ],
        **changes,
    }


def update(step: int) -> dict[str, Any]:
    """A line of an update: the loss is 2 / step, a second in all, a tenth of it waiting."""
    return {
        "step": step,
        "train/loss": 2 / step,
        "train/loss_by_source": {"one": 2 / step, "two": 1 / step},
        "train/grad_norm": 5.0,
        "train/grad_norm_by_part": {"connector": 3.0, "language": 4.0},
        "train/learning_rate": 1e-4,
        "train/learning_rate_by_part": {"connector": 1e-4, "language": 1e-4},
        "train/epoch": step / 10,
        "train/global_step": step,
        "train/num_tokens": 100 * step,
        "train/learned_tokens": 8,
        "train/learned_tokens_per_second": 8.0,
        "train/seconds": 1.0,
        "train/data_wait": 0.1,
        "elapsed": 2.0 * step,
    }


def check(step: int, answer: str, value: float, best_step: int | None) -> dict[str, Any]:
    """A line of a check: ja-vqa at `value`, ja-chart at 1 minus that."""

    def estimate(metric: str, value: float) -> dict[str, Any]:
        ends = {"low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1)}
        return {"metric": metric, "value": value, **ends, "n": 16, "signature": metric}

    row = {
        "step": step,
        "eval/loss": 1 - value,
        "eval/validation.match.exact": value,
        "eval/ja-vqa": estimate("match.exact", value),
        "eval/ja-chart": estimate("match.relaxed", 1 - value),
        "samples": [{"id": "row-0", "question": "?", "answer": answer, "reference": "赤"}],
        "elapsed": 2.0 * step,
    }
    return row if best_step is None else {**row, "best_step": best_step}


def write_log(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Writes log.jsonl of a stage and returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "log.jsonl").write_text(text, encoding="utf-8", errors="backslashreplace")
    return folder


def running(name: str = "made", **changes: Any) -> list[dict[str, Any]]:
    """Ten of twenty updates, three checks of which the second was the best."""
    rows = [{"step": 0, "start": start(name, **changes), "elapsed": 0.0}, check(0, "", 0.2, None)]
    rows += [update(step) for step in range(1, 6)] + [check(5, "赤", 0.6, 5)]
    return [*rows, *(update(step) for step in range(6, 11)), check(10, "赤", 0.5, 5)]


def ended(rows: Sequence[dict[str, Any]], end: str = "finished", **more: Any) -> list[Any]:
    """The same with a last line."""
    return [*rows, {"step": 10, "end": end, "elapsed": 21.0, **more}]
