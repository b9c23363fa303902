"""The parity program on gold files that lack something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parity import aggregates
from parity.__main__ import main
from parity.checks import Check
from parity.gold import SCHEMA
from parity.own import own_checks
from parity.table import compat_checks
from vlmbench.errors import DataError

ITEM = {"id": "a", "kind": "x", "pred": "Answer: 42", "gold": ["42"]}
RUN: dict[str, Any] = {
    "run_id": "jfinqa_exact.lmeval",
    "parameters": {},
    "per_item": {"a": {"expected": 1.0}},
    "corpus": {"mean": 1.0, "reference_aggregate": {"details": {"y": 0.5}}},
}


def folder(place: Path, inputs: Any) -> Path:
    content = {"schema": SCHEMA, "inputs": inputs, "runs": [RUN]}
    (place / "short_answers.json").write_text(json.dumps(content), encoding="utf-8")
    return place


def check(**options: Any) -> Check:
    return Check("short_answers", RUN["run_id"], "compat_jfinqa.exact_match", **options)


def test_a_whole_file(tmp_path: Path) -> None:
    row = check().row(folder(tmp_path, {"items": [ITEM]}))
    assert row is not None
    assert (row.items, row.agreeing, row.aggregates, row.aggregates_agreeing) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        {},
        {"items": []},
        {"items": [{"id": "a", "kind": "x"}]},
        {"items": [{**ITEM, "id": 2}]},
    ],
)
def test_a_file_without_texts_is_met_with_a_sentence(tmp_path: Path, inputs: Any) -> None:
    with pytest.raises(DataError) as caught:
        check().row(folder(tmp_path, inputs))
    assert "short_answers.json has no texts" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("runs", "fragment"),
    [(True, "json has no texts to score"), (False, "none of the runs that are looked for")],
)
def test_nothing_compared_is_an_error(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    runs: bool,
    fragment: str,
) -> None:
    wanted: dict[str, list[dict[str, Any]]] = {}
    for one in [*compat_checks(), *own_checks()]:
        wanted.setdefault(one.file, []).append({**RUN, "run_id": one.run})
    for name, found in wanted.items():
        content = {"schema": SCHEMA, "inputs": {}, "runs": found if runs else []}
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["parity", "--gold", str(tmp_path)])
    assert main() == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert fragment in captured.err


def test_sets_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    """The file has a value over items of an answer type, of which there is none."""
    row = check(aggregates=aggregates.jdocqa).row(folder(tmp_path, {"items": [ITEM]}))
    assert row is not None and row.aggregates == 1
    with pytest.raises(DataError, match="lacks a part of what the values of"):
        check(aggregates=aggregates.mecha_ja).row(folder(tmp_path, {"items": [ITEM]}))
