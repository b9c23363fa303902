"""`--image-order reference`: all images before the text, as llm-jp-eval-mm asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from made_public import write_public

from vlmbench.check import check_task
from vlmbench.cli.main import main
from vlmbench.tasks.registry import load_task, tasks_root


def test_a_run_in_the_reference_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_public(load_task("mmmu"), tmp_path)
    where = ["--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]
    run = ["run", "--model", "baseline:oracle", "--tasks", "mmmu", "--quiet", "--json", *where]
    assert main([*run, "--image-order", "reference"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["runs"]
    assert record["task_spec"]["image_order"] == "reference"
    assert main(["compare", str(tmp_path / "out"), "--published", "--json"]) == 0
    (comparison, *_) = json.loads(capsys.readouterr().out)["comparisons"]
    assert "images" not in [caveat["kind"] for caveat in comparison["caveats"]]
    # The same directory goes on in the same order only.
    assert main(run) == 2
    assert "another prompt" in capsys.readouterr().err


def test_a_copy_of_a_task_file_in_the_reference_order_is_well(tmp_path: Path) -> None:
    write_public(load_task("mmmu"), tmp_path)
    text = (tasks_root() / "mmmu.yaml").read_text(encoding="utf-8")
    copy = tmp_path / "mmmu.yaml"
    copied = {**yaml.safe_load(text), "image_order": "reference"}
    copy.write_text(yaml.safe_dump(copied, allow_unicode=True), encoding="utf-8")
    assert check_task(load_task(str(copy), data_dir=tmp_path)).problems == ()
