"""Runs as text for other programs: CSV, JSON, LaTeX, Markdown, and the Hub's `model-index`.

CSV and JSON hold every estimate, a row or an object each. The other three are to be shown, so they
hold the headline metrics on whole tasks: what is incomplete is left out of them, and a part of a
task is named as one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Literal, TypeAlias, get_args

from vlmbench.records import Estimate, RunRecord
from vlmbench.text.visible import visible

ExportFormat: TypeAlias = Literal["csv", "json", "latex", "markdown", "model-index"]

EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

FILE_NAMES: Mapping[ExportFormat, str] = {
    "csv": "results.csv",
    "json": "results.json",
    "latex": "results.tex",
    "markdown": "results.md",
    "model-index": "model-index.yaml",
}
"""What a file with the text is called, for those that write one."""

HUB_TASK = "image-text-to-text"
"""What the Hub calls answering a prompt that holds images."""

HUB_METRICS = {
    "match.choice": "accuracy",
    "match.exact": "exact_match",
    "ocr.cer": "cer",
    "overlap.bleu": "bleu",
    "overlap.chrf": "chrf",
    "overlap.rouge_l": "rouge",
}
"""Metrics that the Hub knows by a name of its own; the others keep ours."""

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\n": " ",  # an empty line would end the paragraph
    }
)

# A table's cell ends at "|", and what a name holds is not to become a tag, a link or emphasis.
_MARKDOWN = str.maketrans(
    {**{sign: f"\\{sign}" for sign in "\\`*_[]|"}, "<": "&lt;", "&": "&amp;", "\n": " "}
)


def export(records: Sequence[RunRecord], format: ExportFormat) -> str:
    """The results of runs as a text that ends with a line break.

    Args:
        records: Runs of any models and tasks. Runs of variants are in CSV and JSON only.
        format: One of `EXPORT_FORMATS`.
    """
    return _WRITERS[format](records)


def left_out(records: Iterable[RunRecord], format: ExportFormat) -> list[RunRecord]:
    """The runs that are no part of `export` in this format because they are incomplete."""
    if format in ("csv", "json"):
        return []
    return [one for one in records if one.variant is None and not one.coverage.complete]


def _csv(records: Sequence[RunRecord]) -> str:
    from vlmbench.scoring.frames import RUN_COLUMNS, run_rows

    lines = io.StringIO()
    writer = csv.DictWriter(lines, RUN_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in run_rows(records):
        writer.writerow({name: _no_formula(value) for name, value in row.items()})
    return lines.getvalue()


def _no_formula(value: Any) -> Any:
    """A text that no program for tables takes for a formula: names and slices are of strangers."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _json(records: Sequence[RunRecord]) -> str:
    from vlmbench.scoring.frames import run_rows

    return json.dumps(run_rows(records), ensure_ascii=False, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class _Column:
    """A headline metric of a task, or of a part of it."""

    task: str
    metric: str
    part: str
    """Such as "50 of 332 samples"; empty for the whole task."""


_Table: TypeAlias = tuple[list[str], list[_Column], dict[tuple[str, _Column], Estimate]]


def _table(records: Iterable[RunRecord]) -> _Table:
    """Models, columns, and the estimates that fill them; a second run of a name is numbered."""
    found: dict[tuple[str, _Column], Estimate] = {}
    for record, one in _headlines(records):
        column = _Column(record.task, one.metric, _part(record))
        labels = chain([record.model], (f"{record.model} ({number})" for number in count(2)))
        found[next(label for label in labels if (label, column) not in found), column] = one
    models = list(dict.fromkeys(model for model, _ in found))
    columns = list(dict.fromkeys(column for _, column in found))
    return models, columns, found


def _headlines(records: Iterable[RunRecord]) -> Iterable[tuple[RunRecord, Estimate]]:
    for record in records:
        if record.variant is None and record.coverage.complete:
            for one in record.estimates:
                if one.headline and one.slice is None and one.value is not None:
                    yield record, one


def _shown(name: str, marks: Mapping[int, str]) -> str:
    """A name as a format shows it and does nothing more."""
    return visible(name).translate(marks)


def _part(record: RunRecord) -> str:
    return f"{record.coverage.total} samples" if record.limit is not None else ""


def _heading(column: _Column) -> str:
    return f"{column.task}: {column.metric}" + (f" ({column.part} only)" if column.part else "")


def _cell(estimate: Estimate | None) -> tuple[str, str]:
    """Value and interval; a dash and nothing where there is none."""
    if estimate is None:
        return "–", ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}", ""
    return f"{estimate.value:.3f}", f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def _markdown(records: Sequence[RunRecord]) -> str:
    models, columns, found = _table(records)
    lines = [
        ["model", *(_shown(_heading(one), _MARKDOWN) for one in columns)],
        ["---", *("---:" for _ in columns)],
    ]
    for model in models:
        cells = [" ".join(_cell(found.get((model, one)))).strip() for one in columns]
        lines.append([_shown(model, _MARKDOWN), *cells])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{table}\nIntervals are at 95 %.\n"


