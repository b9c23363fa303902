"""Parquet, JSON Lines and Hub rows become samples, or one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from made_tasks import color_rows, picture, write_task

from vlmbench.errors import DataError
from vlmbench.records import Sample
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import image_file, read_samples, sample_count
from vlmbench.tasks.sources import _digest, data_fingerprint

FIELDS: dict[str, Any] = {
    "id": "{{ row.id }}",
    "images": ["images"],
    "references": {"column": "references"},
    "meta": ["kind", "style"],
}


def samples(path: Path, **arguments: Any) -> list[Sample]:
    return list(read_samples(load_task(str(path)), **arguments))


def write_lines(folder: Path, rows: list[Any], **fields: Any) -> Path:
    """A task over JSON Lines."""
    path = write_task(folder, data={"path": "rows.jsonl"}, fields={**FIELDS, **fields}, slices=[])
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def row(**changes: Any) -> dict[str, Any]:
    base = {"id": "a", "images": ["a.png"], "references": ["赤"], "kind": "k", "style": None}
    return {**base, **changes}


def test_parquet(tmp_path: Path) -> None:
    path = write_task(tmp_path, color_rows(50, images=2))
    found = samples(path)
    assert [one.id for one in found] == [f"q{n:03}" for n in range(50)]
    assert len(found[0].images) == 2
    assert found[0].images[0].decode().getpixel((0, 0)) == (220, 30, 30)
    assert found[0].references == ("赤", "赤色")
    assert found[0].meta == {"kind": "what", "style": "seen"}
    assert "images" not in found[0].row
    assert sample_count(load_task(str(path))) == 50
    assert [one.id for one in samples(path, only=range(2))] == ["q000", "q001"]
    without = samples(path, images=False)
    assert [one.images for one in without] == [()] * 50
    assert [one.references for one in without] == [one.references for one in found]


@pytest.mark.parametrize("kind", ["bytes", "struct", "list of bytes", "null"])
def test_image_columns(tmp_path: Path, kind: str) -> None:
    data = picture()
    value: Any = {
        "bytes": data,
        "struct": {"bytes": data, "path": "x.png"},
        "list of bytes": [data, data],
        "null": None,
    }[kind]
    filler = {**color_rows(1)[0], "images": value}
    other = {**color_rows(2)[1], "images": {"null": data}.get(kind, value)}
    found = samples(write_task(tmp_path, [filler, other]))
    assert len(found[0].images) == {"list of bytes": 2, "null": 0}.get(kind, 1)


def test_json_lines_with_image_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(picture())
    path = write_lines(tmp_path, [row(images="sub/a.png"), "", row(id="b", images=["gone.png"])])
    first, second = samples(path)
    assert first.images[0].data == picture()
    # A lost file is one sample's trouble, met when it is decoded.
    with pytest.raises(DataError, match=r"file gone.png \(No such file or directory\)"):
        second.images[0].decode()


def test_numbers_count_as_their_text_and_null_as_nothing(tmp_path: Path) -> None:
    (found,) = samples(write_lines(tmp_path, [row(references=[5, None, 1.5])], images=[]))
    assert found.references == ("5", "1.5")


def test_templates_make_references_and_choices(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path,
        [row(answer="赤", other="", options=["赤", "青"])],
        id="{{ index }}-{{ row.id }}",
        images=[],
        references=["{{ row.answer }}", "{{ row.other }}"],
        choices={"column": "options"},
    )
    (found,) = samples(path)
    assert (found.id, found.references, found.choices) == ("0-a", ("赤",), ("赤", "青"))


@pytest.mark.parametrize(
    ("rows", "fields", "fragment"),
    [
        ([], {}, "There are no rows in"),
        ([row(), row()], {}, "The id 'a' stands twice in"),
        ([row(), row()], {"id": "nr"}, "'fields.id' of the task is 'nr' in every row of"),
        ([row(id=" ")], {}, "The id of row 0"),
        ([row()], {"images": ["image"]}, "There is no column 'image' in row 0 of"),
        ([row()], {"images": ["image"]}, "did you mean 'images'?"),
        ([row()], {"meta": ["kid"]}, "did you mean 'kind' or 'id'?"),
        ([row()], {"references": {"column": "reference"}}, "did you mean 'references'?"),
        ([row()], {"references": ["{{ row.anser }}"]}, "There is no column 'anser'"),
        ([row(references=[])], {}, "There is no reference answer in row 0"),
        ([row(references=[None, ""])], {}, "There is no reference answer in row 0"),
        ([row(references=[{"answer": "赤"}])], {}, "The column 'references' in row 0"),
        ([row(references=["赤", ["赤"]])], {}, "holds a list where a text or number is wanted"),
        ([row(kind=["x"])], {}, "The column 'kind' in row 0"),
        ([row(images=[3])], {}, "There is no image in column 'images' of row 0"),
        ([row(images=["../x.png"])], {}, "leads out of the folder"),
        ([row(images=["/etc/passwd"])], {}, "leads out of the folder"),
        ([row(images=["link/passwd"])], {}, "leads out of the folder"),
        ([row(images=["a\0b"])], {}, "is not a file name"),
        (["{"], {}, "Line 1 of"),
        (["[1]"], {}, "is a list and no JSON object"),
    ],
)
def test_bad_rows(tmp_path: Path, rows: list[Any], fields: dict[str, Any], fragment: str) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "link").symlink_to("/etc")
    path = write_lines(tmp_path, rows, **fields)
    with pytest.raises(DataError) as caught:
        samples(path)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("gone.parquet", None, "There is no data file"),
        ("broken.parquet", b"PAR1 and so on", "cannot be read"),
        ("table.csv", b"a,b", "neither .parquet nor .jsonl"),
        ("binary.jsonl", b"\xff\xfe", "is not JSON"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes | None, fragment: str) -> None:
    path = write_task(tmp_path, data={"path": name})
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fragment):
        samples(path)


def test_the_fingerprint_follows_the_file(tmp_path: Path) -> None:
    first = load_task(str(write_task(tmp_path / "a", color_rows(2))))
    again = load_task(str(write_task(tmp_path / "b", color_rows(2))))
    other = load_task(str(write_task(tmp_path / "c", color_rows(3))))
    assert data_fingerprint(first) == data_fingerprint(again) != data_fingerprint(other)


def test_the_hub_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = write_task(tmp_path, data={"hub": "org/name", "split": "test", "revision": "abc"})
    with pytest.raises(DataError) as caught:
        samples(path)
    assert "The Hugging Face Hub can't be reached" in str(caught.value)
    assert "put it as colors.parquet into a directory that '--data-dir' names" in str(caught.value)


def test_a_data_set_of_the_hub_layout(tmp_path: Path) -> None:
    """`datasets` reads a local folder as it reads one of the Hub."""
    import datasets

    rows = [
        {"id": "a", "image": {"bytes": picture(), "path": None}, "answer": "赤"},
        {"id": "b", "image": {"bytes": picture("青"), "path": None}, "answer": "青"},
    ]
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "image": datasets.Image(),
            "answer": datasets.Value("string"),
        }
    )
    folder = tmp_path / "set"
    folder.mkdir()
    datasets.Dataset.from_list(rows, features=features).to_parquet(folder / "test.parquet")
    path = write_task(
        tmp_path,
        data={"hub": str(folder), "split": "test"},
        fields={"id": "{{ row.id }}", "images": ["image"], "references": ["{{ row.answer }}"]},
        slices=[],
    )
    found = samples(path)
    assert [one.id for one in found] == ["a", "b"]
    assert [one.images[0].data for one in found] == [picture(), picture("青")]
    assert [one.images for one in samples(path, images=False)] == [(), ()]


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """Reading it would wait for ever."""
    os.mkfifo(tmp_path / "0.png")
    image = image_file("0.png", "here", tmp_path)
    with pytest.raises(DataError, match="no file"):
        image.decode()
    os.mkfifo(tmp_path / "colors.jsonl")
    with pytest.raises(DataError, match=r"colors.jsonl is no file"):
        _digest(tmp_path / "colors.jsonl")
