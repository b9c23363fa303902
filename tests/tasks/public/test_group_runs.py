"""Each group by one command on rows with the benchmarks' exact columns, to its score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_public import PUBLIC, write_public

from vlmbench.cli.main import main
from vlmbench.tasks.groups import load_groups
from vlmbench.tasks.registry import load_task


@pytest.mark.parametrize("group", load_groups())
def test_a_group_is_run_by_its_name(
    group: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = load_groups()[group].tasks
    if "jdocqa" in tasks:
        pytest.importorskip("ipadic", reason="compat_evalmm_text.jdocqa needs vlmbench-ja[compat]")
    for name in set(PUBLIC) & set(tasks):
        write_public(load_task(name), tmp_path / "data")
    (tmp_path / "data").mkdir(exist_ok=True)
    command = ["run", "--model", "baseline:oracle", "--tasks", group, "--limit", "3", "--quiet"]
    where = ["--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main([*command, *where, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["task"] for one in found["runs"]] == list(tasks)
    assert all(one["coverage"]["answered"] == 3 for one in found["runs"])
    score = next(one for one in found["groups"] if one["group"] == group)
    assert set(score["parts"]) == set(tasks)
    assert score["low"] <= score["value"] <= score["high"]
    # Where there are no more than 3 rows, they are the whole of them.
    parts = [one for one in found["runs"] if one["limit"] is not None]
    assert parts and score["reason"].startswith("only 3 of ")
