"""lmms-eval: <model>/<date>_samples_<task>.jsonl, with <date>_results.json (--log_samples).

Read in its code at 75571cf (lmms_eval/evaluator.py, loggers/evaluation_tracker.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.imports.predictions import (
    Figure,
    HarnessFiles,
    Prediction,
    as_count,
    as_number,
    as_text,
    as_texts,
    files_of,
    object_of,
    read_lines,
)

NAME = "lmms-eval"

_FILE = re.compile(r"(?P<date>.*)_samples_(?P<task>.+)\.jsonl")

METRICS = {
    "anls": "compat_lmms.anls",
    "mtvqa": "compat_lmms.mtvqa",
    "relaxed_overall": "compat_lmms.chartqa_relaxed",
}
"""Its metrics, and the metric here that follows each."""

EXACT_MATCH = {
    "okvqa": "compat_lmms.vqav2",
    "textvqa": "compat_lmms.textvqa",
    "vqav2": "compat_lmms.vqav2",
}
"""What `exact_match` is on tasks whose name begins so; elsewhere it is what its name says."""

PERCENT = {"mtvqa"}
"""Metrics that it gives in percent, and we from 0 to 1."""


def read(paths: Sequence[Path]) -> HarnessFiles:
    """Its predictions, of one task or of all subsets of one.

    Args:
        paths: Files of samples, or the folder that holds them.

    Raises:
        UsageError, DataError: A file is not there, or not of this harness.
    """
    files = files_of(paths, "*_samples_*.jsonl")
    predictions = [one for path in files for one in _predictions(path)]
    results = _results(files[0])
    figures = _figures(files[0], results) if len(files) == 1 else ()
    return HarnessFiles(
        NAME,
        tuple(predictions),
        version=as_text(results.get("lmms_eval_version")) or as_text(results.get("git_hash")),
        model=as_text(results.get("model_name")),
        prompts=True,
        figures=tuple(figures),
    )


def _predictions(path: Path) -> Iterator[Prediction]:
    for place, line in read_lines(path, ("doc_id", "filtered_resps")):
        prompt = line.get("input")
        yield Prediction(
            place,
            _answer(line["filtered_resps"]),
            error="" if _answer(line["filtered_resps"]) is not None else "no single answer",
            id=as_text(line["doc_id"]),
            question=prompt if isinstance(prompt, str) else None,
            references=as_texts(line.get("target")),
            images=_images(line.get("input_media")),
            output_tokens=_output_tokens(line.get("token_counts")),
        )


def _answer(value: Any) -> str | None:
    """The one answer; the file holds it bare, or in lists of one."""
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    return as_text(value)


def _images(value: Any) -> tuple[str, ...]:
    """Names of image files; pictures that stand there themselves were encoded anew."""
    listed = value if isinstance(value, list) else []
    return tuple(one for one in listed if isinstance(one, str) and not one.startswith("data:"))


def _output_tokens(value: Any) -> int | None:
    first = value[0] if isinstance(value, list) and len(value) == 1 else None
    return as_count(first.get("output_tokens")) if isinstance(first, Mapping) else None


def _results(samples: Path) -> Mapping[str, Any]:
    """The file of results that was written together with one of samples."""
    match = _FILE.fullmatch(samples.name)
    return object_of(samples.with_name(f"{match['date']}_results.json")) if match else {}


def _figures(samples: Path, results: Mapping[str, Any]) -> Iterator[Figure]:
    match = _FILE.fullmatch(samples.name)
    tasks = results.get("results")
    values = tasks.get(match["task"] if match else "") if isinstance(tasks, Mapping) else None
    for key, value in values.items() if isinstance(values, Mapping) else ():
        name, number = key.partition(",")[0], as_number(value)
        metric = _metric(name, match["task"] if match else "")
        if number is not None and metric is not None:
            yield Figure(name, number / 100 if name in PERCENT else number, metric)


def _metric(name: str, task: str) -> str | None:
    if name == "exact_match":
        special = (metric for start, metric in EXACT_MATCH.items() if task.startswith(start))
        return next(special, "compat_lmms.exact_match")
    return METRICS.get(name)
