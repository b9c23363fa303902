"""`vlmbench tasks`, `models` and `metrics`: what there is, for people or as JSON."""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict
from typing import Any

from vlmbench.cli.console import print_details, print_json, print_list, print_table
from vlmbench.cli.execution import resolve_models
from vlmbench.cli.language import language
from vlmbench.compare.published import comparable_sources
from vlmbench.errors import UsageError
from vlmbench.metrics.base import describe, family_summary, load_metric, metric_names, read_options
from vlmbench.models.baselines import BASELINES
from vlmbench.models.families import family
from vlmbench.models.resolve import ModelEntry, known_models
from vlmbench.runners.plan import plan, plan_with_code
from vlmbench.scoring.predictions_file import LineScore, score_file
from vlmbench.tasks.groups import expand_names, load_groups
from vlmbench.tasks.registry import load_task, task_names
from vlmbench.tasks.samples import sample_count
from vlmbench.tasks.sources import data_state
from vlmbench.tasks.spec import TaskSpec

CORPUS_KEYS = ("metric", "value", "low", "high", "n", "unscored", "signature")
"""What `metrics score` says of the whole file."""

NONE_KNOWN = "none known to us"
"""What a card says where it could say nothing."""


def tasks_list_command(options: argparse.Namespace) -> int:
    """Name, state of the data, number of samples, headline metrics and groups of each task."""
    groups = load_groups()
    tasks = [load_task(name, data_dir=options.data_dir) for name in task_names()]
    translate = language() == "ja" and not options.json
    values = [
        {
            "name": task.name,
            "title": (task.display.in_japanese() if translate else task.display).title,
            "capability": task.display.capability,
            "state": data_state(task),
            "samples": _samples(task),
            "headlines": list(task.headlines),
            "groups": [name for name, group in groups.items() if task.name in group.tasks],
        }
        for task in tasks
    ]
    print_list(values, json=options.json, optional=("title", "capability", "groups"))
    if not options.json:
        rows = [
            [name, about.title, str(len(one.tasks)), about.about]
            for name, one in groups.items()
            for about in (one.ja if translate else one,)
        ]
        print_table(("group", "?title", ">tasks", "what it is for"), rows)
    return 0


def _samples(task: TaskSpec) -> int | None:
    """The number of rows that are there, or of those that the Hub is said to have."""
    return task.display.items if data_state(task) in ("Hub", "manual") else sample_count(task)


def tasks_show_command(options: argparse.Namespace) -> int:
    """Everything that a task file says, where its data is, and who published what compares.

    Of a group what it is for, and its tasks.
    """
    group = load_groups().get(options.name)
    if group is not None:
        print_details({"name": options.name, **group.model_dump(mode="json")}, json=options.json)
        return 0
    task = load_task(options.name, data_dir=options.data_dir)
    named = [pair for use in task.metrics for pair in use.published.items()]
    found = {
        "fingerprint": task.fingerprint,
        "state": data_state(task),
        "published": [source.link for source in comparable_sources(task.name, named)],
    }
    card = {**task.as_dict(), **found}
    if not options.json:
        if language() == "ja":
            card["display"] = task.display.in_japanese().model_dump(mode="json")
        card["display"].pop("ja")
        display, data = card["display"], card["data"]
        display["items"] = display["items"] or _samples(task) or "not known to us"
        display["chance"] = display["chance"] or "none, as answers are free"
        display["flaws"] = display["flaws"] or NONE_KNOWN
        if data["hub"] is not None:
            data["revision"] = data["revision"] or "not pinned: the newest is read"
        card["published"] = card["published"] or NONE_KNOWN
    print_details(card, json=options.json)
    return 0


def tasks_prepare_command(options: argparse.Namespace) -> int:
    """Make a task's data out of files that were fetched by hand, or keep what the Hub has."""
    from vlmbench.tasks.prepare.convert import download, prepare

    if options.data_dir is None:
        raise UsageError("'tasks prepare' needs to know where; add '--data-dir DIR'.")
    make = download if options.download else prepare
    if options.download:
        options.data_dir.mkdir(parents=True, exist_ok=True)
    done = make(load_task(options.name, data_dir=options.data_dir), options.data_dir)
    if options.json:
        file = str(done.file) if done.file else None
        print_json({"file": file, "rows": done.rows, "message": done.message})
    else:
        print(done.message)
    return 0


def tasks_pin_command(options: argparse.Namespace) -> int:
    """Write the commit of each task's Hub data set into its file."""
    from vlmbench.tasks.pin import pin

    pins = [pin(load_task(name)) for name in expand_names(options.name.split(","))]
    if options.json:
        print_json([{**asdict(one), "file": str(one.file)} for one in pins])
        return 0
    for one in pins:
        if one.newest in (None, one.commit):
            print(f"{one.file}: {one.commit}")
        else:
            print(f"{one.file}: {one.commit}, as before (the newest is {one.newest})")
    return 0


def models_list_command(options: argparse.Namespace) -> int:
    """The aliases and the baselines."""
    values = [
        {
            "name": name,
            "family": family(entry.family).title or entry.family,
            "location": entry.location,
            "note": _model_note(entry),
        }
        for name, entry in known_models().items()
    ]
    values += [
        {"name": f"baseline:{kind}", "family": "baseline", "location": "", "note": note}
        for kind, note in BASELINES.items()
    ]
    print_list(values, json=options.json, optional=("family",))
    return 0


def _model_note(entry: ModelEntry) -> str:
    kind = family(entry.family)
    if entry.remote_code:
        return "runs its own code" if kind.recipe else "needs its own code: not supported"
    return "text only: gets no images" if kind.text_only else entry.note


def models_show_command(options: argparse.Namespace) -> int:
    """How a model will be loaded."""
    entry = known_models().get(options.name)
    if entry is not None and entry.remote_code and not options.trust_remote_code:
        print_details(plan_with_code(options.name, entry), json=options.json)
    else:
        (spec,) = resolve_models([options.name], options)
        print_details(plan(spec), json=options.json)
    return 0


def metrics_list_command(options: argparse.Namespace) -> int:
    """Name, range and first sentence of each metric, family by family."""
    values = []
    for name in metric_names():
        about = describe(name)
        bounds = about["range"]
        values.append(
            {
                "name": name,
                "range": f"{bounds[0]:g} to {bounds[1]:g}" if bounds else "open",
                "definition": about["definition"].split("\n\n")[0].replace("\n", " "),
            }
        )
    if options.json:
        print_json(values)
        return 0
    for group, members in itertools.groupby(values, lambda one: one["name"].partition(".")[0]):
        print(f"{group}: {family_summary(group)}")
        print_list(list(members), json=False)
    return 0


def metrics_show_command(options: argparse.Namespace) -> int:
    """Definition, range, options, source and signature of a metric."""
    print_details(describe(options.name), json=options.json)
    return 0


def metrics_score_command(options: argparse.Namespace) -> int:
    """Score a file of predictions: a JSON line a sample, then one for all of them.

    The last line has no id but the metric's name, value, interval, n and signature.
    """
    metric = load_metric(options.name, read_options(options.name, options.option))
    lines: list[LineScore] = []
    emit = lines.append if options.json else _print_line
    estimate = asdict(score_file(metric, options.file, emit=emit))
    corpus = {key: estimate[key] for key in CORPUS_KEYS}
    if options.json:
        print_json({"samples": [asdict(line) for line in lines], "corpus": corpus})
    else:
        _print_line(corpus)
    return 0


def _print_line(value: LineScore | dict[str, Any]) -> None:
    print(json.dumps(value if isinstance(value, dict) else asdict(value), ensure_ascii=False))
