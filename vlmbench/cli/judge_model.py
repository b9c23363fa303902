"""The model that `--judge` names: its options, and letting it grade the answers of runs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from vlmbench.cli.execution import executor_for
from vlmbench.derive import score
from vlmbench.errors import DependencyError, ModelError, UsageError
from vlmbench.executors.progress import progress_bar
from vlmbench.judges.judging import Judging, judge_metrics, judge_run, refuse_other_judge, unjudged
from vlmbench.judges.requests import JudgeSettings
from vlmbench.judges.scores import judge_journal
from vlmbench.models.resolve import ModelSpec, resolve_model
from vlmbench.records import RunRecord
from vlmbench.runners.base import check_model
from vlmbench.runs.directory import RunDir, safe_name
from vlmbench.schema import read_pair
from vlmbench.tasks.spec import TaskSpec

SEVERAL_TEMPERATURE = 0.7
"""Where several replies to one prompt are wanted, which would all be the same at 0."""


def judge_spec(options: argparse.Namespace) -> ModelSpec:
    """The model that `--judge` names.

    Raises:
        UsageError: It cannot judge.
    """

    given = dict(
        read_pair(text, "--judge-option", example="max_side=1024") for text in options.judge_option
    )
    if options.judge_base_url is not None:
        given["base_url"] = options.judge_base_url
    if options.judge_api_key_env is not None:
        given["api_key_env"] = options.judge_api_key_env
    spec = resolve_model(options.judge, options=given)
    if spec.runner == "baseline":
        raise UsageError(f"'{options.judge}' is a baseline and cannot judge; name a model.")
    return replace(spec, name=safe_name(options.judge_name)) if options.judge_name else spec


def judge_settings(options: argparse.Namespace) -> JudgeSettings:
    """How the judge is called."""
    samples, temperature = options.samples, options.temperature
    if temperature is None:
        temperature = SEVERAL_TEMPERATURE if samples > 1 else 0.0
    if samples > 1 and temperature == 0:
        raise UsageError(
            "At temperature 0 all samples are the same; leave out '--temperature 0' or --samples."
        )
    return JudgeSettings(
        samples=samples,
        temperature=temperature,
        max_new_tokens=options.judge_tokens,
        structured=not options.judge_text_form,
        images=options.judge_images,
    )


def judge_check(
    options: argparse.Namespace, tasks: Mapping[RunDir, TaskSpec]
) -> Callable[[], None] | None:
    """A function that raises an error, at its first call, if the judge cannot be used.

    Args:
        tasks: What the run answers, by directory.

    Returns:
        None where no judge is named, or no task has a metric for one.

    Raises:
        UsageError: See `judge_spec`.
    """
    if not options.judge:
        return None
    spec = judge_spec(options)
    judged = [run for run, task in tasks.items() if judge_metrics(task)]
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
    try:
        yield
    except (ModelError, DependencyError) as error:
        message = re.sub(r"--(base-url|api-key-env)\b", r"--judge-\1", str(error))
        message = re.sub(r"--model\b", "--judge", message)
        raise type(error)(f"The judge '{spec.name}' cannot be used: {message}") from error


def judge_runs(
    runs: Sequence[RunDir], options: argparse.Namespace, *, metrics: Sequence[str] = ()
) -> list[Judging]:
    """Let the judge grade the answers of all these runs, by each task's metrics or the given."""
    spec, settings = judge_spec(options), judge_settings(options)
    found = []
    with executor_for(spec, options) as executor:
        for run in runs:
            label = f"{spec.name} judges {run.path.parent.name} · {run.path.name}"
            with as_judge_error(spec), progress_bar(label, quiet=options.quiet) as progress:
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


def judge_exit_code(judged: Sequence[Judging]) -> int:
    """3 if the judge gave no reply to some prompts, which is printed; else 0."""
    failed = [one for one in judged if one.errors]
    for one in failed:
        print(
            f"vlmbench: {one.judge} gave no reply to {one.errors} of {one.asked} prompts about "
            f"{one.record.model} on {one.record.title}, which are unscored; correct that and "
            "run the same command, which retries only those.",
            file=sys.stderr,
        )
    return 3 if failed else 0


def say_unjudged(records: Sequence[RunRecord]) -> None:
    """One sentence on the metrics that were left out because no judge is named."""
    left = [f"{key} of {one.task}" for one in records for key in unjudged(one)]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        print(
            f"Not scored, as they need a judge: {', '.join(dict.fromkeys(left[:3]))}{more}; "
            "'vlmbench judge run RUNS --judge MODEL' adds them."
        )
