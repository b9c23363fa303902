"""Lines are found again by their ids, with few bytes an id."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from vlmbench import stored
from vlmbench.stored import HashIndex, IdSet, store_texts, stored_texts

COUNT = 5000


@pytest.mark.parametrize("all_alike", [False, True])
def test_an_index_holds_a_number_for_each_text(
    all_alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = COUNT
    if all_alike:  # what happens where hashes are equal
        monkeypatch.setattr(stored, "_hash", lambda text: 7)
        count = 300
    texts = [f"q{n}" for n in range(count)]
    index = HashIndex()
    for number, text in enumerate(texts):
        assert index.put(text, number, lambda other, text=text: texts[other] == text)  # type: ignore[misc]
    assert len(index) == count
    assert sorted(index.numbers()) == list(range(count))
    for number, text in enumerate(texts):
        assert index.find(text, lambda other, text=text: texts[other] == text) == number  # type: ignore[misc]
    assert index.find("other", lambda number: texts[number] == "other") is None


def test_an_id_takes_few_bytes() -> None:
    tracemalloc.start()
    ids = IdSet()
    before, _ = tracemalloc.get_traced_memory()
    assert all(ids.add(f"sample number {n}") for n in range(50_000))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / 50_000 < 48
    assert not ids.add("sample number 7")
    assert len(ids) == 50_000


def test_texts_are_a_mapping(tmp_path: Path) -> None:
    texts: dict[str, Any] = {f"q{n}": f"答え{n}\u2028\n" * (n % 60) for n in range(COUNT)}
    texts["\ud800"] = "\udc00"  # what JSON can hold and UTF-8 cannot
    found = store_texts(texts.items())
    assert found == texts
    assert len(found) == len(texts)
    assert list(found) == list(texts)
    assert found.get("other") is None
    assert "other" not in found
    assert "q7" in found
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is dict
    assert again == texts


def test_the_last_line_of_an_id_counts(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"id": 1, "text": "a"}\n{"id": "2", "text": "b"}\n\n{"id": 1, "text": "c"}')
    assert dict(stored_texts(path)) == {"2": "b", "1": "c"}
