"""`vlmbench run --sequential --baseline FILE`: what looks on, and what it says at the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from vlmbench.compare.gate.baseline_file import read_baseline
from vlmbench.compare.gate.rules import Rules
from vlmbench.compare.gate.sequential import SequentialGate
from vlmbench.errors import UsageError
from vlmbench.models.spec import ModelSpec
from vlmbench.tasks.spec import TaskSpec

_CODES = {"regressed": 1, "incomplete": 3, "undecided": 4}
"""The first that any task has counts."""


def sequential_gates(
    options: argparse.Namespace, models: Sequence[ModelSpec], tasks: Sequence[TaskSpec]
) -> dict[str, SequentialGate]:
    """What looks on at each task; empty for an ordinary run.

    Raises:
        UsageError: --baseline is missing or alone, or there are several models, variants or a
            judge.
        ConfigError: The baseline is damaged or lacks a task.
    """
    if not options.sequential:
        if options.baseline:
            raise UsageError("--baseline needs --sequential; or use 'vlmbench gate check' later.")
        return {}
    if not options.baseline:
        raise UsageError("--sequential needs --baseline FILE, made by 'vlmbench gate save'.")
    if len(models) > 1 or options.judge or options.image_mode or options.prompts:
        raise UsageError(
            "--sequential is for one model, without variants and without a judge; run the others "
            "by themselves."
        )
    baseline = read_baseline(options.baseline)
    for task in tasks:
        if task.name not in baseline.tasks:
            raise UsageError(
                f"The baseline {options.baseline} has no task '{task.name}'; leave it out, or save "
                "a baseline with it."
            )
    return {
        task.name: SequentialGate(
            task,
            baseline.tasks[task.name],
            Rules(),
            tasks=len(tasks),
            seed=options.seed,
            file=str(options.baseline),
        )
        for task in tasks
    }


def print_early_verdicts(gates: Mapping[str, SequentialGate]) -> int:
    """Say how each task ended, on stderr where stdout holds JSON; the exit code."""
    results = [gate.result() for gate in gates.values()]
    for one in results:
        print(one.text, file=sys.stderr)
    verdicts = {one.verdict for one in results}
    return next((code for verdict, code in _CODES.items() if verdict in verdicts), 0)
