"""Exports read back by programs of others: pandas, json, markdown-it, huggingface_hub."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCardData
from made_runs import answered_run, make_task, question
from markdown_it import MarkdownIt

from vlmbench.records import RunRecord
from vlmbench.runs.directory import find_runs
from vlmbench.scoring.export import EXPORT_FORMATS, FILE_NAMES, export, left_out

WILSON_3_OF_4 = (0.3006, 0.9544)
"""statsmodels.stats.proportion.proportion_confint(3, 4, method="wilson"), rounded."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Sequence[RunRecord]:
    """Two models on four questions, with 3 and 4 right; a third left one without an answer."""
    folder = tmp_path_factory.mktemp("export")
    task = make_task(folder, [question(number) for number in range(4)], title="色_1 & 形 | 試験")
    right = {f"q{number}": "赤" for number in range(4)}
    answered_run(task, folder / "runs", "three", {**right, "q1": "青"})
    answered_run(task, folder / "runs", "four", right)
    answered_run(task, folder / "runs", "cut", {"q0": "赤"})
    return [run.read_record() for run in find_runs([folder / "runs"])]


def complete(records: Sequence[RunRecord]) -> list[RunRecord]:
    return [one for one in records if one.coverage.complete]


def test_csv_and_json_hold_every_estimate(records: Sequence[RunRecord]) -> None:
    total = sum(len(one.estimates) for one in records)
    frame = pd.read_csv(io.StringIO(export(records, "csv")))
    rows = json.loads(export(records, "json"))
    assert len(frame) == len(rows) == total
    three = [
        one
        for one in rows
        if (one["model"], one["metric"], one["slice"]) == ("scripted-three", "match.exact", None)
    ]
    assert [(one["value"], one["n"], one["limit"]) for one in three] == [(0.75, 4, None)]


@pytest.mark.parametrize("name", ["=HYPERLINK(A1)", "+1+cmd", "-a", "@SUM(1)", "\t=1"])
def test_csv_holds_no_formula(records: Sequence[RunRecord], name: str) -> None:
    """By what spreadsheets take for one, as OWASP lists it; a number stays one."""
    odd = [dataclasses.replace(one, model=name) for one in records]
    frame = pd.read_csv(io.StringIO(export(odd, "csv")))
    assert set(frame["model"]) == {f"'{name}"}
    whole = [dataclasses.replace(one, model="-1.5") for one in records]
    assert set(pd.read_csv(io.StringIO(export(whole, "csv")))["model"]) == {-1.5}


def test_names_with_control_characters_are_written_out(records: Sequence[RunRecord]) -> None:
    odd = [dataclasses.replace(one, model="a\x1b[31m\n\nb") for one in complete(records)]
    for format in ("latex", "markdown"):
        text = export(odd, format)
        assert "\x1b" not in text and "31m  b" in text


def test_two_runs_of_one_name_are_two_rows(records: Sequence[RunRecord]) -> None:
    for one in complete(records):
        both = [one, dataclasses.replace(one, seed=one.seed + 1)]
        for format, end in (("markdown", " |"), ("latex", " &")):
            text = export(both, format)
            assert f"{one.model}{end}" in text and f"{one.model} (2){end}" in text


def test_shown_formats_leave_out_what_is_incomplete(records: Sequence[RunRecord]) -> None:
    assert [one.model for one in left_out(records, "markdown")] == ["scripted-cut"]
    assert left_out(records, "csv") == []
    for format in ("latex", "markdown", "model-index"):
        assert "cut" not in export(records, format)


def test_markdown_is_a_table(records: Sequence[RunRecord]) -> None:
    odd = [dataclasses.replace(one, model="a|b_c*<i>") for one in complete(records)[:1]]
    tokens = MarkdownIt().enable("table").parse(export([*odd, *records], "markdown"))
    cells = [token for token in tokens if token.type == "inline"]
    texts = ["".join(child.content for child in cell.children or ()) for cell in cells]
    assert texts[:2] == ["model", "ja-small: match.exact"]
    assert texts[2:4] == ["a|b_c*<i>", "1.000 [0.510, 1.000]"]  # Wilson's interval of 4 of 4
    assert "0.750 [0.301, 0.954]" in texts


def test_latex_is_escaped(records: Sequence[RunRecord]) -> None:
    odd = [dataclasses.replace(one, model="a_b & 50%~{x}^\\") for one in complete(records)[:1]]
    assert r"a\_b \& 50\%\textasciitilde{}\{x\}\textasciicircum{}\textbackslash{} & 1.000" in (
        export(odd, "latex")
    )


def test_the_hub_reads_its_model_index(records: Sequence[RunRecord]) -> None:
    (three,) = [one for one in complete(records) if one.model == "scripted-three"]
    card = ModelCardData(**yaml.safe_load(export([three], "model-index")))
    assert card.eval_results is not None
    (result,) = card.eval_results
    assert (result.dataset_type, result.metric_type) == ("ja-small", "exact_match")
    assert result.dataset_name == "色_1 & 形 | 試験"
    assert result.metric_value == 0.75
    assert result.metric_args is not None
    assert tuple(result.metric_args["interval_95"]) == WILSON_3_OF_4


def test_a_hub_task_names_data_set_and_revision(records: Sequence[RunRecord]) -> None:
    (three,) = [one for one in complete(records) if one.model == "scripted-three"]
    data = {"hub": "org/name", "config": "ja", "split": "test", "revision": "main"}
    spec = {**three.task_spec, "data": data}
    read = {**three.fingerprints, "commit": "0" * 40}
    part = dataclasses.replace(three, task_spec=spec, fingerprints=read, limit=4)
    index = yaml.safe_load(export([part], "model-index"))["model-index"]
    named = index[0]["results"][0]["dataset"]
    assert {key: named[key] for key in ("type", "config", "split", "revision")} == {
        "type": "org/name",
        "config": "ja",
        "split": "test",
        "revision": "0" * 40,
    }
    assert named["name"].endswith("(4 samples only)")
    # Rows of a local folder are of no commit, whatever the task says.
    local = dataclasses.replace(three, task_spec=spec)
    (result,) = yaml.safe_load(export([local], "model-index"))["model-index"][0]["results"]
    assert "revision" not in result["dataset"]


def test_every_format_has_a_file_name() -> None:
    assert set(FILE_NAMES) == set(EXPORT_FORMATS)
    assert all(Path(name).suffix for name in FILE_NAMES.values())
