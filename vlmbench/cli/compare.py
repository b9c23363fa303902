"""`vlmbench compare` and `report`: several runs side by side."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from vlmbench.cli.build import build_progress, print_left_out
from vlmbench.cli.published import compare_with_published
from vlmbench.compare.gate.outputs.table import table_lines
from vlmbench.compare.pairs import compare_runs, gate_rows
from vlmbench.report.html import build_site
from vlmbench.report.serve import serve
from vlmbench.runs.directory import find_runs
from vlmbench.text.visible import visible


def report_command(options: argparse.Namespace) -> int:
    """Build the HTML leaderboard."""
    with build_progress() as progress:
        report = build_site(
            options.runs, options.out, samples_per_task=options.samples, progress=progress
        )
    print_left_out(report)
    print(f"The leaderboard: {visible(str(report.index))}")
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
    return compare_with_published(options)


def _compare_models(options: argparse.Namespace) -> int:
    frame = compare_runs(options.runs)
    if options.json:
        print(frame.to_json(orient="records", force_ascii=False, indent=2))
        return 0
    for model, rows in frame[frame["problem"].isna()].groupby("model_b", sort=False):
        print(visible(f"{model} against {rows['model_a'].iloc[0]}, on the same samples\n"))
        for line in table_lines(gate_rows(rows)):
            print(visible(line.rstrip()))
        print()
    for row in frame[frame["problem"].notna()].itertuples():
        print(f"Note: {row.model_a} and {row.model_b} do not compare on {row.task}: {row.problem}.")
    for note in _data_notes(options.runs):
        print(f"Note: {visible(note)}")
    if (frame["part"] == "clean").any():
        print("Clean part: the samples that neither model was trained on.")
    return 0


def _data_notes(paths: Sequence[Path]) -> list[str]:
    """Which runs are of a part of their task, and which of data that is not as published."""
    records = [run.read_record() for run in find_runs(paths)]
    plain = [one for one in records if one.variant is None]
    parts = [f"{one.model} answered {one.part} samples of {one.task}." for one in plain if one.part]
    return [*parts, *dict.fromkeys(one.other_size for one in plain if one.other_size)]
