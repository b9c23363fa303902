"""Rows of the Hub kept as local files; `datasets` reads a local folder as it reads the Hub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import made_hub
import pyarrow
import pyarrow.parquet
import pytest
from made_tasks import picture, write_task

from vlmbench.cli.main import main
from vlmbench.errors import DataError, UsageError
from vlmbench.records import Sample
from vlmbench.tasks.prepare.convert import download
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples

FIELDS = {"id": "{{ row.id }}", "images": ["image_1", "image_2"], "references": ["{{ row.a }}"]}


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """Two configurations of three rows, with a column of images that the first rows lack."""
    import datasets

    kinds = {"id": "string", "a": "string", "unread": "string"}
    features = datasets.Features(
        {name: datasets.Value(kind) for name, kind in kinds.items()}
        | {name: datasets.Image() for name in ("image_1", "image_2", "other")}
    )
    folder = tmp_path / "hub"
    folder.mkdir()
    card = "---\nconfigs:\n"
    for name in ("A", "B"):
        image = {"bytes": picture(), "path": None}
        rows = [
            {"id": f"{name}{n}", "a": "赤", "unread": None, "other": image, "image_1": image}
            | {"image_2": image if n == 2 else None}
            for n in range(3)
        ]
        datasets.Dataset.from_list(rows, features=features).to_parquet(folder / f"{name}.parquet")
        card += f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}.parquet\n"
    (folder / "README.md").write_text(f"{card}---\n", encoding="utf-8")
    return folder


def shown(samples: list[Sample]) -> list[tuple[str, list[bytes], tuple[str, ...]]]:
    return [(one.id, [image.data for image in one.images], one.references) for one in samples]


@pytest.mark.parametrize(
    ("data", "files"),
    [({"config": "A"}, ["colors.parquet"]), ({"subsets": ["B", "A"]}, ["A.parquet", "B.parquet"])],
)
def test_the_same_samples_come_from_the_files(
    hub: Path, tmp_path: Path, data: dict[str, object], files: list[str]
) -> None:
    source = {"hub": str(hub), "split": "test", **data}
    path = str(write_task(tmp_path, None, data=source, fields=FIELDS, slices=[]))
    streamed = list(read_samples(load_task(path)))
    kept = tmp_path / "kept"
    kept.mkdir()
    command = ["tasks", "prepare", path, "--data-dir", str(kept), "--download"]
    assert main(command) == 0
    assert sorted(file.name for file in kept.rglob("*.parquet")) == files
    local = list(read_samples(load_task(path, data_dir=kept)))
    assert shown(local) == shown(streamed)
    assert [len(one.images) for one in local].count(2) == len(files)
    # A file that is there stays; one that was lost is fetched again.
    first, *_ = sorted(kept.rglob("*.parquet"))
    first.unlink()
    assert download(load_task(path), kept).rows == 3
    assert download(load_task(path), kept).rows == 0


def test_training_data_are_the_same_rows(tmp_path: Path) -> None:
    """`tasks prepare --download` and `data convert` ask the Hub for the same bytes."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [
        {"id": f"q{n}", "image": {"bytes": picture(), "path": None}, "caption": f"{n}番の絵"}
        for n in range(5)
    ]
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, folder / "test-00000-of-00001.parquet", row_group_size=2)
    fields = {"id": "{{ row.id }}", "images": ["image"], "references": ["{{ row.caption }}"]}
    source = {"hub": "org/name", "split": "test"}
    task = str(write_task(tmp_path, None, data=source, fields=fields, slices=[]))
    asked = {}
    with made_hub.hub(folder) as (endpoint, ranges):
        environment = made_hub.environment(endpoint, tmp_path / "home")
        for arguments in (
            ["tasks", "prepare", task, "--data-dir", "kept", "--download"],
            ["data", "convert", "org/name", "--split", "test", "-o", "shards"],
        ):
            command = [sys.executable, "-m", "vlmbench", *arguments]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            asked[arguments[1]] = {*ranges}
            ranges.clear()
    # Row group by row group, and nothing that the other does not ask for.
    assert asked["prepare"] == asked["convert"] != set()
    kept = pyarrow.parquet.read_table(tmp_path / "kept" / "colors.parquet").to_pylist()
    assert kept == rows
    (shard,) = (tmp_path / "shards").glob("*.parquet")
    shards = pyarrow.parquet.read_table(shard).to_pylist()
    assert [row["images"] for row in shards] == [[row["image"]] for row in rows]
    answers = [row["messages"][-1]["content"][0]["text"] for row in shards]
    assert answers == [row["caption"] for row in rows]


def test_files_of_another_kind_are_streamed(tmp_path: Path) -> None:
    """A task reads whatever `datasets` reads, such as CSV."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "test.csv").write_text("id,a,unread\nq1,赤,x\nq2,青,y\n", encoding="utf-8")
    source = {"hub": str(folder), "split": "test"}
    fields = {"id": "{{ row.id }}", "references": ["{{ row.a }}"]}
    path = str(write_task(tmp_path, None, data=source, fields=fields, slices=[], prompt="何色？"))
    found = [(one.id, one.references) for one in read_samples(load_task(path))]
    assert found == [("q1", ("赤",)), ("q2", ("青",))]
    other = {"hub": str(folder), "split": "dev"}
    path = str(write_task(tmp_path, None, data=other, fields=fields, slices=[], prompt="何色？"))
    with pytest.raises(DataError, match="has no split 'dev'; there are: test"):
        list(read_samples(load_task(path)))


def test_what_the_hub_does_not_hold(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The Hub does not hold the rows of stair-captions"):
        download(load_task("stair-captions"), tmp_path)
    lost = {"hub": str(tmp_path / "lost"), "split": "test"}
    path = write_task(tmp_path, None, data=lost, fields=FIELDS, slices=[])
    with pytest.raises(DataError, match="data set"):
        download(load_task(str(path)), tmp_path)
    assert not list(tmp_path.rglob("*.parquet"))
