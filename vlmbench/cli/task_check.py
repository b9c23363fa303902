"""`vlmbench tasks new`, `check` and `preview`: a task before a model is asked."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from vlmbench.check import TaskCheck, check_task
from vlmbench.cli.console import print_json, print_table, say
from vlmbench.tasks.filters import lettered
from vlmbench.tasks.groups import expand_names
from vlmbench.tasks.preview import Preview, find_preview
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.scaffold import write_task
from vlmbench.tasks.scaffold_data import scaffold_data
from vlmbench.tasks.sources import source_name
from vlmbench.tasks.spec import TaskSpec
from vlmbench.text.visible import visible


def tasks_check_command(options: argparse.Namespace) -> int:
    """Read whole tasks; 2 if something is wrong with one."""
    names = expand_names(options.name.split(","))
    tasks = [load_task(name, data_dir=options.data_dir) for name in names]
    checks = []
    for task in tasks:
        found = check_task(task)
        checks.append(found)
        if not options.json:
            _print_check(task, found)
        for problem in found.problems:
            say(problem)
    if options.json:
        print_json(asdict(checks[0]) if len(checks) == 1 else [asdict(one) for one in checks])
    return 2 if any(found.problems for found in checks) else 0


def tasks_new_command(options: argparse.Namespace) -> int:
    """Write a first task file, and show a sample as the model will get it."""
    data = scaffold_data(options.name, options.data, split=options.split)
    path = write_task(options.name, data)
    found = find_preview(load_task(str(path)))
    if options.json:
        print_json({"file": str(path), "first": asdict(found)})
    else:
        print(f"The task: {path}")
        # Rows that were copied into a file: what is corrected later is that file.
        if (rows := data.source.get("path")) and data.folder / rows != Path(options.data):
            print(f"Its rows: {data.folder / rows}")
        _print_preview(found)
        print(f"Look it through, then: vlmbench tasks check {path}")
    return 0


def tasks_preview_command(options: argparse.Namespace) -> int:
    """Show a sample as the model gets it, with its references and options."""
    found = find_preview(load_task(options.name, data_dir=options.data_dir), options.id)
    if options.json:
        print_json(asdict(found))
    else:
        _print_preview(found)
    return 0


def _print_check(task: TaskSpec, found: TaskCheck) -> None:
    problems = f"{len(found.problems)} to correct" if found.problems else "no problems"
    counts = {"sample": found.samples, "image": found.images}
    if found.examples:
        counts["example"] = found.examples
    *first, last = [f"{n} {word}" + ("s" if n != 1 else "") for word, n in counts.items()]
    print(f"{found.task}: {', '.join(first)} and {last} of {source_name(task)}: {problems}.")
    for note in found.notes:
        print(f"Note: {visible(note)}")
    if found.first is not None:
        _print_preview(found.first)
    rows = [[one.metric, one.baseline, f"{one.value:.3f}", str(one.n)] for one in found.guesses]
    print_table(("metric", "guess", ">value", ">n"), rows, title="What blind guessing scores")


def _print_preview(sample: Preview) -> None:
    """Sample, prompt, references and the rest, indented where they are of several lines."""
    facts = {
        "sample": sample.id,
        "system": sample.system or "",
        "prompt": "\n".join(part.rstrip("\n") for part in sample.prompt),
        "references": "\n".join(sample.references),
        "choices": lettered(sample.choices),
        "meta": ", ".join(f"{name}: {value}" for name, value in sample.meta.items()),
    }
    for name, text in facts.items():
        if text:
            first, *rest = visible(text).split("\n")
            print(f"  {name:<11} {first}")
            for line in rest:
                print(f"  {'':<11} {line}".rstrip())
