"""`vlmbench gate`: save a baseline, check runs against it, plan how many samples it takes."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

from vlmbench.cli.console import print_json, print_table
from vlmbench.compare.gate.baseline import make_baseline
from vlmbench.compare.gate.baseline_file import write_baseline
from vlmbench.compare.gate.check import check
from vlmbench.compare.gate.outputs.github import annotation_lines, append_summary
from vlmbench.compare.gate.outputs.junit import write_junit
from vlmbench.compare.gate.outputs.markdown import markdown_report
from vlmbench.compare.gate.outputs.table import text_report
from vlmbench.compare.gate.report import GateReport
from vlmbench.compare.gate.rules import Rules, read_rules
from vlmbench.compare.power import power_table
from vlmbench.runs.directory import replace_file
from vlmbench.tasks.groups import expand_names
from vlmbench.tasks.registry import load_task
from vlmbench.text.visible import visible


def gate_save_command(options: argparse.Namespace) -> int:
    """Write a baseline."""
    baseline = make_baseline(
        options.runs, repeats=options.repeats, max_missing=options.max_missing or 0.0
    )
    write_baseline(baseline, options.output)
    for name, task in sorted(baseline.tasks.items()):
        part = f", a part of the task (--limit {task.limit})" if task.limit is not None else ""
        print(f"{name}: {len(task.samples)} samples{part}")
    file = visible(str(options.output))
    print(f"Saved; compare with it: vlmbench gate check RUNS --baseline {file}")
    return 0


def gate_check_command(options: argparse.Namespace) -> int:
    """Give a verdict on each headline metric, and on all of them together."""
    rules = rules_of(options)
    report = check(
        options.runs, options.baseline, rules=rules, source=str(options.rules or "the rules")
    )
    _write_outputs(report, options)
    if options.json:
        print_json(report.as_json())
    else:
        print(text_report(report), end="")
    if options.github:
        # GitHub reads both; with --json standard output is one document.
        for line in annotation_lines(report):
            print(line, file=sys.stderr if options.json else sys.stdout)
    return report.exit_code


def rules_of(options: argparse.Namespace) -> Rules:
    """The rules of the YAML file, with what the command line says instead."""
    rules = read_rules(options.rules) if options.rules else Rules()
    given = {
        name: value
        for name in ("max_missing", "undecided")
        if (value := getattr(options, name)) is not None
    }
    if given.get("undecided") == "4":
        given["undecided"] = 4
    if options.margin is not None:
        given |= {"margin": options.margin, "free_margin": options.margin}
    return rules.model_copy(update=given)


def _write_outputs(report: GateReport, options: argparse.Namespace) -> None:
    if options.markdown:
        text = markdown_report(report)
        replace_file(options.markdown, [text.encode("utf-8", "backslashreplace")])
    if options.junit:
        write_junit(report, options.junit)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if options.github and summary:
        append_summary(report, Path(summary))


def gate_power_command(options: argparse.Namespace) -> int:
    """Say how many samples it takes to see a difference."""
    tasks = [load_task(name, data_dir=options.data_dir) for name in expand_names(options.tasks)]
    frame = power_table(tasks, options.effect, pilot=options.pilot)
    if options.json:
        print(frame.to_json(orient="records", force_ascii=False, indent=2))
        return 0
    rows = [
        [
            row.task,
            row.metric,
            row.assumed,
            _count(row.samples),
            _count(row.needed),
            "–" if pd.isna(row.smallest_effect) else f"{row.smallest_effect:.3f}",
            "–" if pd.isna(row.margin) else f"{row.margin:.3f}",
        ]
        for row in frame.itertuples()
    ]
    headings = ("task", "metric", "assumed", ">samples", ">needed", ">smallest effect", ">margin")
    print_table(headings, rows, title=f"To see a difference of {options.effect:g}, 4 times of 5")
    return 0


def _count(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}"
