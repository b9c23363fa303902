"""What the scripts rank and compare with: the leaderboard, and every pair of models of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.records import RunRecord
from vlmbench.report.entries import Entry, TaskRuns
from vlmbench.report.field import Differences
from vlmbench.report.naming import japanese_names
from vlmbench.report.site import safe_json
from vlmbench.report.tables import Leaderboard, task_values
from vlmbench.report.task_unit import TaskUnit


def board_script(
    board: Leaderboard,
    units: Mapping[str, TaskUnit],
    slugs: Mapping[str, str],
    model_slugs: Mapping[str, str],
) -> str:
    """`data/board.js`: models, tasks, chance-corrected values, and who is told apart from whom."""
    names = [entry.name for entry in board.entries]
    data = {
        "models": [_model(entry, model_slugs[entry.name]) for entry in board.entries],
        "tasks": [_task(board, task, units[task.name], names, slugs) for task in board.tasks],
        "values": [_values(board, entry) for entry in board.entries],
    }
    return f'vlmPut("board",{safe_json(data)});\n'


def _model(entry: Entry, slug: str) -> dict[str, Any]:
    facts = entry.facts
    records = [run.record for run in entry.runs.values()]
    return {
        "name": entry.name,
        "slug": slug,
        "baseline": entry.baseline,
        "parameters": facts.parameters,
        "family": facts.family,
        "license": facts.license,
        "open": facts.open,
        "date": facts.evaluated,
        "parent": facts.parent,
        "costs": costs(records),
    }


def costs(records: Sequence[RunRecord]) -> dict[str, float | None]:
    """What a model takes, over its runs: seconds and US dollars a sample, memory at its peak."""
    speeds = [one for r in records if (one := r.performance.get("samples_per_second"))]
    paid = [(r.performance.get("cost_usd"), r.coverage.answered) for r in records]
    known = [(cost, n) for cost, n in paid if cost is not None and n]
    memory = [one for r in records if (one := r.performance.get("peak_memory_mib"))]
    device = [one for r in records if (one := r.performance.get("peak_device_memory_mib"))]
    return {
        "seconds": _rounded(sum(1 / one for one in speeds) / len(speeds)) if speeds else None,
        "usd": _rounded(sum(c for c, _ in known) / sum(n for _, n in known)) if known else None,
        "memory": max(device or memory, default=None),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _values(board: Leaderboard, entry: Entry) -> list[float | None]:
    """The chance-corrected value of each task; None where it may not be ranked."""
    values = task_values(entry, board.columns)
    return [_precise(values.get(task.name)) for task in board.tasks]


def _task(
    board: Leaderboard,
    task: TaskRuns,
    unit: TaskUnit,
    names: Sequence[str],
    slugs: Mapping[str, str],
) -> dict[str, Any]:
    spec = task.reference.record.task_spec
    field = unit.field
    columns = {one.metric: one for one in board.columns if one.task is task}
    return {
        "name": task.name,
        "slug": slugs[task.name],
        "title": [*task.title],
        "capability": spec.get("capability"),
        "language": spec.get("language"),
        "field": [names.index(name) for name in field.models],
        "deviations": [_precise(one) for one in field.deviations],
        "pair_deviations": "".join(map(_four_digits, field.pair_deviations)),
        "columns": [
            {
                "metric": one.metric,
                "lower": columns[one.metric].lower_is_better,
                "ends": columns[one.metric].ends,
                "signs": signs(one, lower_is_better=columns[one.metric].lower_is_better),
            }
            for one in field.whole
            if one.metric in columns
        ],
    }


def signs(one: Differences, *, lower_is_better: bool) -> str:
    """For each pair `+` where the first model is told to be better, `-` the second, else `=`."""
    plus, minus = ("-", "+") if lower_is_better else ("+", "-")
    return "".join(
        "=" if low is None or high is None else plus if low > 0 else minus if high < 0 else "="
        for low, high in zip(one.low, one.high, strict=True)
    )


def task_script(task: TaskRuns, unit: TaskUnit, lower: Mapping[str, bool]) -> str:
    """`data/<task>.js`: the differences of all pairs of models, overall and by slice.

    Args:
        lower: Whether lower is better, by headline metric.
    """
    data = {
        "models": unit.field.models,
        "won": unit.won,
        "whole": [_differences(one, lower) for one in unit.field.whole],
        "parts": [_differences(one, lower) for one in unit.field.parts],
        "names": japanese_names(task.reference.record),
    }
    return f"vlmPut({safe_json('task/' + unit.slug)},{safe_json(data)});\n"


def _differences(one: Differences, lower: Mapping[str, bool]) -> dict[str, Any]:
    return {
        "metric": one.metric,
        "lower": lower.get(one.metric, False),
        "part": [one.part.field, str(one.part.value)] if one.part else None,
        "n": one.n,
        "values": [_precise(value) for value in one.values],
        "low": [_precise(value) for value in one.low],
        "high": [_precise(value) for value in one.high],
    }


def _four_digits(value: float) -> str:
    """Millionths as four digits of base 36: there are many, and the leaderboard loads them all."""
    left, digits = min(round(value * 1e6), 36**4 - 1), ""
    for _ in range(4):
        left, digit = divmod(left, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _precise(value: float | None) -> float | None:
    # Pages round to three digits; numbers that end in a 5 there must not be rounded twice.
    return None if value is None else round(value, 7)
