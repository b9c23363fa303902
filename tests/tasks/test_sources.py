"""--data-dir: shards, subsets, JSON Lines, and one sentence where something is not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from made_public import write_public
from made_tasks import color_rows, picture, write_task

from vlmbench.cli.main import main
from vlmbench.errors import ConfigError, DataError, UsageError
from vlmbench.evaluate import run as run_task
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.records import stable_hash
from vlmbench.report.html import build_report
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples, sample_count
from vlmbench.tasks.sources import data_fingerprint, data_state, local_files, source_name
from vlmbench.tasks.spec import TaskSpec

HUB = {"hub": "org/name", "split": "test"}


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)


def hub_task(folder: Path, **changes: Any) -> TaskSpec:
    """A task of the Hub whose rows lie in `folder`/data, if anywhere."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    # Task files are read once a path, so each has its own.
    path = write_task(folder / stable_hash(changes), **{"data": HUB, **changes})
    return load_task(str(path), data_dir=folder / "data")


def ids(task: TaskSpec) -> list[str]:
    return [sample.id for sample in read_samples(task)]


@pytest.mark.parametrize("layout", ["one file", "shards", "lines"])
def test_layouts(tmp_path: Path, layout: str) -> None:
    rows = color_rows(6)
    data = tmp_path / "data"
    match layout:
        case "one file":
            write_rows(data / "colors.parquet", rows)
        case "shards":
            write_rows(data / "colors" / "a-00000.parquet", rows[:4])
            write_rows(data / "colors" / "a-00001.parquet", rows[4:])
        case "lines":
            data.mkdir()
            (data / "a.png").write_bytes(picture())
            lines = [json.dumps({**row, "images": ["a.png"]}) for row in rows]
            (data / "colors.jsonl").write_text("\n".join(lines), encoding="utf-8")
    task = hub_task(tmp_path)
    assert data_state(task) == "local"
    assert ids(task) == [row["id"] for row in rows]
    assert all(len(sample.images) == 1 for sample in read_samples(task))
    assert sample_count(task) == (None if layout == "lines" else 6)


def subset_task(folder: Path) -> TaskSpec:
    """Subsets of 2, 4 and 1 rows; of C, the one row is not the task's."""
    for name, count in (("B", 2), ("A", 4), ("C", 1)):
        write_rows(folder / "data" / "colors" / f"{name}.parquet", color_rows(count))
    fields = {
        "id": "{{ row.subset }}{{ row.id[-1] }}",
        "images": ["images"],
        "references": {"column": "references"},
        "meta": ["subset"],
    }
    data = {**HUB, "subsets": ["B", "C", "A"], "keep": "{{ row.subset != 'C' }}"}
    return hub_task(folder, data=data, fields=fields, slices=["subset"])


def test_subsets_take_turns(tmp_path: Path) -> None:
    task = subset_task(tmp_path)
    samples = list(read_samples(task))
    assert [one.id for one in samples] == ["B0", "A0", "B1", "A1", "A2", "A3"]
    assert [one.meta["subset"] for one in samples] == ["B", "A", "B", "A", "A", "A"]
    for only in ([0], [5], [1, 3, 4], []):
        assert [one.id for one in read_samples(task, only=only)] == [samples[n].id for n in only]
    (tmp_path / "data" / "colors" / "A.parquet").unlink()
    with pytest.raises(DataError, match=r"lacks 1 of the 3 subsets .* add A.parquet"):
        ids(task)


def test_a_larger_limit_goes_on_and_none_ends_where_a_whole_run_does(tmp_path: Path) -> None:
    task = subset_task(tmp_path)

    def scores(out: Path, limit: int | None) -> bytes:
        record = run_task(
            resolve_model("baseline:oracle"),
            task,
            executor=LocalExecutor(batch_size=2),
            out=out,
            limit=limit,
        )
        assert record.coverage.complete
        return RunDir.of(out, record.model, record.task).scores.read_bytes()

    whole = scores(tmp_path / "whole", None)
    out = tmp_path / "out"
    before: set[str] = set()
    for limit, subsets in ((3, "AAB"), (5, None)):
        lines = scores(out, limit).decode().splitlines()
        found = {json.loads(line)["id"] for line in lines}
        assert before < found
        # Two thirds of the rows are of A.
        assert subsets is None or "".join(sorted(one[0] for one in found)) == subsets
        before = found
    journal = out / "baseline-oracle" / "colors" / "journal.jsonl"
    assert len(read_journal(journal).responses) == 5
    assert scores(out, None) == whole
    assert len(read_journal(journal).responses) == 6


