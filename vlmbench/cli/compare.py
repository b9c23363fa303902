"""`vlmbench compare`, `gate` and `report`: several runs side by side."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from vlmbench.cli.build import build_progress, print_left_out
from vlmbench.cli.console import interval, number, print_json, print_table
from vlmbench.compare.gate import DEFAULT_MARGIN, GateReport, check, save_baseline
from vlmbench.compare.pairs import compare_runs
from vlmbench.compare.power import power_table
from vlmbench.compare.published import ComparisonTable, Mismatch, compare_published
from vlmbench.report.html import build_site
from vlmbench.report.serve import serve
from vlmbench.runs.directory import find_runs
from vlmbench.tasks.groups import expand_names
from vlmbench.tasks.registry import load_task


def report_command(options: argparse.Namespace) -> int:
    """Build the HTML leaderboard."""
    with build_progress() as progress:
        report = build_site(
            options.runs, options.out, samples_per_task=options.samples, progress=progress
        )
    print_left_out(report)
    print(f"The leaderboard: {report.index}")
    if options.open:
        webbrowser.open(report.index.resolve().as_uri())
    return 0


def view_command(options: argparse.Namespace) -> int:
    """Serve the leaderboard on this machine, and build it anew while runs go on."""
    return serve(options.runs, port=options.port, open_browser=not options.no_open)


def compare_command(options: argparse.Namespace) -> int:
    """Show models beside each other, or beside published scores."""
    if not options.published:
        return _compare_models(options)
    records = [run.read_record() for run in find_runs(options.runs)]
    comparisons, mismatches = compare_published([one for one in records if one.variant is None])
    if options.json:
        values = {
            "comparisons": [asdict(one) for one in comparisons],
            "mismatches": [asdict(one) for one in mismatches],
        }
        print_json(values)
    else:
        _print_published(comparisons, mismatches)
    return 0


def _compare_models(options: argparse.Namespace) -> int:
    frame = compare_runs(options.runs, seed=options.seed)
    if options.json:
        print(frame.to_json(orient="records", force_ascii=False, indent=2))
        return 0
    rows = [
        [
            row.task + (" (clean part)" if row.part == "clean" else ""),
            row.metric,
            row.model_b,
            *(number(one) for one in (row.value_a, row.value_b)),
            number(row.difference, signed=True),
            interval(row.low, row.high, signed=True),
            str(row.n),
        ]
        for row in frame[frame["problem"].isna()].itertuples()
    ]
    first = str(frame["model_a"].iloc[0]) if len(frame) else ""
    headings = ("task", "metric", "model", f">{first}", ">model", ">difference", ">95 % interval")
    print_table((*headings, ">n"), rows, title=f"Paired with {first}, on the same samples")
    for row in frame[frame["problem"].notna()].itertuples():
        print(f"Note: {row.model_a} and {row.model_b} do not compare on {row.task}: {row.problem}.")
    for note in _data_notes(options.runs):
        print(f"Note: {note}")
    if (frame["part"] == "clean").any():
        print("Clean part: the samples that neither model was trained on.")
    return 0


def _data_notes(paths: Sequence[Path]) -> list[str]:
    """Which runs are of a part of their task, and which of data that is not as published."""
    records = [run.read_record() for run in find_runs(paths)]
    plain = [one for one in records if one.variant is None]
    parts = [f"{one.model} answered {one.part} samples of {one.task}." for one in plain if one.part]
    return [*parts, *dict.fromkeys(one.other_size for one in plain if one.other_size)]


def _print_published(
    comparisons: Sequence[ComparisonTable], mismatches: Sequence[Mismatch]
) -> None:
    for one in comparisons:
        rows = [
            [">" if row.ours else "", row.model, number(row.value), row.source] for row in one.rows
        ]
        title = f"{one.task}: {one.metric} ({one.harness} {one.name})"
        print_table(("", "model", ">value", "source"), rows, title=title)
        for caveat in one.caveats:
            print(f"Note: {caveat.text}.")
    differing = [
        [one.task, one.harness, one.name, str(one.models), one.reason, one.source]
        for one in mismatches
    ]
    headings = ("task", "harness", "metric", ">models", "what differs", "source")
    print_table(headings, differing, title="Published, but not comparable")
    if not comparisons and not mismatches:
        print("No published scores of these tasks ship with vlmbench.")


def gate_save_command(options: argparse.Namespace) -> int:
    """Write a baseline."""
    save_baseline(options.runs, options.output)
    print(f"Saved; compare with it: vlmbench gate check RUNS --baseline {options.output}")
    return 0


def gate_check_command(options: argparse.Namespace) -> int:
    """Give a verdict on each headline metric."""
    margin = DEFAULT_MARGIN if options.margin is None else options.margin
    report = check(options.runs, options.baseline, margin=margin)
    if options.json:
        print_json(report.as_json())
    else:
        _print_gate(report)
    return report.exit_code


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
            "–" if pd.isna(row.samples) else f"{row.samples:,.0f}",
            "–" if pd.isna(row.needed) else f"{row.needed:,.0f}",
            "–" if pd.isna(row.smallest_effect) else f"{row.smallest_effect:.3f}",
        ]
        for row in frame.itertuples()
    ]
    headings = ("task", "metric", "assumed", ">samples", ">needed", ">smallest effect")
    print_table(headings, rows, title=f"To see a difference of {options.effect:g}, 4 times of 5")
    return 0


def _print_gate(report: GateReport) -> None:
    rows = [
        [
            row.task,
            row.metric,
            number(row.baseline),
            number(row.value),
            number(row.difference, signed=True),
            interval(row.low, row.high, signed=True),
            str(row.n),
            row.verdict + (f": {row.reason}" if row.reason else ""),
        ]
        for row in report.rows
    ]
    numbers = (">baseline", ">run", ">difference", ">95 % interval", ">n")
    title = f"{report.model} against {report.baseline_model}, margin {report.margin:g}"
    print_table(("task", "metric", *numbers, "verdict"), rows, title=title)
    if report.ungated:
        print(f"Not in the baseline: {', '.join(report.ungated)}.")
