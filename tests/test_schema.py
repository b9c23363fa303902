"""JSON Lines as objects, or one sentence about the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench.errors import DataError
from vlmbench.schema import read_jsonl


def test_objects_with_their_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"a": "\xe8\xb5\xa4"}')
    assert list(read_jsonl(path)) == [(1, {"a": 1}), (4, {"a": "赤"})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "is not JSON (Expecting property name enclosed in double quotes at character"),
        (b"[1]", "is a list and no JSON object"),
        (b"null", "is null and no JSON object"),
        (b"\xff\xfe", "is not JSON (not UTF-8)"),
        (b"[" * 100_000, "is not JSON (too deep or too long)"),
        (b"1" * 5_000, "is not JSON (too deep or too long)"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")
    lines = read_jsonl(path, advice="fetch it again")
    assert next(lines) == (1, {"a": 1})
    with pytest.raises(DataError) as caught:
        next(lines)
    message = str(caught.value)
    assert message.startswith(f"Line 2 of {path} {problem}")
    assert message.endswith("; fetch it again.") and "\n" not in message


def test_a_line_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmbench.schema.MAX_LINE_MIB", 1)
    path = tmp_path / "rows.jsonl"
    row = b'{"a": "%s"}\n' % (b"x" * (2**20 - 10))
    path.write_bytes(row + row.replace(b'"}', b'xx"}'))
    lines = read_jsonl(path)
    assert next(lines)[0] == 1
    with pytest.raises(DataError, match=r"Line 2 of .* is longer than 1 MiB"):
        next(lines)


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.jsonl", "No such file"), (".", "Is a directory")]
)
def test_an_unreadable_file(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"cannot be read \({reason}.*; check the path"):
        list(read_jsonl(tmp_path / name))
