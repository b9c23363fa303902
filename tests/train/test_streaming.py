"""Training on rows that are read as they come: resumed to the bit, in little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_colors import SCHEMA, color_rows, data_recipe
from made_hub import environment as hub_environment
from made_hub import hub
from made_rows import png, write_jsonl

from vlmbench.errors import DataError
from vlmbench.train.run import train_by_recipe

INTERRUPTED = """
import sys
from pathlib import Path
from vlmbench.train.loop import Loop
from vlmbench.train.run import train_by_recipe

update = Loop._update

def killed(self, step, *rest):
    if step == 5:
        raise KeyboardInterrupt
    return update(self, step, *rest)

recipe, out = map(Path, sys.argv[1:])
Loop._update = killed
try:
    train_by_recipe(recipe, out=out, quiet=True)
except KeyboardInterrupt:
    assert (out / "checkpoint-4" / "state.pt").exists()
Loop._update = update
train_by_recipe(recipe, out=out, resume=True, quiet=True)
"""


def write_mixture(folder: Path) -> Path:
    """24 rows with pictures in row groups of 5, in a folder of its own; 9 with picture files."""
    (folder / "set").mkdir(parents=True)
    (folder / "coco").mkdir()
    table = pa.Table.from_pylist(color_rows(24), schema=SCHEMA)
    pq.write_table(table, folder / "set" / "train-00000-of-00001.parquet", row_group_size=5)
    rows = []
    for number in range(9):
        (folder / "coco" / f"{number}.png").write_bytes(png("red", (40 + number, 40)))
        turns = [("human", "<image>\n何色？"), ("gpt", "赤")]
        conversation = [{"from": role, "value": value} for role, value in turns]
        rows.append({"image": f"{number}.png", "conversations": conversation})
    write_jsonl(folder / "llava.jsonl", rows)
    return folder


def mixture_recipe(folder: Path, seedling: Path, first: dict[str, Any], **changes: Any) -> Path:
    llava = {"path": "llava.jsonl", "image_dir": "coco", "weight": 2, "limit": 5}
    return data_recipe(
        folder,
        seedling,
        data=[{"name": "pictures", "weight": 0.5, **first}, llava],
        max_steps=8,
        save_steps=4,
        validation={"rows": 3},
        **changes,
    )


def same_files(one: Path, other: Path, name: str) -> bool:
    return (one / name).read_bytes() == (other / name).read_bytes()


def losses(out: Path) -> list[float]:
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [row["train/loss"] for row in rows if "train/loss" in row]


@pytest.fixture(scope="module")
def whole(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training on local files that nothing interrupted."""
    folder = write_mixture(tmp_path_factory.mktemp("whole") / "data")
    path = mixture_recipe(folder, seedling, {"path": "set"})
    return train_by_recipe(path, out=folder / "out", quiet=True)


def test_rule_14_a_streamed_mixture_resumes_to_the_bit(
    whole: Path, seedling: Path, tmp_path: Path
) -> None:
    """Half of it from a Hub, read row group by row group and never kept as a file."""
    folder = write_mixture(tmp_path / "data")
    path = mixture_recipe(folder, seedling, {"path": "org/name", "streaming": True})
    with hub(folder / "set") as (endpoint, ranges):
        environment = hub_environment(endpoint, tmp_path / "home")
        command = [sys.executable, "-c", INTERRUPTED, str(path), str(folder / "out")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert ranges
    assert not list((tmp_path / "home").rglob("*.parquet"))
    assert same_files(whole, folder / "out", "adapter_model.safetensors")
    assert losses(whole) == losses(folder / "out")
    facts = json.loads((whole / "checkpoint.json").read_text())["data"]
    assert facts["training_rows"] == 24 + 5 - 3


def test_a_file_that_breaks_stops_the_training_and_keeps_its_checkpoint(
    seedling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vlmbench.train import training

    folder = write_mixture(tmp_path / "data")
    path, out = mixture_recipe(folder, seedling, {"path": "set"}), folder / "out"
    write = training.write_state

    def breaking(*arguments: Any) -> None:
        write(*arguments)
        (folder / "llava.jsonl").write_text("{}\n")

    monkeypatch.setattr(training, "write_state", breaking)
    with pytest.raises(DataError, match=r"The data file llava\.jsonl was changed since"):
        train_by_recipe(path, out=out, quiet=True)
    assert (out / "checkpoint-4" / "checkpoint.json").exists()
    rows = [{"prompt": f"{number}?", "completion": "赤"} for number in range(9)]
    write_jsonl(folder / "llava.jsonl", rows)
    with pytest.raises(DataError, match=r"The rows are others than those that .+checkpoint-4 was"):
        train_by_recipe(path, out=out, resume=True, quiet=True)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([{"path": "set", "weight": 0.01}], "The mixture has no row"),
        ([{"path": "set"}, {"path": "set"}], "Two sources are called 'set'"),
        ([{"path": "set", "format": "lava"}], "Unknown format 'lava'"),
        ([{"path": "task:jmmmu"}], "so data set 'JMMMU/JMMMU' cannot be loaded; download it"),
    ],
)
def test_a_mixture_that_cannot_be_trained_on(
    data: list[dict[str, Any]], sentence: str, seedling: Path, tmp_path: Path
) -> None:
    from vlmbench.errors import VlmbenchError

    folder = write_mixture(tmp_path / "data")
    path = data_recipe(folder, seedling, data=data)
    with pytest.raises(VlmbenchError) as caught:
        train_by_recipe(path, out=tmp_path / "out", quiet=True)
    assert sentence in str(caught.value)


MEASURED = """
import resource, sys
from pathlib import Path
from vlmbench.train.data import mixture
from vlmbench.train.prepare import prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe

def most(): return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

mixture.MEMORY = 32 << 20
for folder in map(Path, sys.argv[1:]):
    path = folder / "recipe.yaml"
    ready = prepare(parse_recipe(read_recipe(path), path).stages[0], folder)
    steps = len(list(ready.loop.run()))
    print(len(ready.rows.training), steps, most())
"""


def test_rule_21_memory_does_not_grow_with_the_data(seedling: Path, tmp_path: Path) -> None:
    """300 MB of pictures in row groups of 4 MB, with room for 32 MiB of rows, beside 3 MB."""
    schema = pa.schema([("image", pa.binary()), ("caption", pa.string())])
    for name, groups in (("small", 1), ("large", 75)):
        folder = tmp_path / name
        folder.mkdir()
        with pq.ParquetWriter(folder / "rows.parquet", schema, compression="none") as writer:
            for _ in range(groups):  # what stands behind the end of a PNG makes it large
                images = [png() + os.urandom(1_000_000) for _ in range(4)]
                columns = {"image": images, "caption": ["赤"] * 4}
                writer.write_table(pa.table(columns, schema=schema))
        data_recipe(folder, seedling, max_steps=4)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "small"), str(tmp_path / "large")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    small, large = (list(map(int, line.split())) for line in done.stdout.splitlines())
    assert (small[:2], large[:2]) == ([4, 4], [300, 4])
    assert large[2] - small[2] < 200 << 20
