"""Builds everything under tasks/data: `python tasks/data/build/build_suite.py SOURCES`.

SOURCES is a folder that tasks/data/fetch_sources.sh filled with the pinned packages. Same
packages, same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import basic_items
import photos
import real_charts
from attribution import attribution
from build_sprites import build_sprites
from build_statistics import build_statistics

from vlmbench.tasks.registry import tasks_root
from vlmbench.train.synthetic import basic_charts
from vlmbench.train.synthetic.items import SuiteItem
from vlmbench.train.synthetic.sprites import load_sprites

DICTIONARY_BYTES = 64 * 2**20
"""Room for every picture of a file once, however many questions show it."""


def build(sources: Path) -> None:
    """Writes sprites, statistics, the four Parquet files and the attribution file."""
    data = tasks_root() / "data"
    build_statistics(data / "content" / "statistics.json")
    basic_charts.statistics.cache_clear()
    build_sprites(sources, basic_charts.words(), data / "sprites.parquet")
    load_sprites.cache_clear()
    for name, items in suite_items(sources).items():
        write_items(items, data / f"{name}.parquet")
        print(f"{name}: {len(items)} items")
    (data / "ATTRIBUTION.md").write_text(attribution(), encoding="utf-8")


def suite_items(sources: Path) -> dict[str, list[SuiteItem]]:
    """All items, by task."""
    return {
        "ja-caption": [*basic_items.caption_items(), *photos.caption_items(sources)],
        "ja-vqa": [*basic_items.vqa_items(), *photos.vqa_items(sources)],
        "ja-chart": [*basic_items.chart_items(), *real_charts.chart_items()],
        "ja-multi-image": [
            *basic_items.multi_image_items(),
            *photos.comparison_items(sources),
            *real_charts.comparison_items(),
        ],
    }


def write_items(items: Sequence[SuiteItem], target: Path) -> None:
    """Writes items as Parquet, pictures in the struct layout of `datasets.Image`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("images", pa.list_(picture)),
            ("question", pa.string()),
            ("references", pa.list_(pa.string())),
            ("level", pa.string()),
            ("kind", pa.string()),
            ("style", pa.string()),
            ("answer", pa.string()),
            ("source", pa.string()),
        ]
    )
    rows = [
        {
            "id": item.id,
            "images": [{"bytes": data, "path": None} for data in item.images],
            "question": item.question,
            "references": list(item.references),
            "level": item.level,
            "kind": item.kind,
            "style": item.style,
            "answer": item.answer,
            "source": item.source,
        }
        for item in items
    ]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=schema),
        target,
        compression="zstd",
        dictionary_pagesize_limit=DICTIONARY_BYTES,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tasks/data/build/build_suite.py SOURCES")
    build(Path(sys.argv[1]))
