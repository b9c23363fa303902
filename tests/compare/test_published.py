"""Published scores: facts with sources, and beside ours only where they compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from locations import REFERENCE
from made_public import PUBLIC, write_public

from vlmbench.cli.main import main
from vlmbench.compare.published import published
from vlmbench.tasks.registry import load_task

FILE = REFERENCE / "published.json"


def test_every_table_has_a_source() -> None:
    found = published()
    for table in found.tables:
        assert table.source_id in found.sources
        source = found.sources[table.source_id]
        assert source.url or (source.repo and source.path)
        assert table.scores


@pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not here")
def test_the_numbers_are_those_that_were_collected() -> None:
    """All but three that were computed from a published file and not published."""
    records = json.loads(FILE.read_text(encoding="utf-8"))["records"]
    keys = ("benchmark", "subset", "metric", "judge", "harness", "source_id", "source", "published")
    collected = {
        (*(one.get(key) for key in keys), one["model"]): one["score"]
        for one in records
        if not one.get("derived")
    }
    shipped = {
        (*(getattr(table, key) for key in keys), model): score
        for table in published().tables
        for model, score in table.scores.items()
    }
    assert shipped == collected


def test_what_tasks_name_is_published() -> None:
    tables = {(one.benchmark, one.harness, one.metric) for one in published().tables}
    named = {
        (name, harness, metric)
        for name in PUBLIC
        for use in load_task(name).metrics
        for harness, metric in use.published.items()
    }
    assert named <= tables
    assert len(named) >= 15


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("cvqa-ja", "jmmmu", "ja-vlm-bench-in-the-wild"):
        write_public(load_task(name), tmp_path / "data")
    out = tmp_path / "out"
    tasks = "cvqa-ja,jmmmu,ja-vlm-bench-in-the-wild,ja-vqa"
    command = ["run", "--model", "baseline:oracle", "--tasks", tasks, "--limit", "2", "--quiet"]
    assert main([*command, "--out", str(out), "--data-dir", str(tmp_path / "data")]) == 0
    return out


def test_ours_beside_theirs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["compare", str(runs), "--published", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by_task = {one["task"]: one for one in found["comparisons"]}
    assert set(by_task) == {"cvqa-ja", "jmmmu", "ja-vlm-bench-in-the-wild"}

    cvqa = by_task["cvqa-ja"]
    assert (cvqa["metric"], cvqa["name"]) == ("compat_evalmm.substring_match", "substring_match")
    assert cvqa["rows"][0]["model"] == "baseline-oracle"
    # llm-jp-eval-mm leaderboard.md: japanese-stable-vlm has 1.97 of 100, ours is from 0 to 1.
    theirs = {one["model"]: one["value"] for one in cvqa["rows"] if not one["ours"]}
    assert theirs["stabilityai/japanese-stable-vlm"] == pytest.approx(0.0197)
    part, size = cvqa["caveats"]
    assert part["text"] == "baseline-oracle answered only 2 of 3 samples"
    assert size["text"].startswith(
        "The data of cvqa-ja has 3 samples where its card says 203 items"
    )
    assert any(one["kind"] == "images" for one in by_task["jmmmu"]["caveats"])
    rouge = by_task["ja-vlm-bench-in-the-wild"]["rows"]
    assert max(one["value"] for one in rouge if not one["ours"]) > 1.0  # both are from 0 to 100

    mismatches = [{**one, "models": 0} for one in found["mismatches"]]
    assert all(mismatches.count(one) == 1 for one in mismatches)  # alike tables share a line
    reasons = {(one["task"], one["reason"]) for one in found["mismatches"]}
    assert ("jmmmu", "it is of the subset japaneseArt") in reasons
    assert ("jmmmu", "another harness, whose metric is not reproduced here") in reasons
    assert any("needs a judge (gpt-4o" in reason for _, reason in reasons)


def test_the_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["compare", str(runs / "baseline-oracle" / "cvqa-ja"), "--published"]) == 0
    text = capsys.readouterr().out
    assert "cvqa-ja: compat_evalmm.substring_match (llm-jp-eval-mm substring_match)" in text
    assert "llm-jp/llm-jp-eval-mm@9f450a5 leaderboard.md" in text
    assert main(["compare", str(runs / "baseline-oracle" / "ja-vqa"), "--published"]) == 0
    assert "No published scores of these tasks" in capsys.readouterr().out


def test_a_task_names_where_comparable_scores_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """The two boards of llm-jp-eval-mm, as published.json names them; nobody publishes ja-vqa."""
    found = {}
    for name in ("jmmmu", "ja-vqa"):
        assert main(["tasks", "show", name, "--json"]) == 0
        found[name] = json.loads(capsys.readouterr().out)["published"]
    assert found["ja-vqa"] == []
    assert len(found["jmmmu"]) == 2
    assert all("/llm-jp/llm-jp-eval-mm/blob/9f450a5" in link for link in found["jmmmu"])
