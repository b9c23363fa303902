"""Rows of the Hub kept as local files; `datasets` reads a local folder as it reads the Hub."""

from __future__ import annotations

from pathlib import Path

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


def test_what_the_hub_does_not_hold(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The Hub does not hold the rows of stair-captions"):
        download(load_task("stair-captions"), tmp_path)
    lost = {"hub": str(tmp_path / "lost"), "split": "test"}
    path = write_task(tmp_path, None, data=lost, fields=FIELDS, slices=[])
    with pytest.raises(DataError, match="data set"):
        download(load_task(str(path)), tmp_path)
    assert not list(tmp_path.rglob("*.parquet"))
