"""`vlmbench import`: answers that another harness has on file become a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace

from vlmbench.cli.console import number, print_json, print_table, say
from vlmbench.cli.results import print_results
from vlmbench.derive import score
from vlmbench.imports.formats import READERS
from vlmbench.imports.journal import ImportedRun, write_run
from vlmbench.imports.predictions import Figure, Prediction
from vlmbench.records import RunRecord
from vlmbench.scoring.extra import extra_metrics
from vlmbench.tasks.registry import load_task

SHOWN = 3
"""How many predictions of a kind are named."""


def import_command(options: argparse.Namespace) -> int:
    """Make a run of the files, score it, and say what fits; 3 if samples have no prediction."""
    files = READERS[options.format](options.files)
    if options.harness_version is not None:
        files = replace(files, version=options.harness_version)
    task = load_task(options.task, data_dir=options.data_dir)
    run = write_run(files, task, name=options.name, out=options.out, fresh=options.fresh)
    # What the harness's own figures can be compared with, also where the task does not use it.
    extra = extra_metrics(list(dict.fromkeys(one.metric for one in files.figures)), [])
    record = score(run.directory, extra=extra, notify=say)
    if options.json:
        print_json(_as_json(run, record))
    else:
        print_results([record], [run.directory], json=False)
        _print_matches(run)
        _print_figures(files.figures, record)
        print(f"The run: {run.directory.path}")
    return 0 if record.coverage.complete else 3


def _print_matches(run: ImportedRun) -> None:
    matches = run.matches
    print(
        f"{run.files.harness}, version {run.files.version or 'not on file'}: "
        f"{len(run.files.predictions)} predictions, {matches.by_id} matched by id, "
        f"{matches.by_question} by question and image, {len(matches.ambiguous)} ambiguous, "
        f"{len(matches.unknown)} that fit no sample; {run.missing} of {run.samples} samples have "
        "none."
    )
    for what, found in (("Ambiguous", matches.ambiguous), ("No sample", matches.unknown)):
        if found:
            print(f"{what}: {_places(found)}")


def _places(predictions: Sequence[Prediction]) -> str:
    shown = ", ".join(one.place for one in predictions[:SHOWN])
    more = len(predictions) - SHOWN
    return shown + (f" and {more} more" if more > 0 else "")


def _print_figures(figures: Sequence[Figure], record: RunRecord) -> None:
    rows = [
        [one.name, number(one.value), one.metric, number(_value(record, one.metric))]
        for one in figures
    ]
    headings = ("figure on file", ">value there", "metric here", ">value here")
    print_table(headings, rows, title="The harness's own figures, and the same computed here")


def _value(record: RunRecord, metric: str) -> float | None:
    uses = {use["id"] or use["use"]: use["use"] for use in record.task_spec["metrics"]}
    return next(
        (
            one.value
            for one in record.estimates
            if one.slice is None and uses.get(one.metric, one.metric) == metric
        ),
        None,
    )


def _as_json(run: ImportedRun, record: RunRecord) -> dict[str, object]:
    return {
        "run": str(run.directory.path),
        "harness": run.files.harness,
        "harness_version": run.files.version,
        "predictions": len(run.files.predictions),
        "matched_by_id": run.matches.by_id,
        "matched_by_question": run.matches.by_question,
        "ambiguous": [one.place for one in run.matches.ambiguous],
        "unknown": [one.place for one in run.matches.unknown],
        "samples": run.samples,
        "missing": run.missing,
        "figures": [
            {**asdict(one), "value_here": _value(record, one.metric)} for one in run.files.figures
        ],
        "record": asdict(record),
    }
