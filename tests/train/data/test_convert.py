"""Every layout becomes shards that say the same; what is wrong is one sentence."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from made_rows import BLUE, RED, data_url, message, png, struct, text, write_jsonl, write_parquet

from vlmbench.cli.main import main
from vlmbench.errors import DataError, UsageError
from vlmbench.records import Image
from vlmbench.train.data.convert import convert, prepare_image
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import read_examples


def content(examples: list[Example]) -> list[Any]:
    """All that an example says, with images by their bytes."""
    return [
        (one.id, dict(one.ids) | {"id": one.id}, turn.role, turn.learn, part)
        for one in examples
        for turn in one.turns
        for part in (piece.data if isinstance(piece, Image) else piece for piece in turn.parts)
    ]


TURNS = [{"user": "色は？", "assistant": "赤と青"}, {"user": "数は？", "assistant": "2"}]
ROWS: dict[str, dict[str, Any]] = {
    "cauldron": {"images": [data_url(RED), data_url(BLUE)], "texts": TURNS},
    "llava": {
        "id": "7",
        "image": "b.png",
        "conversations": [
            {"from": "human", "value": "これ<image>は？"},
            {"from": "gpt", "value": "青"},
        ],
    },
    "messages": {
        "messages": [
            message("system", "短く。"),
            message("user", [{"type": "image"}, text("色は？")]),
            {**message("assistant", "？"), "loss": False},
            message("user", "色は？"),
            message("assistant", "青"),
        ],
        "images": ["b.png"],
        "image_id": 33471,
    },
    "openai": {
        "messages": [
            message("user", [text("色"), {"type": "image_url", "image_url": data_url(RED)}]),
            message("assistant", "赤"),
        ]
    },
    "prompt-completion": {"prompt": "色は？", "completion": "青", "images": ["b.png"]},
    "captions": {"image": "b.png", "captions": ["青", "青い板"]},
}


@pytest.mark.parametrize("layout", ROWS)
def test_round_trip(tmp_path: Path, layout: str) -> None:
    (tmp_path / "b.png").write_bytes(BLUE)
    path = write_jsonl(tmp_path / "rows.jsonl", [ROWS[layout]])
    before = list(read_examples(str(path), prompt="説明"))
    result = convert(before, tmp_path / "out")
    after = list(read_examples(str(tmp_path / "out")))
    assert content(after) == content(before)
    assert (result.rows, result.shards) == (len(before), 1)
    assert result.bytes_read == result.bytes_written > 0


def test_a_task_round_trip(tmp_path: Path) -> None:
    before = list(read_examples("task:ja-multi-image", limit=5))
    convert(before, tmp_path / "out")
    assert content(list(read_examples(str(tmp_path / "out")))) == content(before)


def test_other_programs_read_the_shards(tmp_path: Path) -> None:
    """`datasets` sees pictures, and messages as TRL writes them."""
    import datasets

    row = ROWS["cauldron"]
    path = write_jsonl(tmp_path / "rows.jsonl", [row])
    convert(read_examples(str(path)), tmp_path / "out")
    loaded = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [image.getpixel((0, 0)) for image in loaded[0]["images"]] == [(255, 0, 0), (0, 0, 255)]
    first = loaded[0]["messages"][0]
    assert first["role"] == "user"
    assert [part["type"] for part in first["content"]] == ["image", "image", "text"]


def test_shards_and_their_sizes(tmp_path: Path) -> None:
    rows = [{"image": png(f"#0000{n:02x}"), "caption": f"青{n}" * 40_000} for n in range(20)]
    path = write_parquet(tmp_path / "x.parquet", rows)
    seen: list[str] = []
    result = convert(
        read_examples(str(path)),
        tmp_path / "out",
        shard_mb=1,
        on_shard=lambda shard: seen.append(shard.name),
    )
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == seen == [f"train-{number:05d}.parquet" for number in range(result.shards)]
    assert result.shards > 2
    found = [one.answers[0] for one in read_examples(str(tmp_path / "out"))]
    assert found == [row["caption"] for row in rows]


def decoded(image: Image) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(image.data))


def test_images_are_shrunk_and_encoded_anew_only_where_asked() -> None:
    large = Image(png(size=(400, 100)))
    assert prepare_image(large, None) is large
    assert prepare_image(large, 400) is large
    small = decoded(prepare_image(large, 100))
    assert (small.size, small.format) == ((100, 25), "PNG")
    assert decoded(prepare_image(large, None, "jpeg")).format == "JPEG"
    assert prepare_image(large, None, "png") is large
    with pytest.raises(DataError, match="The image in a row cannot be read"):
        prepare_image(Image(b"no", source="a row"), None)


def test_a_turned_jpeg_stays_upright() -> None:
    """An EXIF orientation is applied where the image is encoded anew."""
    encoded = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    PIL.Image.new("RGB", (400, 100), "red").save(encoded, "jpeg", exif=exif)
    small = decoded(prepare_image(Image(encoded.getvalue()), 200))
    assert (small.size, small.format) == ((50, 200), "JPEG")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.png").write_bytes(png(size=(300, 200)))
    (tmp_path / "broken.png").write_bytes(RED[:20])
    names = ("b.png", "lost.png", "broken.png")
    rows = [{**ROWS["llava"], "image": name} for name in names]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    command = ["data", "convert", str(path), "-o", str(tmp_path / "out"), "--max-side", "30"]
    assert main(command) == 2
    assert "file lost.png" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())  # nothing half-written
    assert main([*command, "--max-errors", "1"]) == 2
    assert "row 2 of rows.jsonl, file broken.png cannot be read" in capsys.readouterr().err
    assert main([*command, "--max-errors", "2"]) == 0
    printed = capsys.readouterr()
    assert "Left out: The image in 'image' of row 1 of rows.jsonl" in printed.err
    assert "1 rows with 1 images in 1 shards" in printed.out
    (example,) = read_examples(str(tmp_path / "out"))
    assert example.images[0].decode().size == (30, 20)
    assert main(command) == 2
    assert "There are Parquet files in" in capsys.readouterr().err


def test_pushing_without_a_connection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [ROWS["openai"]])
    out = tmp_path / "out"
    assert main(["data", "convert", str(path), "-o", str(out), "--push", "me/mine"]) == 2
    assert (
        "can't be reached (HF_HUB_OFFLINE is set), so data set 'me/mine'" in capsys.readouterr().err
    )
    assert not out.exists()


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no row to convert"):
        convert([], tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made a folder"):
        convert([], tmp_path / "file")
    write_parquet(tmp_path / "old.parquet", [{"a": json.dumps(struct(b""), default=str)}])
    with pytest.raises(UsageError, match="There are Parquet files in"):
        convert([], tmp_path)
