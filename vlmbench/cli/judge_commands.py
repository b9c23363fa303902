"""What `vlmbench judge` does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from vlmbench.judges.results import Agreement, PairResult

    Found = TypeVar("Found", PairResult, Agreement)


def judge(options: argparse.Namespace) -> int:
    """Grade the answers of runs; or compare two runs, or two judges."""
    first, rest = options.runs[0], options.runs[1:]
    if first == "agreement":
        return _agreement(rest, options)
    if first == "pairwise":
        return _pairwise(rest, options)
    from dataclasses import asdict

    from vlmbench.cli import console
    from vlmbench.cli.commands import executor_for, print_records, split_names
    from vlmbench.cli.judge_calls import judge_runs, report_errors
    from vlmbench.cli.judge_tables import print_checks
    from vlmbench.errors import UsageError
    from vlmbench.judges.checks import check_judge, check_path
    from vlmbench.judges.judging import judgeable
    from vlmbench.runs.directory import find_runs

    if options.output:
        raise UsageError(
            "'--output' goes with 'judge pairwise' or 'judge agreement'; leave it out."
        )
    found = find_runs([Path(run) for run in options.runs])
    # Where no task has a metric for a judge, the first of them says what to do.
    runs = found if options.metrics else judgeable(found) or found
    judged = judge_runs(runs, options, executor_for, metrics=split_names(options.metrics))
    records = [one.record for one in judged]
    checks = [
        check
        for run, one in zip(runs, judged, strict=True)
        for check in check_judge(run, one.judge, seed=options.seed).checks
    ]
    places = [check_path(run, one.judge) for run, one in zip(runs, judged, strict=True)]
    if options.json:
        told = {
            "runs": [asdict(one) for one in records],
            "judge": [asdict(one) for one in checks],
            "records": [str(path) for path in places],
        }
        console.print_json(told)
    else:
        print_records(records, runs, json=False)
        print_checks(checks, verbosity=options.verbosity)
        print(f"Written down: {', '.join(map(str, places))}")
    return report_errors(judged)


def _pairwise(runs: Sequence[str], options: argparse.Namespace) -> int:
    """Two runs, each pair of answers in both orders."""
    from vlmbench.cli.commands import executor_for
    from vlmbench.cli.judge_calls import as_judge_error, judge_settings, judge_spec
    from vlmbench.cli.judge_tables import print_pair
    from vlmbench.errors import UsageError
    from vlmbench.executors.progress import progress_bar
    from vlmbench.judges.pairwise import judge_pair, pair_journal
    from vlmbench.runs.directory import find_runs

    if len(runs) != 2:
        raise UsageError("'judge pairwise' takes two runs; write 'judge pairwise RUN RUN'.")
    sides = [find_runs([Path(run)]) for run in runs]
    for path, side in zip(runs, sides, strict=True):
        if len(side) > 1:
            raise UsageError(f"{path} holds {len(side)} runs; give the one of a task, below it.")
    spec, settings = judge_spec(options), judge_settings(options)
    with (
        as_judge_error(spec),
        executor_for(spec, options) as executor,
        progress_bar(f"{spec.name} judges pairs", quiet=options.quiet) as progress,
    ):
        result = judge_pair(
            sides[0][0],
            sides[1][0],
            spec,
            executor=executor,
            settings=settings,
            fresh=options.fresh,
            seed=options.seed,
            progress=progress,
        )
    journal = pair_journal(sides[0][0], sides[1][0], spec.name)
    place = options.output or journal.with_suffix(".json")
    _write_down(result, place, print_pair, json=options.json)
    return 3 if result.errors else 0


def _agreement(files: Sequence[str], options: argparse.Namespace) -> int:
    """Two sets of labels of the same samples."""
    from vlmbench.cli.judge_tables import print_agreement
    from vlmbench.errors import UsageError
    from vlmbench.judges.labels import agreement_path, compare_labels, read_labels

    if len(files) != 2:
        raise UsageError(
            "'judge agreement' takes two files, each of labels {id, label} or a run's "
            "judge-<judge>.jsonl; write 'judge agreement FILE FILE'."
        )
    first, second = (read_labels(Path(file), metric=options.metric) for file in files)
    found = compare_labels(first, second, level=options.level, seed=options.seed)
    place = options.output or agreement_path(Path(files[0]), Path(files[1]), found, options.out)
    _write_down(found, place, print_agreement, json=options.json)
    return 0


def _write_down(
    result: Found, place: Path, print_it: Callable[[Found], None], *, json: bool
) -> None:
    """Keep a result in a file, and print it."""
    from dataclasses import asdict

    from vlmbench.cli import console
    from vlmbench.judges.results import write_result

    write_result(place, result)
    if json:
        console.print_json({**asdict(result), "record": str(place)})
    else:
        print_it(result)
        print(f"Written down: {place}")
