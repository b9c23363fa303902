"""The order of a mixture: a function of seed, epoch and position, within bounded memory."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from made_rows import png, struct, write_jsonl, write_parquet

from vlmbench.errors import DataError, UsageError
from vlmbench.train.data.formats import Source
from vlmbench.train.data.mixture import Mixture


def order(mixture: Mixture, epoch: int) -> list[str]:
    return [mixture.example_at(epoch, position).id for position in range(len(mixture))]


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """40 rows of Parquet in row groups of 6, and 15 of JSON Lines."""
    captions = [{"id": f"p{n}", "image": struct(png()), "caption": f"赤{n}"} for n in range(40)]
    texts = [{"id": f"t{n}", "prompt": f"{n}?", "completion": f"{n}"} for n in range(15)]
    parquet = write_parquet(tmp_path / "a.parquet", captions, row_group_size=6)
    lines = write_jsonl(tmp_path / "b.jsonl", texts)
    return [Source(str(parquet), "pictures"), Source(str(lines), "texts")]


def test_each_row_once_an_epoch_in_an_order_of_its_own(sources: list[Source]) -> None:
    mixture = Mixture(sources, seed=3)
    everything = [one.id for *_, row in mixture.read() for one in row]
    assert everything == [f"p{n}" for n in range(40)] + [f"t{n}" for n in range(15)]
    epochs = [order(mixture, epoch) for epoch in range(3)]
    assert all(sorted(one) == sorted(everything) for one in epochs)
    assert len({tuple(one) for one in (everything, *epochs)}) == 4
    # Sources are mixed: the first texts do not wait for the last pictures.
    assert {name[0] for name in epochs[0][:20]} == {"p", "t"}


def test_any_position_can_be_had_alone(sources: list[Source]) -> None:
    """What a resumed training sees: the same examples, bit for bit, and in other processes."""
    unbroken = Mixture(sources, seed=3)
    seen = [unbroken.example_at(e, p) for e in range(2) for p in range(len(unbroken))]
    for epoch, position in ((1, 17), (0, 54), (1, 0), (0, 3)):
        resumed = pickle.loads(pickle.dumps(Mixture(sources, seed=3)))
        found = resumed.example_at(epoch, position)
        assert found == seen[epoch * len(unbroken) + position]
    assert order(Mixture(sources, seed=4), 0) != order(unbroken, 0)
    with pytest.raises(IndexError):
        unbroken.example_at(0, len(unbroken))


def test_the_order_is_the_same_in_another_process(sources: list[Source]) -> None:
    program = (
        "import sys; from vlmbench.train.data.mixture import *\n"
        "m = Mixture([Source(path) for path in sys.argv[1:]], seed=3)\n"
        "print([m.example_at(1, p).id for p in range(len(m))])"
    )
    paths = [source.path for source in sources]
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == str(order(Mixture(sources, seed=3), 1)), done.stderr


def test_weights_and_limits(sources: list[Source]) -> None:
    pictures, texts = sources
    half = Source(pictures.path, "pictures", weight=0.5)
    twice = Source(texts.path, "texts", weight=2, limit=5)
    mixture = Mixture([half, twice], seed=1)
    assert mixture.examples_per_epoch == {"pictures": 20, "texts": 10}
    first, second = (Counter(order(mixture, epoch)) for epoch in (0, 1))
    seen = [name for name in first + second if name.startswith("p")]
    assert len(seen) == 40  # the second epoch goes on where the first stopped
    limited = {name for name in first if name.startswith("t")}
    assert limited == {name for name in second if name.startswith("t")}
    assert len(limited) == 5 and all(first[name] == 2 for name in limited)
    assert {one.id for _, _, (one,) in mixture.read() if one.source == "texts"} == limited


def test_captions_take_turns(tmp_path: Path) -> None:
    rows = [{"image": struct(png()), "captions": ["a", "b"]}]
    mixture = Mixture([Source(str(write_parquet(tmp_path / "x.parquet", rows)))], seed=0)
    assert [mixture.example_at(epoch, 0).answers[0] for epoch in range(4)] == ["a", "b", "a", "b"]


def test_row_groups_are_read_about_once(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two row groups, though rows of different ones follow each other."""
    from vlmbench.tasks.row_files import ParquetRows

    reads: list[int] = []
    real = ParquetRows.block

    def counted(self: ParquetRows, number: int, columns: object) -> object:
        reads.append(number)
        return real(self, number, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(ParquetRows, "block", counted)
    mixture = Mixture(sources[:1], seed=2)
    size = max(block.bytes for block in mixture.sources[0].files[0].blocks)
    mixture = Mixture(sources[:1], seed=2, memory=2 * size)
    names = order(mixture, 0)
    assert sorted(reads) == list(range(7))
    groups = [int(name[1:]) // 6 for name in names]
    changes = sum(a != b for a, b in itertools.pairwise(groups))
    assert changes > 14  # not one row group after the other


def test_what_cannot_be_mixed(sources: list[Source], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Two sources are called 'texts'"):
        Mixture([sources[1], sources[1]], seed=0)
    with pytest.raises(UsageError, match="weight or limit that is not above 0"):
        Mixture([Source(sources[0].path, weight=0)], seed=0)
    with pytest.raises(DataError, match="The mixture has no row"):
        Mixture([], seed=0)
    with pytest.raises(DataError, match="The mixture has no row"):
        Mixture([Source(sources[1].path, weight=0.01)], seed=0)
    empty = write_parquet(tmp_path / "e.parquet", [{"image": b"", "caption": ""}], row_group_size=1)
    with pytest.raises(DataError, match="no image in 'image' of row 0"):
        Mixture([Source(str(empty))], seed=0).example_at(0, 0)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 rows with 600 MB of images, which differ behind their ends."""
    import pyarrow
    import pyarrow.parquet

    path = tmp_path_factory.mktemp("large") / "x.parquet"
    schema = pyarrow.schema([("image", pyarrow.binary()), ("caption", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="none") as writer:
        for group in range(200):
            images = [png() + os.urandom(30_000) for _ in range(100)]
            captions = [f"{group}-{number}" for number in range(100)]
            columns = {"image": images, "caption": captions}
            writer.write_table(pyarrow.table(columns, schema=schema))
    return path


def measure(program: str, *arguments: Path) -> tuple[int, int]:
    """What a program counts, and the most bytes that it takes beyond its imports."""
    whole = (
        "import sys, resource, datasets, pyarrow.parquet\n"
        "from pathlib import Path\n"
        "from vlmbench.train.data.convert import convert\n"
        "from vlmbench.train.data.formats import Source, read_examples\n"
        "from vlmbench.train.data.mixture import Mixture\n"
        "def most(): return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"before = most()\n{program}\nprint(count, most() - before)"
    )
    command = [sys.executable, "-c", whole, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, most = map(int, done.stdout.split())
    return count, most


def test_memory_for_20_000_rows(large: Path) -> None:
    """A mixture holds little more than the memory that it was given, here 32 MiB."""
    program = (
        "mixture = Mixture([Source(sys.argv[1])], seed=0, memory=32 << 20)\n"
        "count = len({mixture.example_at(0, place).id for place in range(len(mixture))})"
    )
    count, most = measure(program, large)
    assert count == 20_000
    assert most < 128 << 20


def test_memory_of_a_conversion(large: Path, tmp_path: Path) -> None:
    program = "count = convert(read_examples(sys.argv[1], limit=8000), Path(sys.argv[2])).rows"
    count, most = measure(program, large, tmp_path / "out")
    assert count == 8_000  # 240 MB of images
    assert most < 160 << 20
