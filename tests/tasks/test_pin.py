"""Pins of Hub data sets, and what a run's header says of the rows that it read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_hub import COMMIT, environment, hub
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main
from vlmbench.tasks import pin as pin_module
from vlmbench.tasks.registry import load_task, task_names, tasks_root

ON_HUB = [name for name in task_names() if load_task(name).data.hub is not None]


@pytest.mark.parametrize("name", ON_HUB)
def test_every_task_of_the_hub_can_be_pinned(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin_module, "dataset_commit", lambda hub: COMMIT)
    file = tmp_path / f"{name}.yaml"
    shutil.copy(tasks_root() / f"{name}.yaml", file)
    before = load_task(str(file))
    pinned = pin_module.pin(before)
    after = load_task(str(file))
    assert after.data.revision == pinned.commit == (before.data.revision or COMMIT)
    # Nothing else of the task is another one.
    data = before.data.model_copy(update={"revision": after.data.revision})
    assert after.as_dict() == before.model_copy(update={"data": data}).as_dict()


def test_what_cannot_be_pinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "pin", "ja-vqa"]) == 2
    assert "does not read the Hub" in capsys.readouterr().err
    assert main(["tasks", "pin", "jmmmu"]) == 2
    assert "does not say which commit of JMMMU/JMMMU is the newest" in capsys.readouterr().err


def vlmbench(*arguments: str, endpoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vlmbench", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment(endpoint, folder / "home"),
        cwd=folder,
    )


def header(folder: Path) -> dict[str, str]:
    path = folder / "runs" / "baseline-majority" / "colors" / "journal.jsonl"
    with path.open(encoding="utf-8") as handle:
        found: dict[str, str] = json.loads(handle.readline())["fingerprints"]
    return found


def test_a_run_names_commit_and_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set").mkdir()
    write_task(tmp_path / "set", color_rows(4))
    (tmp_path / "set" / "colors.yaml").unlink()
    shutil.move(tmp_path / "set" / "colors.parquet", tmp_path / "set" / "test.parquet")
    task = write_task(tmp_path, None, data={"hub": "org/name", "split": "test"})
    run = ("run", "--quiet", "--model", "baseline:majority", "--tasks", str(task))
    with hub(tmp_path / "set") as (endpoint, _):
        done = vlmbench(*run, endpoint=endpoint, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        first = header(tmp_path)
        assert first["commit"] == COMMIT and len(first["rows"]) == 16
        pinned = vlmbench("tasks", "pin", str(task), endpoint=endpoint, folder=tmp_path)
        assert COMMIT in pinned.stdout, pinned.stderr
        assert load_task(str(task)).data.revision == COMMIT
        # The same rows are the same data, pinned or not: the run goes on.
        again = vlmbench(*run, endpoint=endpoint, folder=tmp_path)
        assert again.returncode == 0, again.stderr
        # Other rows under the same name are not.
        write_task(tmp_path / "set", [{**row, "style": "x"} for row in color_rows(4)])
        shutil.move(tmp_path / "set" / "colors.parquet", tmp_path / "set" / "test.parquet")
        (tmp_path / "set" / "colors.yaml").unlink()
        other = vlmbench(*run, endpoint=endpoint, folder=tmp_path)
        elsewhere = ("--out", "later", "--name", "later")
        later = vlmbench(*run, *elsewhere, endpoint=endpoint, folder=tmp_path)
        assert later.returncode == 0, later.stderr
    assert other.returncode == 2
    assert "holds answers for other data (rows " in other.stderr
    assert first["rows"] in other.stderr
    # Nor do they compare.
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["compare", "runs", "later"]) == 0
    assert "do not compare on colors: another data" in capsys.readouterr().out
    assert main(["gate", "save", "runs", "-o", "baseline.json"]) == 0
    assert main(["gate", "check", "later", "--baseline", "baseline.json"]) == 2
    assert "The field 'data' of task 'colors' differs" in capsys.readouterr().err
