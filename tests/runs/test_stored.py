"""Lines are found again by their ids."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from vlmbench.runs.stored_lines import store_texts, stored_texts

COUNT = 5000


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
