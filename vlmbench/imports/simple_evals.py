"""simple-evals-mm: results/<eval>/<model>/results_<time>_r<N>.jsonl, with score_<time>_r<N>.jsonl.

Read in its code at 06b2f44 (src/simple_evals_mm/common.py) and 0fde670 (simple_evals.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vlmbench.imports.predictions import (
    Figure,
    HarnessFiles,
    Prediction,
    as_count,
    as_number,
    as_text,
    as_texts,
    files_of,
    read_lines,
    read_object,
)

NAME = "simple-evals-mm"

CHOICE_EVALS = {
    "ai2d",
    "blink",
    "cvqaja",
    "gpqa",
    "jmmmu",
    "mechaja",
    "mmlu",
    "mmlu_redux",
    "mmmu",
    "scienceqa",
    "seedbenchv2",
}
"""Evals whose answers are read by patterns, and graded by a model only where these find nothing."""


def read(paths: Sequence[Path]) -> HarnessFiles:
    """Its predictions, of one repeat.

    Args:
        paths: A file of results, or the folder that holds one.

    Raises:
        UsageError, DataError: A file is not there, or not of this harness.
    """
    files = files_of(paths, "results_*.jsonl")
    predictions = [one for path in files for one in _predictions(path)]
    score = _score(files[0])
    figures = _figures(score) if len(files) == 1 else ()
    return HarnessFiles(
        NAME,
        tuple(predictions),
        model=as_text(score.get("model_name")),
        prompts=True,
        figures=tuple(figures),
    )


def _predictions(path: Path) -> Iterator[Prediction]:
    for place, line in read_lines(path, ("id", "response_text")):
        error = str(line.get("error") or "")
        failed = error.startswith("model_failed")
        yield Prediction(
            place,
            None if failed else str(line["response_text"] or ""),
            error=error if failed else "",
            id=as_text(line["id"]),
            question=as_text(line.get("question")),
            references=as_texts(line.get("correct_answer")),
            prompt_tokens=as_count(line.get("input_tokens")),
            output_tokens=as_count(line.get("output_tokens")),
            seconds=as_number(line.get("duration_seconds")),
            finish=_finish(line.get("finish_reason")),
        )


def _finish(value: Any) -> Literal["stop", "length"] | None:
    return value if value in ("stop", "length") else None


def _score(results: Path) -> Mapping[str, Any]:
    """The file of the score that was written together with one of results."""
    path = results.with_name(results.name.replace("results_", "score_", 1))
    try:
        first, *_ = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    return read_object(first)


def _figures(score: Mapping[str, Any]) -> Iterator[Figure]:
    value = as_number(score.get("score"))
    if value is not None and as_text(score.get("eval_name")) in CHOICE_EVALS:
        yield Figure("score", value, "compat_simple_evals.choice")