def test_rows_that_are_kept_and_lists_that_are_taken_apart(tmp_path: Path) -> None:
    rows = [
        {"lang": "JA", "qas": "[{'q': '何色？', 'a': '赤'}, {'q': '何匹？', 'a': '二匹'}]"},
        {"lang": "KO", "qas": "[{'q': 'x', 'a': 'y'}]"},
        {"lang": "JA", "qas": '[{"q": "どこ？", "a": "京都"}]'},
    ]
    write_rows(tmp_path / "data" / "colors.parquet", rows)
    changes: dict[str, Any] = {
        "fields": {"id": "{{ index }}", "references": ["{{ row.qas.a }}"]},
        "prompt": "{{ row.qas.q }}",
        "slices": [],
    }
    data = {**HUB, "keep": "row.lang == 'JA'", "each": "qas"}
    task = hub_task(tmp_path, data=data, **changes)
    found = list(read_samples(task))
    assert [(one.id, one.references) for one in found] == [
        ("0", ("赤",)),
        ("1", ("二匹",)),
        ("2", ("京都",)),
    ]
    whole = hub_task(tmp_path, data=HUB, **changes)
    assert data_fingerprint(task) != data_fingerprint(whole)
    with pytest.raises(ConfigError, match=r"'data\.keep' .*a comparison is expected"):
        hub_task(tmp_path, data={**HUB, "keep": "{{ row.lang }}"}, **changes)
    with pytest.raises(DataError, match=r"'row\.lag'\. Did you mean 'row\.lang'"):
        ids(hub_task(tmp_path, data={**HUB, "keep": "row.lag == 'JA'"}, **changes))
    with pytest.raises(DataError, match="There is no column 'qs'"):
        ids(hub_task(tmp_path, data={**HUB, "each": "qs"}, **changes))


def test_images_in_base64(tmp_path: Path) -> None:
    import base64

    fields = {"id": "{{ row.id }}", "images": ["image"], "base64": True, "references": ["x"]}
    rows = [
        {"id": "a", "image": base64.b64encode(picture()).decode()},
        {"id": "b", "image": "not base64"},
    ]
    write_rows(tmp_path / "data" / "colors.parquet", rows)
    good, bad = read_samples(hub_task(tmp_path, fields=fields, slices=[]))
    assert good.images[0].data == picture()
    with pytest.raises(DataError, match="is not base64"):
        bad.images[0].decode()


def test_the_fingerprint_is_that_of_the_files(tmp_path: Path) -> None:
    write_rows(tmp_path / "a" / "data" / "colors.parquet", color_rows(2))
    write_rows(tmp_path / "b" / "data" / "colors.parquet", color_rows(2))
    write_rows(tmp_path / "c" / "data" / "colors.parquet", color_rows(3))
    first, same, other = (data_fingerprint(hub_task(tmp_path / name)) for name in "abc")
    assert first == same != other


def test_without_local_rows_it_is_the_hub(tmp_path: Path) -> None:
    task = hub_task(tmp_path)
    assert (data_state(task), source_name(task)) == ("Hub", "Hub data set org/name (test)")
    plain = load_task(str(next(tmp_path.glob("*/colors.yaml"))))
    assert data_fingerprint(task) == data_fingerprint(plain)


def test_what_must_be_fetched_by_hand(tmp_path: Path) -> None:
    task = hub_task(tmp_path, data={"manual": "ask the library."})
    assert data_state(task) == "manual"
    with pytest.raises(DataError, match=r"fetched by hand: ask the library\. Then name"):
        ids(task)


