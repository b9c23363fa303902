"""First task files: what they say of data in each usual form, and that they check and run."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from made_tasks import picture

from vlmbench.cli.main import main
from vlmbench.tasks.registry import load_task

COLORS = ("赤", "青", "緑", "黄色")


def rows(count: int = 8) -> list[dict[str, Any]]:
    return [
        {
            "qid": f"q{number}",
            "question": f"{number}番の看板は何色ですか。",
            "answer": COLORS[number % 4],
            "category": "店" if number % 2 else "駅",
        }
        for number in range(count)
    ]


def with_files(folder: Path, some: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows that name image files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, row in enumerate(some):
        name = f"写真{number}.png"
        (folder / name).write_bytes(picture(COLORS[number % 4]))
        found.append({**row, "image": name})
    return found


def write_parquet(path: Path, some: Sequence[Mapping[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    struct = [
        {**row, "image": {"bytes": picture(COLORS[n % 4]), "path": None}}
        for n, row in enumerate(some)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(struct), path)
    return str(path)


def write_jsonl(path: Path, some: Sequence[Mapping[str, Any]]) -> str:
    lines = [json.dumps(row, ensure_ascii=False) for row in with_files(path.parent, some)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def write_csv(path: Path, some: Sequence[Mapping[str, Any]]) -> str:
    named = with_files(path.parent, some)
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, list(named[0]))
        writer.writeheader()
        writer.writerows(named)
    return str(path.parent)


def write_saved(path: Path, some: Sequence[Mapping[str, Any]]) -> str:
    import datasets

    images = [{"bytes": picture(COLORS[n % 4]), "path": None} for n in range(len(some))]
    saved = datasets.Dataset.from_list(
        [{**row, "image": image} for row, image in zip(some, images, strict=True)]
    ).cast_column("image", datasets.Image())
    saved.save_to_disk(str(path))
    return str(path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_parquet, "shop.parquet"),
        (write_jsonl, "shop.jsonl"),
        (write_csv, "labels.csv"),
        (write_saved, "saved"),
    ],
)
def test_every_form_of_data_makes_a_task_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Any, name: str
) -> None:
    given = write(tmp_path / "data" / name, rows())
    assert main(["tasks", "new", "shop-vqa", "--data", given, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["first"]["id"] == "q0"
    assert made["first"]["references"] == ["赤"]
    assert made["first"]["prompt"][0].startswith("[image of 48 x 48 pixels]")
    assert "0番の看板は何色ですか。\n短く答えてください。" in made["first"]["prompt"][1]
    task = load_task(made["file"])
    assert (task.slices, task.headlines) == (("category",), ("match.exact",))
    assert main(["tasks", "check", made["file"]]) == 0
    capsys.readouterr()
    command = ["run", "--quiet", "--json", "--model", "baseline:oracle", "--tasks", made["file"]]
    assert main([*command, "--out", str(tmp_path / "runs")]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["estimates"][0]["value"] == 1.0 and run["coverage"]["answered"] == 8


@pytest.mark.parametrize(
    ("columns", "right"),
    [
        ({"options": ["赤", "青", "緑"], "answer": 1}, "B"),  # a position from 0
        ({"choices": "['赤', '青', '緑']", "answer": "C"}, "C"),  # a list as text, a letter
        ({"options": ["赤", "青", "緑"], "answer": "青"}, "B"),  # the option's text
        ({"A": "赤", "B": "青", "C": "緑", "answer": "C"}, "C"),  # a column an option
        ({"A": "赤", "B": "青", "C": "緑", "answer": "緑"}, "C"),
    ],
)
def test_options_in_every_usual_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: dict[str, Any], right: str
) -> None:
    some = [{**row, **columns} for row in rows(4)]
    given = write_jsonl(tmp_path / "data" / "quiz.jsonl", some)
    assert main(["tasks", "new", "quiz", "--data", given, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["first"]["references"] == [right]
    assert made["first"]["choices"] == ["赤", "青", "緑"]
    assert "A. 赤\nB. 青\nC. 緑" in made["first"]["prompt"][1]
    assert load_task(made["file"]).headlines == ("match.choice",)


def test_captions_and_odd_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = [{"番号": n, "説明": ["赤い看板です。", "赤です。"], "on": n % 2} for n in range(6)]
    given = write_jsonl(tmp_path / "data" / "photos.jsonl", some)
    assert main(["tasks", "new", "photos", "--data", given, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["first"]["references"] == ["赤い看板です。", "赤です。"]
    task = load_task(made["file"])
    assert (task.display.capability, task.slices) == ("caption", ("on",))


def test_the_file_that_rows_were_copied_into_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = write_csv(tmp_path / "data" / "labels.csv", rows())
    assert main(["tasks", "new", "shop", "--data", given]) == 0
    assert f"Its rows: {tmp_path / 'data' / 'shop.jsonl'}\n" in capsys.readouterr().out
    given = write_jsonl(tmp_path / "data" / "lines.jsonl", rows())
    assert main(["tasks", "new", "other", "--data", given]) == 0
    assert "Its rows" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "data", "fragment"),
    [
        ("Shop", "shop.jsonl", "cannot be the name of a task"),
        ("shop", "gone.parquet", "There is no file gone.parquet"),
        ("shop", "shop.tsv", "is no .parquet, .jsonl or .csv file"),
        ("shop", "nothing.jsonl", "No column looks like an answer among x"),
        ("shop", "empty.jsonl", "There are no rows in"),
        ("taken", "shop.jsonl", "taken.yaml is there already"),
        ("shop", "org/name", "The Hugging Face Hub can't be reached"),
        ("shop", "bare", "holds no .csv, no .jsonl and no data set that can be read"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    data: str,
    fragment: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "shop.jsonl", rows(2))
    (tmp_path / "shop.tsv").touch()
    (tmp_path / "nothing.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "taken.yaml").touch()
    (tmp_path / "bare").mkdir()
    assert main(["tasks", "new", name, "--data", data]) == 2
    assert fragment in capsys.readouterr().err
