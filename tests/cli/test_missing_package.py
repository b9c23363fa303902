"""A metric whose package is missing keeps neither other metrics nor other tasks from scores."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_runs import make_task, question

from vlmbench.cli.main import main
from vlmbench.metrics.compat import text_words

EXACT = {"use": "match.exact", "headline": True}
JDOCQA = {"use": "compat_evalmm_text.jdocqa"}


@pytest.fixture
def no_ipadic(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As on a plain install: importing ipadic fails."""
    pytest.importorskip("ipadic", reason="the extra 'compat' is not installed")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ipadic", None)
        text_words._ipadic.cache_clear()
        yield patch
    text_words._ipadic.cache_clear()


def rows() -> list[dict[str, object]]:
    # answer_type is what the harness's metric goes by; 1 is factoid.
    return [question(number, level="1") for number in range(3)]


def test_the_other_scores_come(
    tmp_path: Path, no_ipadic: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = make_task(tmp_path / "a", rows(), name="both", metrics=(EXACT, JDOCQA))
    plain = make_task(tmp_path / "b", rows(), name="plain")
    runs = str(tmp_path / "runs")
    command = ["run", "--quiet", "--model", "baseline:oracle", "--out", runs, "--json"]
    assert main([*command, "--tasks", f"{both},{plain}"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "vlmbench: compat_evalmm_text.jdocqa of both is left out: The dictionary ipadic is not "
        "installed; run pip install 'vlmbench-ja[compat]'; then 'vlmbench score RUNS' adds it."
    ]
    found = json.loads(said.out)["runs"]
    assert [run["task"] for run in found] == ["both", "plain"]
    overall = [{one["metric"]: one["value"] for one in run["estimates"]} for run in found]
    assert all(one["match.exact"] == 1.0 for one in overall)
    assert not any("compat_evalmm_text.jdocqa" in one for one in overall)
    assert main(["score", runs]) == 0
    assert capsys.readouterr().err.count("is left out") == 1


def test_a_headline_is_not_left_out(
    tmp_path: Path, no_ipadic: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task(tmp_path, rows(), metrics=({**JDOCQA, "headline": True},))
    command = ["run", "--quiet", "--model", "baseline:oracle", "--out", str(tmp_path / "runs")]
    assert main([*command, "--tasks", str(task)]) == 2
    assert "The dictionary ipadic is not installed" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_it_comes_once_the_package_is_there(
    tmp_path: Path, no_ipadic: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task(
        tmp_path, rows(), metrics=(EXACT, {"use": "compat_sacrebleu.bleu", "id": "bleu"})
    )
    command = ["run", "--quiet", "--model", "baseline:oracle", "--out", str(tmp_path / "runs")]
    assert main([*command, "--tasks", str(task)]) == 0
    no_ipadic.undo()
    text_words._ipadic.cache_clear()
    capsys.readouterr()
    assert main(["score", str(tmp_path / "runs"), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    (run,) = json.loads(said.out)["runs"]
    assert {one["metric"] for one in run["estimates"]} >= {"match.exact", "bleu"}
