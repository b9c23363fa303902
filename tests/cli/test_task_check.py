"""`vlmbench tasks check` and `tasks preview` as typed, also on the reference cases."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from locations import CASES
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples

PREVIEW = """\
  sample      q000
  prompt      [image of 32 x 40 pixels]
              何色ですか。
              短く答えてください。
  references  赤
              赤色
  meta        kind: what, style: seen
"""


def test_check_shows_the_first_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = write_task(tmp_path, color_rows(4))
    assert main(["tasks", "check", str(task)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("colors: 4 samples and 4 images of") and not err
    assert PREVIEW in out


def test_check_of_several_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = write_task(tmp_path, color_rows(2))
    assert main(["tasks", "check", f"{task},ja-caption", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["task"], second["task"]) == ("colors", "ja-caption")
    assert second["first"]["references"]


def test_preview_of_any_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**row, "options": ["赤", "青"]} for row in color_rows(4)]
    fields = {
        "id": "{{ row.id }}",
        "images": ["images"],
        "references": {"column": "references"},
        "choices": {"column": "options"},
    }
    task = str(write_task(tmp_path, rows, fields=fields, slices=[], system="短く。"))
    assert main(["tasks", "preview", task, "--id", "q001"]) == 0
    shown = capsys.readouterr().out
    assert "  sample      q001\n  system      短く。\n" in shown
    assert "  choices     A. 赤\n              B. 青\n" in shown
    assert main(["tasks", "preview", task, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "q000"
    assert main(["tasks", "preview", task, "--id", "q0001"]) == 2
    error = capsys.readouterr().err
    assert "Unknown sample of colors: 'q0001'. Did you mean 'q001'" in error


def case(name: str, folder: Path) -> Path:
    """The task file of a copy of a reference case, since its folder cannot be written."""
    if not (CASES / name).is_dir():
        pytest.skip("the reference cases (../shared/reference/cases) are not here")
    copy = folder / "case"
    shutil.copytree(CASES / name, copy, copy_function=shutil.copyfile)
    for one in (copy, *copy.rglob("*")):
        one.chmod(0o755)
    return copy / "q.yaml"


@pytest.mark.reference
@pytest.mark.parametrize("name", ["image-16-bit-1", "image-bad-metadata-1"])
def test_pictures_are_the_same(name: str, tmp_path: Path) -> None:
    """Equal pixels: so the model's answers are equal."""
    samples = read_samples(load_task(str(case(name, tmp_path))))
    assert len({image.decode().tobytes() for one in samples for image in one.images}) == 1


@pytest.mark.reference
def test_null_image_struct(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = case("null-image-struct", tmp_path)
    assert main(["tasks", "check", str(task)]) == 0
    assert "3 samples and 4 images" in capsys.readouterr().out


@pytest.mark.reference
def test_image_mark_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = case("image-mark-number", tmp_path)
    assert main(["tasks", "check", str(task)]) == 2
    assert "sample '1' of task 'im' marks <image 2>" in capsys.readouterr().err
    out = tmp_path / "runs"
    run = ["run", "--model", "baseline:oracle", "--tasks", str(task), "--quiet"]
    assert main([*run, "--out", str(out)]) == 2
    assert "sample '1' of task 'im' marks <image 2>" in capsys.readouterr().err
    responses = read_journal(RunDir.of(out, "baseline-oracle", "im").journal).responses
    assert {name: one.text for name, one in responses.items()} == {"0": "赤", "1": None, "2": "緑"}


@pytest.mark.reference
def test_nan_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = case("nan-reference", tmp_path)
    run = ["run", "--model", "baseline:oracle", "--out", str(tmp_path / "runs"), "--tasks"]
    for command in (["tasks", "check"], run):
        assert main([*command, str(task)]) == 2
        assert "There is no reference answer in row 1" in capsys.readouterr().err


@pytest.mark.reference
def test_numpy_list(tmp_path: Path) -> None:
    samples = read_samples(load_task(str(case("numpy-list-1", tmp_path))))
    assert [one.references for one in samples] == [("赤", "レッド"), ("青",), ("緑", "緑色")]


@pytest.mark.reference
def test_reference_names_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = case("reference-names-no-option-1", tmp_path)
    said = "The reference '0' of sample '0' of task 'zb' names none of its 3 options (A to C)"
    assert main(["tasks", "check", str(task)]) == 2
    error = capsys.readouterr().err
    assert said in error and "1 is taken for A" in error
    out = ["--out", str(tmp_path / "runs"), "--quiet"]
    assert main(["run", "--model", "baseline:oracle", "--tasks", str(task), *out]) == 0
    shown = capsys.readouterr()
    assert said in shown.err
    heading = next(line for line in shown.out.splitlines() if "metric" in line)
    row = next(line for line in shown.out.splitlines() if "match.choice" in line)
    assert heading.split()[-3:] == ["n", "unscored", "errors"] and row.split()[-3:] == list("210")