def _latex(records: Sequence[RunRecord]) -> str:
    models, columns, found = _table(records)
    rows = []
    for model in models:
        cells = [_latex_cell(found.get((model, one))) for one in columns]
        rows.append(" & ".join([_shown(model, _LATEX), *cells]) + r" \\")
    headings = ["model", *(_shown(_heading(one), _LATEX) for one in columns)]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}; intervals are at 95 \%",
            rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
            r"\toprule",
            " & ".join(headings) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _latex_cell(estimate: Estimate | None) -> str:
    value, ends = _cell(estimate)
    return rf"{value} {{\scriptsize {ends}}}" if ends else value.replace("–", "--")


def _model_index(records: Sequence[RunRecord]) -> str:
    import yaml
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    by_model: dict[str, dict[str, list[EvalResult]]] = {}
    for record, one in _headlines(records):
        result = EvalResult(**_hub_result(record, one))
        by_model.setdefault(record.model, {}).setdefault(record.task, []).append(result)
    index = []
    for model, tasks in by_model.items():
        # Task by task: the Hub's function would take two tasks of one data set for one.
        blocks = [eval_results_to_model_index(model, one)[0]["results"] for one in tasks.values()]
        index.append({"name": model, "results": [block for some in blocks for block in some]})
    lines = yaml.safe_dump({"model-index": index}, allow_unicode=True, sort_keys=False, width=1000)
    return str(lines)


def _hub_result(record: RunRecord, estimate: Estimate) -> dict[str, Any]:
    data, part = record.task_spec["data"], _part(record)
    use = next(
        (
            one
            for one in record.task_spec["metrics"]
            if (one["id"] or one["use"]) == estimate.metric
        ),
        None,
    )
    named = use["use"] if use else estimate.metric
    return {
        "task_type": HUB_TASK,
        "dataset_type": data["hub"] or record.task,
        "dataset_name": record.task_spec["title"] + (f" ({part} only)" if part else ""),
        "dataset_config": data["config"],
        "dataset_split": data["split"],
        # The commit that was read; rows of a local folder have none, also where a task is pinned.
        "dataset_revision": record.fingerprints.get("commit"),
        "dataset_args": {"task": record.task, "samples": record.coverage.total},
        "metric_type": HUB_METRICS.get(named, named),
        "metric_name": estimate.metric,
        "metric_value": _rounded(estimate.value),
        "metric_args": {
            "interval_95": [_rounded(estimate.low), _rounded(estimate.high)],
            "n": estimate.n,
            "signature": estimate.signature,
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


_WRITERS: Mapping[ExportFormat, Callable[[Sequence[RunRecord]], str]] = {
    "csv": _csv,
    "json": _json,
    "latex": _latex,
    "markdown": _markdown,
    "model-index": _model_index,
}
