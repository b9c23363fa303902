"""`vlmbench run --sequential --baseline FILE`: what looks on, and what it says at the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from vlmbench.compare.gate.baseline_file import read_baseline
from vlmbench.compare.gate.rules import Rules, read_rules
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
        UsageError: --baseline is missing or alone or lacks a task, or there are several models, a
            limit, variants or a judge.
        ConfigError: The baseline or the rules are damaged.
    """
    if not options.sequential:
        for name in ("baseline", "rules"):
            if getattr(options, name):
                raise UsageError(
                    f"--{name} needs --sequential; or use 'vlmbench gate check' later."
                )
        return {}
    if not options.baseline:
        raise UsageError("--sequential needs --baseline FILE, made by 'vlmbench gate save'.")
    others = (options.judge, options.image_mode, options.prompts, options.option_order)
    if len(models) > 1 or options.limit is not None or any(others):
        raise UsageError(
            "--sequential is for one model on whole tasks, without variants and without a judge; "
            "run the others by themselves."
        )
    baseline = read_baseline(options.baseline)
    for task in tasks:
        if task.name not in baseline.tasks:
            raise UsageError(
                f"The baseline {options.baseline} has no task '{task.name}'; leave it out, or save "
                "a baseline with it."
            )
    rules = read_rules(options.rules) if options.rules else Rules()
    return {
        task.name: SequentialGate(
            task,
            baseline.tasks[task.name],
            rules,
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
