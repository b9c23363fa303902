"""What `vlmbench judge` does, and `--judge` of `vlmbench run`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.judge_scores import JudgeSettings
    from vlmbench.judging import Judging
    from vlmbench.model_spec import ModelSpec
    from vlmbench.records import RunRecord
    from vlmbench.runs import RunDir

SEVERAL_TEMPERATURE = 0.7
"""Where several replies to one prompt are wanted, which would all be the same at 0."""


def judge(options: argparse.Namespace) -> int:
    """Grade the answers of runs; or compare two runs, or two judges."""
    first, rest = options.runs[0], options.runs[1:]
    if first == "agreement":
        return _agreement(rest, options)
    if first == "pairwise":
        return _pairwise(rest, options)
    from vlmbench.commands import _print_records
    from vlmbench.judge_checks import check_judge
    from vlmbench.judge_tables import print_checks
    from vlmbench.judging import judgeable
    from vlmbench.runs import find_runs

    found = find_runs([Path(run) for run in options.runs])
    # Where no task has a metric for a judge, the first of them says what to do.
    runs = found if options.metrics else judgeable(found) or found
    judged = judge_runs(runs, options)
    _print_records([one.record for one in judged], runs, json=options.json)
    if (options.verbosity or options.samples > 1) and not options.json:
        checks = [
            check
            for run, one in zip(runs, judged, strict=True)
            for check in check_judge(run, one.judge, verbosity=options.verbosity, seed=options.seed)
        ]
        print_checks(checks)
    return report_errors(judged)


def judge_spec(options: argparse.Namespace) -> ModelSpec:
    """The model that `--judge` names.

    Raises:
        UsageError: There is none, or it cannot judge.
    """
    from vlmbench.errors import UsageError
    from vlmbench.models import resolve_model
    from vlmbench.schema import read_pair

    if not options.judge:
        raise UsageError("Nobody is named to judge; add --judge MODEL, such as openai:NAME.")
    given = dict(
        read_pair(text, "--judge-option", example="max_side=1024") for text in options.judge_option
    )
    for name, value in (
        ("base_url", options.judge_base_url),
        ("api_key_env", options.judge_api_key_env),
    ):
        if value is not None:
            given[name] = value
    spec = resolve_model(options.judge, options=given)
    if spec.runner == "baseline":
        raise UsageError(f"'{options.judge}' is a baseline and cannot judge; name a model.")
    return spec


def judge_settings(options: argparse.Namespace) -> JudgeSettings:
    """How the judge is asked; `vlmbench run` has the defaults."""
    from vlmbench.errors import UsageError
    from vlmbench.judge_scores import JudgeSettings

    samples = getattr(options, "samples", 1)
    temperature = getattr(options, "temperature", None)
    if temperature is None:
        temperature = SEVERAL_TEMPERATURE if samples > 1 else 0.0
    if samples > 1 and temperature == 0:
        raise UsageError(
            "At temperature 0 all samples are the same; leave out '--temperature 0' or --samples."
        )
    tokens = getattr(options, "judge_tokens", JudgeSettings().max_new_tokens)
    return JudgeSettings(samples, temperature, tokens, not options.judge_text_form)


def judge_runs(runs: Sequence[RunDir], options: argparse.Namespace) -> list[Judging]:
    """Ask the judge about the answers of all these runs."""
    from vlmbench import console
    from vlmbench.commands import _executor, _split
    from vlmbench.judging import judge_run

    spec, settings = judge_spec(options), judge_settings(options)
    metrics = _split(getattr(options, "metrics", []))
    found = []
    with _executor(spec, options) as executor:
        for run in runs:
            label = f"{spec.name} judges {run.path.parent.name} · {run.path.name}"
            with console.progress_bar(label, quiet=options.quiet) as progress:
                judged = judge_run(
                    run,
                    spec,
                    executor=executor,
                    settings=settings,
                    metrics=metrics,
                    fresh=options.fresh,
                    progress=progress,
                )
            found.append(judged)
    return found


def with_judged(records: Sequence[RunRecord], judged: Sequence[Judging]) -> list[RunRecord]:
    """The records, those with a judge's estimates in place of those without."""
    newer = {(one.record.model, one.record.task): one.record for one in judged}
    return [newer.get((one.model, one.task), one) for one in records]


def report_errors(judged: Sequence[Judging]) -> int:
    """Say where the judge gave no reply; 3 if there is such a place, else 0."""
    for one in judged:
        if one.errors:
            print(
                f"vlmbench: {one.judge} gave no reply to {one.errors} of {one.asked} prompts about "
                f"{one.record.model} on {one.record.task}, which are unscored; correct that and "
                "run the same command, which asks only those again.",
                file=sys.stderr,
            )
    return 3 if any(one.errors for one in judged) else 0


def say_unjudged(records: Sequence[RunRecord]) -> None:
    """One sentence on the metrics that nobody was there to judge."""
    from vlmbench.judging import unjudged

    left = [f"{key} of {one.task}" for one in records for key in unjudged(one)]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        print(
            f"Not scored, as they need a judge: {', '.join(dict.fromkeys(left[:3]))}{more}; "
            "vlmbench judge RUNS --judge MODEL adds them."
        )


def _pairwise(runs: Sequence[str], options: argparse.Namespace) -> int:
    """Two runs, each pair of answers in both orders."""
    from dataclasses import asdict

    from vlmbench import console
    from vlmbench.commands import _executor
    from vlmbench.errors import UsageError
    from vlmbench.judge_tables import print_pair
    from vlmbench.pairwise import judge_pair
    from vlmbench.runs import find_runs

    if len(runs) != 2:
        raise UsageError("'judge pairwise' takes two runs; write 'judge pairwise RUN RUN'.")
    sides = [find_runs([Path(run)]) for run in runs]
    for path, side in zip(runs, sides, strict=True):
        if len(side) > 1:
            raise UsageError(f"{path} holds {len(side)} runs; give the one of a task, below it.")
    spec, settings = judge_spec(options), judge_settings(options)
    with (
        _executor(spec, options) as executor,
        console.progress_bar(f"{spec.name} judges pairs", quiet=options.quiet) as progress,
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
    if options.json:
        console.print_json(asdict(result))
    else:
        print_pair(result)
    return 3 if result.errors else 0


def _agreement(files: Sequence[str], options: argparse.Namespace) -> int:
    """Two sets of labels of the same samples."""
    from dataclasses import asdict

    from vlmbench import console
    from vlmbench.errors import UsageError
    from vlmbench.judge_tables import print_agreement
    from vlmbench.labels import compare_labels, read_labels

    if len(files) != 2:
        raise UsageError(
            "'judge agreement' takes two files, each of labels {id, label} or a run's "
            "judge-<judge>.jsonl; write 'judge agreement FILE FILE'."
        )
    first, second = (read_labels(Path(file), metric=options.metric) for file in files)
    found = compare_labels(first, second, level=options.level, seed=options.seed)
    if options.json:
        console.print_json(asdict(found))
    else:
        print_agreement(found)
    return 0