def test_a_data_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no directory"):
        load_task("jgraphqa", data_dir=tmp_path / "gone")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    write_public(load_task("jgraphqa"), data)
    given = ["--data-dir", str(data)]
    assert main(["tasks", "check", "jgraphqa", *given]) == 0
    assert "3 samples, 3 images and 1 example of the data of task" in capsys.readouterr().out
    run = ["run", "--model", "baseline:oracle", "--tasks", "jgraphqa", "--out", str(out)]
    assert main([*run, *given, "--quiet", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["runs"]
    assert record["estimates"][0]["value"] == 1.0
    assert str(tmp_path) not in json.dumps(record)
    # The journal remembers where the rows were, so that scoring needs no option.
    assert main(["score", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == [record]
    write_public(load_task("cvqa-ja"), data)
    assert main(["tasks", "list", *given, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    states = {one["name"]: one["state"] for one in listed}
    assert (states["jgraphqa"], states["jmmmu"]) == ("local", "Hub")
    assert (states["ja-vqa"], states["stair-captions"]) == ("embedded", "manual")
    samples = {one["name"]: one["samples"] for one in listed}
    assert (samples["jgraphqa"], samples["jmmmu"]) == (3, 1320)  # rows that are there; published
    assert samples["cvqa-ja"] is None  # its rows are there, and only reading tells which it keeps


def test_subsets_and_lists_of_images_of_the_hub_layout(tmp_path: Path) -> None:
    """`datasets` reads a local folder with a card as it reads a data set of the Hub."""
    import datasets

    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "images": datasets.Sequence(datasets.Image()),
            "answer": datasets.Value("string"),
        }
    )
    folder = tmp_path / "set"
    folder.mkdir()
    card = "---\nconfigs:\n"
    for name in ("A", "B"):
        rows = [{"id": name, "images": [{"bytes": picture(), "path": None}] * 2, "answer": "赤"}]
        datasets.Dataset.from_list(rows, features=features).to_parquet(folder / f"{name}.parquet")
        card += f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}.parquet\n"
    (folder / "README.md").write_text(f"{card}---\n", encoding="utf-8")
    task = hub_task(
        tmp_path,
        data={"hub": str(folder), "split": "test", "subsets": ["B", "A"]},
        fields={"id": "{{ row.id }}", "images": ["images"], "references": ["{{ row.answer }}"]},
        slices=[],
    )
    samples = list(read_samples(task))
    assert [one.id for one in samples] == ["B", "A"]
    assert [image.data for image in samples[0].images] == [picture(), picture()]
    assert [one.images for one in read_samples(task, images=False)] == [(), ()]


def shards(folder: Path, *names: str) -> None:
    """Parquet files of a row each, whose id is the file's name up to the first dash."""
    for name in names:
        row = {**color_rows(1)[0], "id": Path(name).name.split("-")[0].removesuffix(".parquet")}
        write_rows(folder / name, [row])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"], ["test", "test"]),
        (["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"], ["test"]),
        (["train.parquet", "test.parquet"], ["test"]),
        (["train_00.parquet", "test_00.parquet"], ["test_00"]),
        (["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"], ["test"]),
        (["test-00000-of-00001-0123456789abcdef.parquet", "train-0.parquet"], ["test"]),
        (["test/0000.parquet", "train/0000.parquet"], ["0000"]),
        (["testmini-00000-of-00001.parquet", "test-00000-of-00001.parquet"], ["test"]),
        (["a.parquet", "b.parquet"], ["a", "b"]),
        (["a.parquet", "test-0.parquet"], ["test"]),
    ],
)
def test_files_of_the_split(files: list[str], expected: list[str], tmp_path: Path) -> None:
    shards(tmp_path / "data" / "colors", *files)
    task = hub_task(tmp_path)
    names = local_files(task)
    assert names is not None
    assert [path.stem.split("-")[0] for path in names[None]] == expected


def test_subsets_have_splits_of_their_own(tmp_path: Path) -> None:
    for name in ("A", "B"):
        shards(tmp_path / "data" / "colors" / name, "test-0.parquet", "dev-00000-of-00001.parquet")
    task = hub_task(tmp_path, data={**HUB, "subsets": ["A", "B"]})
    files = local_files(task)
    assert files is not None and [len(paths) for paths in files.values()] == [1, 1]


def test_a_configuration_may_have_a_folder(tmp_path: Path) -> None:
    shards(tmp_path / "data" / "colors", "ja/test-0.parquet", "en/test-0.parquet")
    files = local_files(hub_task(tmp_path, data={**HUB, "config": "ja"}))
    assert files is not None and [path.parent.name for path in files[None]] == ["ja"]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("train-00000-of-00001.parquet", "holds the split train, and the task reads test; add"),
        ("data/val-0.parquet", "holds the split val, and the task reads test"),
        ("README.md", r"colors holds no data of task 'colors' but README.md; put test-\*.parquet"),
    ],
)
def test_a_folder_that_is_not_read_is_named(file: str, sentence: str, tmp_path: Path) -> None:
    """And the Hub is not read in its place."""
    path = tmp_path / "data" / "colors" / file
    if path.suffix == ".md":
        path.parent.mkdir(parents=True)
        path.write_text("x")
    else:
        shards(path.parent, path.name)
    with pytest.raises(DataError, match=sentence):
        ids(hub_task(tmp_path))
    shutil.rmtree(tmp_path / "data" / "colors")
    assert local_files(hub_task(tmp_path)) is None


def test_data_of_another_size_than_published_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    write_public(load_task("mecha-ja"), data)
    said = "The data of mecha-ja has 3 samples where its card says 1,818 items"
    assert main(["tasks", "check", "mecha-ja", "--data-dir", str(data)]) == 0
    assert said in capsys.readouterr().out
    runs = str(tmp_path / "runs")
    run = ["run", "--tasks", "mecha-ja", "--data-dir", str(data), "--out", runs, "--quiet"]
    assert main([*run, "--model", "baseline:oracle,baseline:majority"]) == 0
    assert said in capsys.readouterr().out
    for command in (["compare", runs], ["compare", runs, "--published"]):
        assert main(command) == 0
        assert said in capsys.readouterr().out
    page = build_report([Path(runs)], tmp_path / "report").parent / "tasks"
    text = "".join(file.read_text() for file in page.parent.rglob("*.html"))
    assert "Not as published: samples in the data" in text
