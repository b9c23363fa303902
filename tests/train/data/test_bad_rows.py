"""What is wrong with a row or a file is one sentence, with the row's number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_rows import (
    RED,
    message,
    text,
    write_jsonl,
    write_parquet,
)

from vlmbench.errors import DataError, UsageError
from vlmbench.train.data.formats import ExampleSource, Source, read_examples


def llava(value: str, **more: object) -> dict[str, Any]:
    turns = [{"from": "human", "value": value}, {"from": "gpt", "value": "赤"}]
    return {"conversations": turns, **more}


def asked(*parts: object, answer: str = "赤", **more: object) -> dict[str, Any]:
    return {"messages": [message("user", list(parts)), message("assistant", answer)], **more}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (llava("<image>色は？"), "row 1 of x.jsonl has 0 images and 1 places for them"),
        (llava("色は？", image="b.png"), "has 1 images and 0 places"),
        (llava("<image><image>", image="b.png"), "has 1 images and 2 places"),
        (llava("<image>", image="lost.png"), "file lost.png .No such file.* cannot be read"),
        (llava("<image>", image="../x.png"), "leads out of the folder"),
        (llava("<image>", image="/etc/passwd"), "leads out of the folder"),
        (llava("<image>", image="https://a.b/c.png"), "an address, https://a.b/c.png; fetch it"),
        (llava("<image>", image="FILE:///etc/passwd"), "is an address"),
        (llava("<image>", image="data:image/png;base64,!"), "data URL .* cannot be read"),
        (llava("<image>", image=7), "no image in 'image' of row 1 of x.jsonl"),
        (llava("<|image_pad|>"), r"row 1 of x.jsonl holds '<\|image_pad\|>'"),
        (llava("<video>"), "holds '<video>'"),
        ({"conversations": [{"from": "bot", "value": "a"}]}, "a turn in .* is by 'bot'"),
        ({"conversations": [{"role": "user", "value": "a"}]}, "no text under 'from' in row 1"),
        ({"conversations": "a"}, "'conversations' in row 1 of x.jsonl is no list of objects"),
        ({"id": "7"}, "no column 'conversations' in row 1 of x.jsonl"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "nothing to learn in row 1"),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": " "}]},
            "nothing to learn",
        ),
        (
            {
                "image": "b.png",
                "conversations": [
                    {"from": "human", "value": "a"},
                    {"from": "gpt", "value": "<image>"},
                ],
            },
            "an image in an answer",
        ),
        (asked({"type": "image"}, images=[]), "has 0 images and 1 places"),
        (asked({"type": "image", "index": 3}, images=["b.png"]), "has 1 images and 1 places"),
        (asked({"type": "image", "index": "a"}, images=["b.png"]), "index in row 1 .* no number"),
        (llava("\ud800"), "half a character"),
        (llava("a", image={"path": {"path": {"path": "b.png"}}}), "There is no image in"),
        (asked({"type": "image"}, images=["b.png", "b.png"]), "has 2 images and 1 places"),
        (asked({"type": "audio"}), "a part of the type 'audio'"),
        (asked({"type": "image_url", "image_url": {"url": "http://a/b"}}), "is an address"),
        ({"messages": [message("tool", "x")]}, "is by 'tool'"),
        ({"messages": [message("assistant", "x")], "images": ["b.png"]}, "no user's turn"),
        ({"messages": [message("user", 7)]}, "has no content"),
    ],
)
def test_what_is_wrong_with_a_row(images: Path, row: dict[str, Any], sentence: str) -> None:
    first = asked(text("a")) if "messages" in row else llava("a")
    path = str(write_jsonl(images / "x.jsonl", [first, row]))
    reader = read_examples(path)
    next(reader)
    with pytest.raises(DataError, match=f"(?i){sentence}"):
        next(reader)
    left_out: list[DataError] = []
    assert len(list(read_examples(path, on_error=left_out.append))) == len(left_out) == 1


def test_a_deep_row(tmp_path: Path) -> None:
    deep = json.loads("[" * 900 + "]" * 900)
    path = str(write_jsonl(tmp_path / "x.jsonl", [{"image": deep, "caption": "a", "id": deep}]))
    with pytest.raises(DataError, match="There is no image in 'image' of row 0"):
        list(read_examples(path))


def test_unknown_columns(tmp_path: Path) -> None:
    path = str(write_parquet(tmp_path / "x.parquet", [{"picture": RED, "answer": "赤"}]))
    with pytest.raises(DataError, match=r"x.parquet has the columns picture, answer, which.*llava"):
        list(read_examples(path))
    with pytest.raises(UsageError, match=r"Unknown format 'lava'. Did you mean 'llava'"):
        list(read_examples(path, format="lava"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[{"a": 1}, {"a": }]', "x.json is not valid JSON, behind its row 0"),
        ('[{"a": 1}', "x.json is not valid JSON"),
        ('{"prompt": "a", "completion": "b"}\n{"messages"', "row 1 of x.json is not JSON"),
        ('["a"]', "row 0 of x.json is a text and no JSON object"),
        ("", "There are no rows in"),
        ("[]", "There are no rows in"),
    ],
)
def test_files_that_are_not_json(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=f"(?i){sentence}"):
        list(read_examples(str(tmp_path / "x.json"), on_error=None))


def test_a_broken_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"The data file x.parquet cannot be read"):
        list(read_examples(str(tmp_path / "x.parquet")))


def test_a_file_that_goes_away(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "completion": "b"}] * 40
    parquet = write_parquet(tmp_path / "x.parquet", rows, row_group_size=1)
    for path in (parquet, write_jsonl(tmp_path / "x.jsonl", rows)):
        source = ExampleSource(Source(str(path)))
        path.unlink()
        with pytest.raises(DataError, match=f"The data file {path.name} cannot be read"):
            source.row_examples(7)
