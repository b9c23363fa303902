"""Letting the judge that a command line names grade the answers of runs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from vlmbench.executors.base import Executor
    from vlmbench.judges.judging import Judging
    from vlmbench.judges.requests import JudgeSettings
    from vlmbench.models.spec import ModelSpec
    from vlmbench.records import RunRecord
    from vlmbench.runs.directory import RunDir
    from vlmbench.tasks.spec import TaskSpec

    Executors: TypeAlias = Callable[
        [ModelSpec, argparse.Namespace], AbstractContextManager[Executor]
    ]
    """What runs a model by the options of a command."""

SEVERAL_TEMPERATURE = 0.7
"""Where several replies to one prompt are wanted, which would all be the same at 0."""


def judge_spec(options: argparse.Namespace) -> ModelSpec:
    """The model that `--judge` names.

    Raises:
        UsageError: There is none, or it cannot judge.
    """
    from dataclasses import replace

    from vlmbench.errors import UsageError
    from vlmbench.models.resolve import resolve_model
    from vlmbench.runs.directory import safe_name
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
    return replace(spec, name=safe_name(options.judge_name)) if options.judge_name else spec


def judge_check(
    options: argparse.Namespace, asked: Mapping[RunDir, TaskSpec]
) -> Callable[[], None] | None:
    """What sees, at its first call, whether the judge could be asked at all.

    Args:
        options: Of the command line.
        asked: What is going to be asked, by the run's directory.

    Returns:
        None if nobody will be asked: no judge is named, or no task has a metric for one.

    Raises:
        UsageError: See `judge_spec`.
    """
    from vlmbench.judges.judging import judge_metrics, refuse_other_judge
    from vlmbench.judges.scores import judge_journal
    from vlmbench.runners.base import check_model

    if not options.judge:
        return None
    spec = judge_spec(options)
    judged = [run for run, task in asked.items() if judge_metrics(task)]
    if not judged:
        return None

    @cache
    def check() -> None:
        for run in judged:
            journal = judge_journal(run.path, spec.name)
            refuse_other_judge(journal, spec, fresh=options.fresh)
        with as_judge_error(spec):
            check_model(spec)

    return check


@contextmanager
def as_judge_error(spec: ModelSpec) -> Iterator[None]:
    """Lets an error of the judge say that it is the judge's, and which options are.

    Raises:
        ModelError, DependencyError: Those that came.
    """
    from vlmbench.errors import DependencyError, ModelError

    try:
        yield
    except (ModelError, DependencyError) as error:
        told = re.sub(r"--(base-url|api-key-env)\b", r"--judge-\1", str(error))
        told = re.sub(r"--model\b", "--judge", told)
        raise type(error)(f"The judge '{spec.name}' cannot be used: {told}") from error


def judge_settings(options: argparse.Namespace) -> JudgeSettings:
    """How the judge is asked; `vlmbench run` has the defaults."""
    from vlmbench.errors import UsageError
    from vlmbench.judges.requests import JudgeSettings

    samples = getattr(options, "samples", 1)
    temperature = getattr(options, "temperature", None)
    if temperature is None:
        temperature = SEVERAL_TEMPERATURE if samples > 1 else 0.0
    if samples > 1 and temperature == 0:
        raise UsageError(
            "At temperature 0 all samples are the same; leave out '--temperature 0' or --samples."
        )
    tokens = getattr(options, "judge_tokens", JudgeSettings().max_new_tokens)
    return JudgeSettings(
        samples, temperature, tokens, not options.judge_text_form, options.judge_images
    )


def judge_runs(
    runs: Sequence[RunDir],
    options: argparse.Namespace,
    executors: Executors,
    *,
    metrics: Sequence[str] = (),
) -> list[Judging]:
    """Ask the judge about the answers of all these runs.

    Args:
        runs: Whose answers.
        options: Of the command line.
        executors: Makes what runs the judge.
        metrics: Other metrics than those of each task.
    """
    from vlmbench.derive import score
    from vlmbench.executors.progress import progress_bar
    from vlmbench.judges.judging import judge_run

    spec, settings = judge_spec(options), judge_settings(options)
    found = []
    with executors(spec, options) as executor:
        for run in runs:
            label = f"{spec.name} judges {run.path.parent.name} · {run.path.name}"
            with (
                as_judge_error(spec),
                progress_bar(label, quiet=options.quiet) as progress,
            ):
                judged = judge_run(
                    run,
                    spec,
                    executor=executor,
                    settings=settings,
                    score=score,
                    metrics=metrics,
                    fresh=options.fresh,
                    progress=progress,
                )
            found.append(judged)
    return found


def with_judged(records: Sequence[RunRecord], judged: Sequence[Judging]) -> list[RunRecord]:
    """The records, those with a judge's estimates in place of those without."""
    newer = {(one.record.model, one.record.title): one.record for one in judged}
    return [newer.get((one.model, one.title), one) for one in records]


def report_errors(judged: Sequence[Judging]) -> int:
    """Say where the judge gave no reply; 3 if there is such a place, else 0."""
    for one in judged:
        if one.errors:
            print(
                f"vlmbench: {one.judge} gave no reply to {one.errors} of {one.asked} prompts about "
                f"{one.record.model} on {one.record.title}, which are unscored; correct that and "
                "run the same command, which asks only those again.",
                file=sys.stderr,
            )
    return 3 if any(one.errors for one in judged) else 0


def say_unjudged(records: Sequence[RunRecord]) -> None:
    """One sentence on the metrics that nobody was there to judge."""
    from vlmbench.judges.judging import unjudged

    left = [f"{key} of {one.task}" for one in records for key in unjudged(one)]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        print(
            f"Not scored, as they need a judge: {', '.join(dict.fromkeys(left[:3]))}{more}; "
            "vlmbench judge RUNS --judge MODEL adds them."
        )
