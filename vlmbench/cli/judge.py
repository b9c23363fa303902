"""`vlmbench judge run|pairwise|agreement`: a model grades answers, or labels are compared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from vlmbench.cli.console import number, print_json, print_table, value_and_interval
from vlmbench.cli.execution import executor_for
from vlmbench.cli.judge_model import (
    as_judge_error,
    judge_exit_code,
    judge_runs,
    judge_settings,
    judge_spec,
)
from vlmbench.cli.results import print_results
from vlmbench.errors import UsageError
from vlmbench.executors.progress import progress_bar
from vlmbench.judges.checks import check_judge, check_path
from vlmbench.judges.judging import judgeable
from vlmbench.judges.labels import agreement_path, compare_labels, read_labels
from vlmbench.judges.pairwise import judge_pair, pair_journal
from vlmbench.judges.results import Agreement, JudgeCheck, PairResult, write_result
from vlmbench.runs.directory import find_runs

_Result = TypeVar("_Result", PairResult, Agreement)


def judge_run_command(options: argparse.Namespace) -> int:
    """Grade the answers of runs."""
    found = find_runs(options.runs)
    # Where no task has a metric for a judge, the first of them says what to do.
    runs = found if options.metrics else judgeable(found) or found
    judged = judge_runs(runs, options, metrics=options.metrics)
    records = [one.record for one in judged]
    checks = [
        check
        for run, one in zip(runs, judged, strict=True)
        for check in check_judge(run, one.judge, seed=options.seed).checks
    ]
    written = [str(check_path(run, one.judge)) for run, one in zip(runs, judged, strict=True)]
    if options.json:
        values = {
            "runs": [asdict(one) for one in records],
            "judge": [asdict(one) for one in checks],
            "records": written,
        }
        print_json(values)
    else:
        print_results(records, runs, json=False)
        _print_checks(checks, verbosity=options.verbosity)
        print(f"Saved {', '.join(written)}")
    return judge_exit_code(judged)


def judge_pairwise_command(options: argparse.Namespace) -> int:
    """Compare two runs, each pair of answers in both orders."""
    sides = []
    for path in (options.run_a, options.run_b):
        runs = find_runs([path])
        if len(runs) > 1:
            raise UsageError(f"{path} holds {len(runs)} runs; give the one of a task, below it.")
        sides += runs
    first, second = sides
    spec, settings = judge_spec(options), judge_settings(options)
    with (
        as_judge_error(spec),
        executor_for(spec, options) as executor,
        progress_bar(f"{spec.name} judges pairs", quiet=options.quiet) as progress,
    ):
        result = judge_pair(
            first,
            second,
            spec,
            executor=executor,
            settings=settings,
            fresh=options.fresh,
            seed=options.seed,
            progress=progress,
        )
    default = pair_journal(first, second, spec.name).with_suffix(".json")
    _save(result, options.output or default, _print_pair, json=options.json)
    return 3 if result.errors else 0


def judge_agreement_command(options: argparse.Namespace) -> int:
    """Compare two sets of labels of the same samples."""
    first = read_labels(options.file_a, metric=options.metric)
    second = read_labels(options.file_b, metric=options.metric)
    found = compare_labels(first, second, level=options.level, seed=options.seed)
    path = options.output or agreement_path(options.file_a, options.file_b, found, Path("runs"))
    _save(found, path, _print_agreement, json=options.json)
    return 0


def _save(result: _Result, path: Path, print_it: Callable[[_Result], None], *, json: bool) -> None:
    write_result(path, result)
    if json:
        print_json({**asdict(result), "record": str(path)})
    else:
        print_it(result)
        print(f"Saved {path}")


def _print_checks(checks: Sequence[JudgeCheck], *, verbosity: bool) -> None:
    """A row for each metric of each run; consistency only where there were several replies."""
    several = any(one.consistency is not None for one in checks)
    headings = ["model", "task", "metric", ">answers", ">unscored"]
    rows = [[c.model, c.task, c.metric, str(c.answers), str(c.unscored)] for c in checks]
    for heading, shown, values in (
        ("score and length", verbosity, [one.verbosity for one in checks]),
        ("agreement of replies", several, [one.consistency for one in checks]),
    ):
        if shown:
            headings.append(f">{heading}")
            for row, value in zip(rows, values, strict=True):
                row.append(value_and_interval(value))
    print_table(headings, rows, title="The judge")
    if verbosity:
        print("score and length: Spearman's correlation")
    if several:
        print("agreement of replies: Krippendorff's alpha")


def _print_pair(result: PairResult) -> None:
    preference = value_and_interval(result.preference)
    if result.bounds is not None:
        low, high = result.bounds
        preference += f" {result.unscored} unscored: {number(low)} to {number(high)} possible"
    rows = [
        (f"preference for {result.first}", preference),
        ("preference for the answer shown first", value_and_interval(result.first_shown)),
        ("same verdict in both orders", value_and_interval(result.consistent)),
        ("pairs", str(result.n)),
    ]
    title = f"{result.first} or {result.second} on {result.task}, judged by {result.asked.judge}"
    print_table(("", "value and 95 % interval"), rows, title=title)
    print("0.5 is no preference; a tie counts half, and each pair is the mean of both orders")


def _print_agreement(found: Agreement) -> None:
    rows = [
        ("samples with both labels", str(found.n)),
        ("with the first only", str(found.only_first)),
        ("with the second only", str(found.only_second)),
        ("equal labels", number(found.equal)),
        ("Cohen's kappa", value_and_interval(found.kappa)),
        (f"Krippendorff's alpha ({found.level})", value_and_interval(found.alpha)),
    ]
    print_table(("", "value and 95 % interval"), rows, title="Agreement")
