"""llm-jp-eval-mm: result/<task>/<model>/prediction.jsonl, with evaluation.jsonl and manifest.json.

Read in its code at 9f450a5 (src/eval_mm/runner.py, result_schema.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.imports.predictions import (
    Figure,
    HarnessFiles,
    Prediction,
    as_number,
    as_text,
    as_texts,
    files_of,
    object_of,
    read_lines,
)

NAME = "llm-jp-eval-mm"

METRICS = {
    "ai2d": "compat_evalmm.ai2d",
    "blink": "compat_evalmm.blink",
    "cc-ocr": "compat_evalmm_ocr.cc_ocr",
    "exact-match": "compat_evalmm.exact_match",
    "jawildtext-handwriting-ocr": "compat_evalmm_ocr.handwriting_ocr",
    "jawildtext-receipt-kie": "compat_evalmm_ocr.receipt_kie",
    "jdocqa": "compat_evalmm_text.jdocqa",
    "jic-vqa": "compat_evalmm.jic_vqa",
    "jmmmu": "compat_evalmm.jmmmu",
    "mathvista": "compat_evalmm.mathvista",
    "mecha-ja": "compat_evalmm.mecha_ja",
    "mmmu": "compat_evalmm.mmmu",
    "rougel": "compat_evalmm_text.rouge",
    "substring-match": "compat_evalmm.substring_match",
}
"""Its scorers, and the metric here that follows each. Those that ask a judge are not among them."""


def read(paths: Sequence[Path]) -> HarnessFiles:
    """Its predictions.

    Args:
        paths: prediction.jsonl, or the folder that holds it.

    Raises:
        UsageError, DataError: A file is not there, or not of this harness.
    """
    files = files_of(paths, "prediction.jsonl")
    predictions = [one for path in files for one in _predictions(path)]
    manifest = object_of(files[0].with_name("manifest.json"))
    version = as_text(manifest.get("schema_version"))
    figures = _figures(files[0].with_name("evaluation.jsonl")) if len(files) == 1 else ()
    return HarnessFiles(
        NAME,
        tuple(predictions),
        version=f"result schema {version}" if version else None,
        model=as_text(manifest.get("model_id")),
        prompts=True,
        figures=tuple(figures),
    )


def _predictions(path: Path) -> Iterator[Prediction]:
    failed = _failed(path.with_name("error_message.jsonl"))
    for place, line in read_lines(path, ("question_id", "text")):
        name = as_text(line["question_id"])
        # A question on which the model failed stands there with an empty text.
        error = failed.get(name or "", "") if line["text"] == "" else ""
        yield Prediction(
            place,
            None if error else str(line["text"]),
            error=error,
            id=name,
            question=as_text(line.get("input_text")),
            references=as_texts(line.get("answer")),
        )


def _failed(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = (line for _, line in read_lines(path, ("question_id", "error")))
    return {str(line["question_id"]): str(line["error"]) or "no reason given" for line in lines}


def _figures(path: Path) -> Iterator[Figure]:
    """Each scorer's overall score."""
    for name, value in object_of(path).items():
        overall = as_number(value.get("overall_score")) if isinstance(value, Mapping) else None
        if overall is not None and name in METRICS:
            yield Figure(name, overall, METRICS[name])
