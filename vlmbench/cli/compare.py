"""`vlmbench compare` and `report`: several runs side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from vlmbench.cli.console import number, print_json, print_table
from vlmbench.compare.gate.outputs.table import table_lines
from vlmbench.compare.pairs import compare_runs, gate_rows
from vlmbench.compare.published import ComparisonTable, Mismatch, compare_published
from vlmbench.report.html import build_report
from vlmbench.runs.directory import find_runs


def report_command(options: argparse.Namespace) -> int:
    """Build the HTML leaderboard."""
    page = build_report(options.runs, options.out, samples_per_task=options.samples)
    print(f"The leaderboard: {page}")
    return 0


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
    frame = compare_runs(options.runs)
    if options.json:
        print(frame.to_json(orient="records", force_ascii=False, indent=2))
        return 0
    for model, rows in frame.groupby("model_b", sort=False):
        print(f"{model} against {rows['model_a'].iloc[0]}, on the same samples\n")
        for line in table_lines(gate_rows(rows)):
            print(line.rstrip())
        print()
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
