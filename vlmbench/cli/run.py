"""`vlmbench run` and `vlmbench score`: models answer tasks, the answers are scored and printed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from vlmbench.cli.console import say
from vlmbench.cli.execution import executor_for, resolve_models
from vlmbench.cli.judge_model import (
    judge_check,
    judge_exit_code,
    judge_runs,
    say_unjudged,
    with_judged,
)
from vlmbench.cli.results import print_results
from vlmbench.cli.sequential import print_early_verdicts, sequential_gates
from vlmbench.derive import installed_metrics, load_metrics, score
from vlmbench.errors import UsageError
from vlmbench.evaluate import nothing_said, run_all
from vlmbench.executors.base import CheckedExecutor, Executor
from vlmbench.judges.judging import judgeable
from vlmbench.models.hf_options import contradiction
from vlmbench.models.resolve import named_models
from vlmbench.models.spec import ModelSpec
from vlmbench.records import RunRecord
from vlmbench.runs.directory import RunDir, find_runs
from vlmbench.runs.journal import read_journal
from vlmbench.scoring.extra import extra_metrics
from vlmbench.tasks.groups import expand_names
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.choose import Wanted, choose_variants
from vlmbench.tasks.variants.variant import Variant
from vlmbench.text.visible import visible


def score_command(options: argparse.Namespace) -> int:
    """Derive scores again from journals."""
    extra = extra_metrics(options.metrics, options.option)
    runs = find_runs(options.runs)
    say_once = cache(say)  # runs of a group lack the same packages
    records = [score(one, extra=extra, notify=say_once) for one in runs]
    print_results(records, runs, json=options.json, slices=options.slices)
    return 0


def run_command(options: argparse.Namespace) -> int:
    """Run models on tasks, score and print."""
    models = named_models(resolve_models(options.model, options), options.name)
    tasks = _tasks(options)
    for task in tasks:
        installed_metrics(task, load_metrics(task), lambda sentence: None)
    _refuse_contradictions(models, tasks, seed=options.seed)
    variants = _with_variants(options, tasks)
    directories = {
        RunDir.of(options.out, model.name, task.name, variant.label if variant else None): task
        for model in models
        for task, variant in variants
    }
    check = judge_check(options, directories)

    @contextmanager
    def checked_executor(model: ModelSpec) -> Iterator[Executor]:
        with executor_for(model, options) as plain:
            yield CheckedExecutor(plain, check) if check else plain

    watches = sequential_gates(options, models, tasks)
    records = run_all(
        models,
        variants,
        checked_executor,
        quiet=options.quiet,
        watch_for=lambda task: watches.get(task.name),
        out=options.out,
        limit=options.limit,
        seed=options.seed,
        fresh=options.fresh,
        max_errors=options.max_errors,
        keep_images=options.keep_images,
    )
    runs = [RunDir.of(options.out, one.model, one.task, one.variant) for one in records]
    judged = judge_runs(judgeable(runs), options) if options.judge else []
    records = with_judged(records, judged)
    print_results(records, runs, json=options.json, slices=options.slices)
    if not options.json:
        say_unjudged(records)
        out = visible(str(options.out))
        print(f"Results: {out}/<model>/<task>/run.json, scores.jsonl and journal.jsonl")
        print(f"Next: vlmbench report {out}")
    if watches:
        return print_early_verdicts(watches)
    judge_code = judge_exit_code(judged)
    return _exit_code(records, options.out) or judge_code


def _tasks(options: argparse.Namespace) -> list[TaskSpec]:
    names = expand_names(options.tasks)
    tasks = [load_task(name, data_dir=options.data_dir) for name in names]
    order = options.image_order
    return [task.with_image_order(order) for task in tasks] if order else tasks


def _refuse_contradictions(
    models: Sequence[ModelSpec], tasks: Sequence[TaskSpec], *, seed: int
) -> None:
    for task in tasks:
        for model in models:
            if problem := contradiction(model.options, task.generation_for(seed)):
                raise UsageError(f"In task '{task.name}', {problem}; leave one of them out.")


def _with_variants(
    options: argparse.Namespace, tasks: Sequence[TaskSpec]
) -> list[tuple[TaskSpec, Variant | None]]:
    """Each task as it is, followed by its variants that the options name."""
    wanted = Wanted(
        image_modes=tuple(options.image_mode),
        prompts=options.prompts,
        rotate=options.option_order == "rotate",
        seed=options.seed,
    )
    choices = [(task, choose_variants(task, wanted)) for task in tasks]
    problems = [problem for _, choice in choices for problem in choice.problems]
    if problems and not any(choice.variants for _, choice in choices):
        raise UsageError(problems[0])
    for problem in problems:
        say(problem)
    return [(task, one) for task, choice in choices for one in (None, *choice.variants)]


def _exit_code(records: Sequence[RunRecord], out: Path) -> int:
    """0 if every sample has an answer; 2 where the data is to blame, which no retry will cure, or
    where all answers are empty."""
    incomplete = [one for one in records if not one.coverage.complete]
    for record in incomplete:
        say(_incomplete(record, out))
    empty = [sentence for sentence in map(nothing_said, records) if sentence]
    for sentence in empty:
        say(sentence)
    if empty or any({"image", "data"} & {*record.coverage.errors} for record in records):
        return 2
    return 3 if incomplete else 0


def _incomplete(record: RunRecord, out: Path) -> str:
    coverage = record.coverage
    journal = RunDir.of(out, record.model, record.task, record.variant).journal
    errors = [one.error for one in read_journal(journal).responses.values() if one.error]
    first = errors[0].message.rstrip(".") if errors else "no response"
    retry = (
        "correct the data or the task file and run with --fresh"
        if "data" in coverage.errors
        else "correct that and run the same command, which retries only those"
    )
    return (
        f"{record.model} has no answer to {coverage.total - coverage.answered} of "
        f"{coverage.total} samples of {record.title}, so its scores are incomplete (first reason: "
        f"{first}); {retry}."
    )
