"""What each update learns from: rows by number, of one kind, as often as the weights say."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy
import pytest
from made_rows import png, struct, write_jsonl, write_parquet

from vlmbench.errors import DataError
from vlmbench.train.data.formats import Source
from vlmbench.train.data.mixture import Mixture
from vlmbench.train.feed import RowFeed
from vlmbench.train.recipe_sections import DataSource
from vlmbench.train.sources import SourceRows, TrainingRows, content_key, open_sources


def kept_rows(sources: list[Source], *, memory: int | None = None) -> TrainingRows:
    """All rows of some sources, but for those whose id ends in 3."""
    mixture = Mixture(sources, seed=5, memory=memory)
    found: list[list[tuple[int, int, int]]] = [[] for _ in sources]
    for source, number, examples in mixture.read():
        if not examples[0].id.endswith("3"):
            shown = sum(int(image.digest, 16) for image in examples[0].images) % 2**64
            found[source].append((number, content_key(examples), shown))
    columns = [list(zip(*rows, strict=True)) for rows in found]
    return TrainingRows(
        mixture,
        [
            SourceRows(
                numpy.array(numbers), numpy.array(content, "u8"), numpy.array(pictures, "u8")
            )
            for numbers, content, pictures in columns
        ],
    )


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """30 rows of Parquet in row groups of 4, of which every third has no picture; 10 of text."""
    rows = [
        {
            "id": f"p{n}",
            "images": [struct(png("red", (n + 1, 9)))] if n % 3 else [],
            "texts": [{"user": "何色？", "assistant": f"赤{n}"}],
        }
        for n in range(30)
    ]
    texts = [{"id": f"t{n}", "prompt": f"{n}?", "completion": f"{n}"} for n in range(10)]
    return [
        Source(str(write_parquet(tmp_path / "a.parquet", rows, row_group_size=4)), "pictures"),
        Source(str(write_jsonl(tmp_path / "b.jsonl", texts)), "texts"),
    ]


def epoch(feed: RowFeed, first: int) -> list[list[str]]:
    """Ids by update."""
    steps = range(first, first + feed.steps_per_epoch)
    return [[group[0].id for group in feed.update(step)] for step in steps]


def test_rule_22_updates_are_of_one_kind_and_have_every_kept_row_once(
    sources: list[Source],
) -> None:
    rows = kept_rows(sources)
    feed = RowFeed(rows, 4)
    # Kept are 18 rows with pictures, and 9 + 9 without: 5 updates of each kind.
    assert feed.steps_per_epoch == 10
    for step in range(10):
        assert len({bool(group[0].images) for group in feed.update(step)}) == 1
    everything = {f"p{n}" for n in range(30)} | {f"t{n}" for n in range(10)}
    expected = sorted(name for name in everything if not name.endswith("3"))
    epochs = [epoch(feed, 0), epoch(feed, 10)]
    assert [sorted(chain.from_iterable(one)) for one in epochs] == [expected, expected]
    assert epochs[0] != epochs[1]
    assert sorted(one.id for one in rows) == expected
    assert [len(one) for one in epochs[0]].count(4) == 8  # the last of each kind has two


def test_rule_14_an_update_depends_on_its_number_alone(sources: list[Source]) -> None:
    one, other = RowFeed(kept_rows(sources), 4), RowFeed(kept_rows(sources), 4)
    assert [one.update(step) for step in range(25)] == [
        other.update(step) for step in reversed(range(25))
    ][::-1]


def test_packed_rows_show_the_same_pictures_and_come_once(tmp_path: Path) -> None:
    """Forty rows on three pictures and five without any, at most 16 in a group."""
    shown = [png(color) for color in ("red", "blue", "green")]
    rows = [
        {
            "id": f"r{n}x",
            "images": [struct(shown[n % 3])] if n < 40 else [],
            "texts": [{"user": "何色？", "assistant": f"赤{n}"}],
        }
        for n in range(45)
    ]
    path = write_parquet(tmp_path / "a.parquet", rows, row_group_size=7)
    feed = RowFeed(kept_rows([Source(str(path))]), 2, packing=True)
    groups = [group for step in range(feed.steps_per_epoch) for group in feed.update(step)]
    assert sorted(one.id for group in groups for one in group) == sorted(
        f"r{n}x" for n in range(45)
    )
    assert all(len({image.digest for one in group for image in one.images}) < 2 for group in groups)
    # The pictures have 14, 13 and 13 rows; rows without one stand alone.
    assert sorted(map(len, groups)) == [1, 1, 1, 1, 1, 13, 13, 14]
    many = [{**row, "id": f"{row['id']}{copy}x"} for row in rows[:1] for copy in range(40)]
    path = write_parquet(tmp_path / "b.parquet", many)
    packed = RowFeed(kept_rows([Source(str(path))]), 8, packing=True).update(0)
    assert [len(group) for group in packed] == [16, 16, 8]


def test_weights_say_how_often_a_row_comes(sources: list[Source]) -> None:
    pictures, texts = sources
    rows = kept_rows(
        [Source(pictures.path, "pictures", weight=0.5), Source(texts.path, "texts", weight=2)]
    )
    feed = RowFeed(rows, 2)
    first = epoch(feed, 0)
    counts = Counter(name for update in first for name in update)
    assert {count for name, count in counts.items() if name.startswith("t")} == {2}
    half = [name for name in counts if name.startswith("p")]
    assert len(half) == 14  # of 27, rounded to the even number
    assert [len(rows), len(rows.mixture)] == [36, 32]


def test_a_picture_is_shown_with_another_caption_in_each_epoch(tmp_path: Path) -> None:
    captions = [{"id": "1", "image": struct(png()), "captions": ["a", "b", "c"]}]
    rows = kept_rows([Source(str(write_parquet(tmp_path / "x.parquet", captions)))])
    feed = RowFeed(rows, 4)
    assert [feed.update(step)[0][0].answers for step in range(4)] == [
        ("a",),
        ("b",),
        ("c",),
        ("a",),
    ]


def test_rows_of_an_update_are_near_each_other(sources: list[Source]) -> None:
    """With room for two row groups, an epoch reads no row group more than twice."""
    block = kept_rows(sources[:1]).mixture.sources[0].block_bytes(0)
    rows = kept_rows(sources[:1], memory=2 * block)
    reads = Counter[int]()
    source = rows.mixture.sources[0]
    file = source.files[0]
    read = file.block

    def counted(number: int, columns: object) -> object:
        reads[number] += 1
        return read(number, columns)  # type: ignore[arg-type]

    file.block = counted  # type: ignore[method-assign, assignment]
    source._held.clear()
    epoch(RowFeed(rows, 3), 0)
    assert set(reads) == set(range(8))
    assert max(reads.values()) <= 2


def test_configurations_of_one_data_set_have_names_of_their_own(tmp_path: Path) -> None:
    entries = [
        DataSource(path="org/set", config="docvqa"),
        DataSource(path="org/set", config="chartqa", split="test"),
        DataSource(path="org/set", name="rest", image_dir="coco"),
    ]
    found = open_sources(entries, tmp_path)
    assert [one.name for one in found] == ["org/set:docvqa", "org/set:chartqa:test", "rest"]
    assert found[2].image_dir == tmp_path / "coco"


def test_a_row_that_changes_behind_the_check_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png("red"))
    texts = [{"from": "human", "value": "<image>何色？"}, {"from": "gpt", "value": "赤"}]
    path = write_jsonl(
        tmp_path / "x.jsonl", [{"id": "7", "image": "a.png", "conversations": texts}]
    )
    rows = kept_rows([Source(str(path), "made")])
    assert rows[0].id == "7"
    (tmp_path / "a.png").write_bytes(png("blue"))
    with pytest.raises(DataError, match=r"Row '7' of made is another than before the first step"):
        RowFeed(rows, 1).update(0)
    with path.open("a") as handle:
        handle.write("\n")
    with pytest.raises(DataError, match=r"The data file x\.jsonl was changed since"):
        RowFeed(rows, 1).update(0)
    path.unlink()
    with pytest.raises(DataError, match=r"The data file x\.jsonl cannot be read"):
        RowFeed(rows, 1).update(0)
