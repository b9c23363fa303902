"""What each command does, once its options are parsed.

The work itself is imported where it is called, so that no command waits for another's imports.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.executors.base import Executor
    from vlmbench.models.spec import ModelSpec
    from vlmbench.records import RunRecord
    from vlmbench.runs.directory import RunDir
    from vlmbench.tasks.spec import TaskSpec
    from vlmbench.tasks.variants.variant import Variant


def run(options: argparse.Namespace) -> int:
    """Ask models the questions of tasks, score and print."""
    from vlmbench.cli.judge_calls import (
        judge_check,
        judge_runs,
        report_errors,
        say_unjudged,
        with_judged,
    )
    from vlmbench.derive import load_metrics
    from vlmbench.evaluate import run
    from vlmbench.executors.base import CheckedExecutor
    from vlmbench.executors.progress import progress_bar
    from vlmbench.judges.judging import judgeable
    from vlmbench.runs.directory import RunDir

    models = _models(options)
    tasks = _tasks(options)
    for task in tasks:
        load_metrics(task)
    _refuse_contradictions(models, tasks, seed=options.seed)
    asked = _with_variants(options, tasks)
    places = {
        RunDir.of(options.out, model.name, task.name, variant.label if variant else None): task
        for model in models
        for task, variant in asked
    }
    check = judge_check(options, places)
    records = []
    for model in models:
        with executor_for(model, options) as plain:
            executor = CheckedExecutor(plain, check) if check else plain
            for task, variant in asked:
                label = f"{model.name} · {task.name}" + (f"@{variant.label}" if variant else "")
                with progress_bar(label, quiet=options.quiet) as progress:
                    record = run(
                        model,
                        task,
                        executor=executor,
                        out=options.out,
                        limit=options.limit,
                        seed=options.seed,
                        fresh=options.fresh,
                        max_errors=options.max_errors,
                        variant=variant,
                        progress=progress,
                    )
                records.append(record)
    runs = [RunDir.of(options.out, one.model, one.task, one.variant) for one in records]
    judged = judge_runs(judgeable(runs), options, executor_for) if options.judge else []
    records = with_judged(records, judged)
    print_records(records, runs, json=options.json)
    if not options.json:
        say_unjudged(records)
        print(f"Results: {options.out}/<model>/<task>/run.json, scores.jsonl and journal.jsonl")
        print(f"Next: vlmbench report {options.out}")
    judge_code = report_errors(judged)
    return _run_exit_code(records, options.out) or judge_code


@contextmanager
def executor_for(model: ModelSpec, options: argparse.Namespace) -> Iterator[Executor]:
    """What runs the model, behind the cache of answers where that makes sense."""
    from vlmbench.errors import UsageError, unknown_name
    from vlmbench.executors.answer_cache import AnswerCache, default_cache
    from vlmbench.executors.cached import CachedExecutor
    from vlmbench.executors.choose import EXECUTORS, make_executor

    if options.executor not in EXECUTORS:
        known = f"use {' or '.join(EXECUTORS)}"
        raise UsageError(unknown_name("executor", options.executor, EXECUTORS, next_step=known))
    if options.ray_address and options.executor != "ray":
        raise UsageError("'--ray-address' goes with a cluster; add '--executor ray'.")
    inner = make_executor(
        model,
        kind=options.executor,
        replicas=options.replicas,
        batch_size=options.batch_size,
        ray_address=options.ray_address,
    )
    with ExitStack() as open_things:
        open_things.callback(inner.close)
        if options.no_cache or not model.cacheable:
            yield inner
        else:
            cache = AnswerCache(default_cache())
            open_things.callback(cache.close)
            yield CachedExecutor(inner, cache)


def score(options: argparse.Namespace) -> int:
    """Derive scores again from journals."""
    from vlmbench.derive import score
    from vlmbench.runs.directory import find_runs
    from vlmbench.scoring.extra import extra_metrics

    extra = extra_metrics(split_names(options.metrics), options.option)
    runs = find_runs(options.runs)
    records = [score(run, extra=extra) for run in runs]
    print_records(records, runs, json=options.json)
    return 0


def compare(options: argparse.Namespace) -> int:
    """Put runs beside published scores."""
    from dataclasses import asdict

    from vlmbench.cli import console
    from vlmbench.compare.published import compare
    from vlmbench.runs.directory import find_runs

    records = [run.read_record() for run in find_runs(options.runs)]
    comparisons, mismatches = compare([one for one in records if one.variant is None])
    if options.json:
        console.print_json(
            {
                "comparisons": [asdict(one) for one in comparisons],
                "mismatches": [asdict(one) for one in mismatches],
            }
        )
    else:
        console.print_published(comparisons, mismatches)
    return 0


def report(options: argparse.Namespace) -> int:
    """Build the HTML leaderboard."""
    from vlmbench.report.html import build_report

    page = build_report(options.runs, options.out, samples_per_task=options.samples)
    print(f"The leaderboard: {page}")
    return 0


def gate(options: argparse.Namespace) -> int:
    """Save a baseline, or compare runs with one."""
    from vlmbench.cli import console
    from vlmbench.compare.gate import DEFAULT_MARGIN, check, save_baseline
    from vlmbench.errors import UsageError

    saving = options.runs[0] == "save"
    runs = [Path(run) for run in options.runs[1 if saving else 0 :]]
    if saving:
        if not runs or options.output is None:
            raise UsageError("'gate save' needs runs and a file; write 'gate save RUNS -o FILE'.")
        save_baseline(runs, options.output)
        print(f"Saved; compare with it: vlmbench gate RUNS --baseline {options.output}")
        return 0
    if options.baseline is None:
        raise UsageError("'gate' needs a baseline; write 'gate RUNS --baseline FILE'.")
    margin = DEFAULT_MARGIN if options.margin is None else options.margin
    report = check(runs, options.baseline, margin=margin, seed=options.seed)
    if options.json:
        console.print_json(report.as_json())
    else:
        console.print_gate(report)
    return report.exit_code


def train(options: argparse.Namespace) -> int:
    """Train a model by a recipe."""
    from vlmbench.train.run import find_recipe, train

    checkpoint = train(
        find_recipe(options.recipe),
        out=options.out,
        resume=options.resume,
        overrides=options.set,
        quiet=options.quiet,
    )
    print(f"The checkpoint: {checkpoint}")
    print(f"Next: vlmbench run --model {checkpoint} --tasks ja-vqa")
    return 0


def demo(options: argparse.Namespace) -> int:
    """The whole loop on the embedded tasks."""
    from vlmbench.cli.demo import demo

    demo(out=options.out)
    return 0


def _models(options: argparse.Namespace) -> list[ModelSpec]:
    from vlmbench.models.options import options_from_args
    from vlmbench.models.resolve import resolve_model

    given = options_from_args(vars(options))
    return [
        resolve_model(
            name,
            dtype=options.dtype,
            device=options.device,
            seed=options.seed,
            options=given,
        )
        for name in split_names(options.model)
    ]


def _refuse_contradictions(
    models: Sequence[ModelSpec], tasks: Sequence[TaskSpec], *, seed: int
) -> None:
    from vlmbench.errors import UsageError
    from vlmbench.models.hf_options import contradiction

    for task in tasks:
        for model in models:
            if problem := contradiction(model.options, task.generation_for(seed)):
                raise UsageError(f"In task '{task.name}', {problem}; leave one of them out.")


def _tasks(options: argparse.Namespace) -> list[TaskSpec]:
    from vlmbench.tasks.groups import expand_names
    from vlmbench.tasks.registry import load_task

    names = expand_names(split_names(options.tasks))
    tasks = [load_task(name, data_dir=options.data_dir) for name in names]
    order = options.image_order
    return [task.with_image_order(order) for task in tasks] if order else tasks


def _with_variants(
    options: argparse.Namespace, tasks: Sequence[TaskSpec]
) -> list[tuple[TaskSpec, Variant | None]]:
    """What to ask: each task as it is, and behind it what the options add."""
    from vlmbench.errors import UsageError
    from vlmbench.tasks.variants.choose import Wanted, choose_variants

    wanted = Wanted(
        image_modes=tuple(split_names(options.image_mode)),
        prompts=options.prompts,
        rotate=options.option_order == "rotate",
        seed=options.seed,
    )
    choices = [(task, choose_variants(task, wanted)) for task in tasks]
    problems = [problem for _, choice in choices for problem in choice.problems]
    if problems and not any(choice.variants for _, choice in choices):
        raise UsageError(problems[0])
    for problem in problems:
        print(f"vlmbench: {problem}", file=sys.stderr)
    return [(task, one) for task, choice in choices for one in (None, *choice.variants)]


def split_names(values: Sequence[str]) -> list[str]:
    """The names of an option that may be repeated and may hold several with commas."""
    names = [name.strip() for value in values for name in value.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def print_records(records: Sequence[RunRecord], runs: Sequence[RunDir], *, json: bool) -> None:
    """The tables at the end of a command, or one JSON document."""
    from dataclasses import asdict

    from vlmbench.cli import console
    from vlmbench.cli.console_diagnostics import print_answers, print_diagnoses
    from vlmbench.compare.diagnoses import diagnoses
    from vlmbench.scoring.groups import group_scores

    places = {(one.model, one.title): run for one, run in zip(records, runs, strict=True)}
    plain = [one for one in records if one.variant is None]
    groups = group_scores(plain, lambda one: places[one.model, one.task].read_scores())
    found = [*diagnoses(runs).values()]
    if json:
        values = {
            "runs": [asdict(one) for one in plain],
            "variants": [asdict(one) for one in records if one.variant is not None],
            "groups": [asdict(one) for one in groups],
            "diagnostics": [asdict(one) for one in found],
        }
        console.print_json(values)
    else:
        console.print_records(plain or records)
        console.print_groups(groups)
        print_answers(records)
        print_diagnoses(found)


def _run_exit_code(records: Sequence[RunRecord], out: Path) -> int:
    """0 if every sample has an answer; 2 where an image is to blame, which no retry will cure."""
    errors = [(record, kind) for record in records for kind in record.coverage.errors]
    for record in records:
        if not record.coverage.complete:
            print(f"vlmbench: {_incomplete(record, out)}", file=sys.stderr)
    if any(kind == "image" for _, kind in errors):
        return 2
    return 0 if all(record.coverage.complete for record in records) else 3


def _incomplete(record: RunRecord, out: Path) -> str:
    from vlmbench.runs.directory import RunDir
    from vlmbench.runs.journal import read_journal

    coverage = record.coverage
    journal = RunDir.of(out, record.model, record.task, record.variant).journal
    failed = [one for one in read_journal(journal).responses.values() if one.error is not None]
    first = failed[0].error.message.rstrip(".") if failed and failed[0].error else "no response"
    return (
        f"{record.model} has no answer to {coverage.total - coverage.answered} of "
        f"{coverage.total} samples of {record.title}, so its scores are incomplete (first reason: "
        f"{first}); correct that and run the same command, which asks only those again."
    )
