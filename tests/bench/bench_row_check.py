"""How fast every row is checked before step 0: `python tests/bench/bench_row_check.py`.

Rows of The Cauldron's layout, each with a JPEG of its own, for the model tiny-ja. CPU time, so that
it means something on a shared machine.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

from vlmbench.tasks.registry import load_task
from vlmbench.train.data.evaluation_index import EvaluationIndex
from vlmbench.train.data.formats import Source
from vlmbench.train.data.mixture import Mixture
from vlmbench.train.prepare import open_encoder
from vlmbench.train.recipe import Recipe
from vlmbench.train.recipe_sections import DataSource
from vlmbench.train.row_check import check_rows

ROWS = 600


def jpeg(generator: np.random.Generator, size: tuple[int, int]) -> bytes:
    """A picture of soft spots, as large as a photograph's file."""
    width, height = size
    noise = generator.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    encoded = io.BytesIO()
    PIL.Image.fromarray(noise).resize(size, PIL.Image.Resampling.BICUBIC).save(encoded, "jpeg")
    return encoded.getvalue()


def write(path: Path, size: tuple[int, int]) -> None:
    """Rows in row groups of about 8 MB."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "images": [{"bytes": jpeg(generator, size), "path": None}],
            "texts": [{"user": f"{n}番の色は？", "assistant": "赤い丸と青い四角があります。"}],
        }
        for n in range(ROWS)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=200)


def measure(size: tuple[int, int], tasks: list[str]) -> float:
    """Rows a second of one core."""
    recipe = Recipe(name="bench", model="tiny-ja", data=(DataSource(path="x"),), max_steps=1)
    encoder = open_encoder(recipe)
    index = EvaluationIndex.of_tasks([load_task(name) for name in tasks])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, size)
        mixture = Mixture([Source(str(path))], seed=0)
        began = time.process_time()
        check_rows(recipe, mixture, encoder, index, longest=4096, quiet=True)
        return ROWS / (time.process_time() - began)


def main() -> None:
    """Print a line for each size of picture, without and with the guard."""
    for size in ((640, 480), (1600, 1200)):
        for tasks in ([], ["ja-vqa", "ja-chart"]):
            rate = measure(size, tasks)
            name = f"{size[0]}x{size[1]}, compared with {', '.join(tasks) or 'no task'}"
            print(f"{name}: {rate:.0f} rows a second, {1e6 / rate / 3600:.1f} hours a million")


if __name__ == "__main__":
    main()
