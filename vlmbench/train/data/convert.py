"""Data in any layout -> Parquet shards of TRL messages with the images inside.

A row has `id`, `messages` (each with `role`, `content` parts and `loss`), `images` in the order of
their parts, and `ids`, the ids that other data sets may share, as JSON. `datasets` shows the images
as such. Shards are named as the Hub expects those of the split "train".
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import vlmbench.hub
from vlmbench.errors import DataError, UsageError
from vlmbench.raster import open_raster
from vlmbench.records import Image
from vlmbench.train.data.examples import Example, Turn

ROW_GROUP_BYTES = 8 << 20
"""Small row groups, so that training shuffles well within little memory."""
JPEG_QUALITY = 90

ImageFormat = Literal["jpeg", "png"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written."""

    rows: int
    images: int
    shards: int
    bytes_read: int
    """Of encoded images."""
    bytes_written: int
    """The same, after they were resized or re-encoded."""


def convert(
    examples: Iterable[Example],
    out: Path,
    *,
    max_side: int | None = None,
    image_format: ImageFormat | None = None,
    shard_mb: int = 256,
    on_shard: Callable[[Path], None] | None = None,
    on_error: Callable[[DataError], None] | None = None,
) -> Conversion:
    """Write examples as shards; no more than one row group is held in memory.

    Args:
        out: Folder, which may hold no Parquet files yet.
        max_side: Longest side in pixels; larger images are shrunk, others stay byte for byte.
        image_format: Encode images of other formats anew; by default only those that are shrunk,
            JPEG as JPEG, all others as PNG.
        shard_mb: About the largest size of a shard, in MiB.
        on_shard: Called with each finished shard, which it may remove.
        on_error: Called for each example with an image that cannot be read, which is left out.

    Raises:
        DataError: An example or image cannot be read, there is none, or `out` cannot be written.
    """
    writer = _ShardWriter(out, shard_mb << 20, on_shard)
    rows = images = read = written = 0
    try:
        for example in examples:
            try:
                kept = [prepare_image(image, max_side, image_format) for image in example.images]
            except DataError as error:
                if on_error is None:
                    raise
                on_error(error)
                continue
            writer.add(_row(example, kept), sum(len(image.data) for image in kept))
            rows, images = rows + 1, images + len(kept)
            read += sum(len(image.data) for image in example.images)
            written += sum(len(image.data) for image in kept)
        if not rows:
            raise DataError("There is no row to convert; check the data.")
        writer.end_shard()
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}); check the folder.") from error
    finally:
        writer.abandon()
    return Conversion(rows, images, writer.shards, read, written)


def prepare_image(
    image: Image, max_side: int | None, image_format: ImageFormat | None = None
) -> Image:
    """The image itself where nothing asks for a change, else a smaller or re-encoded one.

    Raises:
        DataError: The bytes are no image.
    """
    import PIL.Image

    try:
        with open_raster(image.data) as head:
            size, present = head.size, str(head.format).lower()
    except Exception:  # broken, or only its metadata, as decode finds out
        size, present = image.decode().size, ""
    large = max_side is not None and max(size) > max_side
    if not large and image_format in (None, present):
        return image
    picture = image.decode()
    if max_side is not None:
        picture.thumbnail((max_side, max_side), PIL.Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    wanted = image_format or ("jpeg" if present == "jpeg" else "png")
    picture.save(encoded, wanted, **({"quality": JPEG_QUALITY} if wanted == "jpeg" else {}))
    return replace(image, data=encoded.getvalue())


def push_shards(name: str) -> Callable[[Path], None]:
    """What uploads each shard to a private data set of the Hub, then removes it from the disk.

    Args:
        name: Of the data set, "org/name"; it is made if there is none.

    Raises:
        DataError: The Hub cannot be reached or refuses.
    """
    vlmbench.hub.go_offline_if_unreachable()
    import huggingface_hub

    api = huggingface_hub.HfApi()

    def call(method: Callable[..., Any], **arguments: Any) -> None:
        try:
            method(repo_id=name, repo_type="dataset", **arguments)
        except Exception as error:  # the client's own, httpx's and plain OSErrors
            advice = "leave out '--push' and upload the folder later"
            raise DataError(
                vlmbench.hub.why_not_loaded(error, f"data set '{name}'", local=advice)
            ) from error

    def push(shard: Path) -> None:
        call(api.upload_file, path_or_fileobj=shard, path_in_repo=f"data/{shard.name}")
        shard.unlink()

    call(api.create_repo, private=True, exist_ok=True)
    return push


def _row(example: Example, images: list[Image]) -> dict[str, Any]:
    return {
        "id": example.id,
        "messages": [_message(turn) for turn in example.turns],
        "images": [{"bytes": image.data, "path": None} for image in images],
        "ids": json.dumps(dict(example.ids), ensure_ascii=False) if example.ids else None,
    }


def _message(turn: Turn) -> dict[str, Any]:
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "text": None}
        for part in turn.parts
    ]
    return {"role": turn.role, "content": parts, "loss": turn.learn}


class _ShardWriter:
    """Rows -> row groups -> shards, each under a temporary name until it is whole."""

    def __init__(
        self, out: Path, shard_bytes: int, on_shard: Callable[[Path], None] | None
    ) -> None:
        import datasets

        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{out} cannot be made a folder ({error.strerror}); name another."
            ) from error
        if next(out.glob("*.parquet"), None) is not None:
            raise UsageError(f"There are Parquet files in {out}; name an empty folder.")
        text = datasets.Value("string")
        self._schema = datasets.Features(
            {
                "id": text,
                "messages": datasets.List(
                    {
                        "role": text,
                        "content": datasets.List({"type": text, "text": text}),
                        "loss": datasets.Value("bool"),
                    }
                ),
                "images": datasets.List(datasets.Image()),
                "ids": text,
            }
        ).arrow_schema
        self._out, self._shard_bytes, self._on_shard = out, shard_bytes, on_shard
        self.shards = 0
        self._file: Any = None
        self._rows: list[dict[str, Any]] = []
        self._row_bytes = self._file_bytes = 0

    @property
    def _partial(self) -> Path:
        return self._out / f"train-{self.shards:05d}.partial"

    def add(self, row: dict[str, Any], size: int) -> None:
        """Add a row whose images have `size` bytes."""
        size += 2 * sum(len(str(message)) for message in row["messages"])
        waiting = self._file_bytes + self._row_bytes
        if waiting and waiting + size > self._shard_bytes:
            self.end_shard()
        self._rows.append(row)
        self._row_bytes += size
        if self._row_bytes >= ROW_GROUP_BYTES:
            self._end_row_group()

    def end_shard(self) -> None:
        """Write what is left, and give the shard its name."""
        self._end_row_group()
        self._file.close()
        shard = self._partial.with_suffix(".parquet")
        self._partial.rename(shard)
        self._file, self._file_bytes = None, 0
        self.shards += 1
        if self._on_shard is not None:
            self._on_shard(shard)

    def abandon(self) -> None:
        """Remove an unfinished shard."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._partial.unlink(missing_ok=True)

    def _end_row_group(self) -> None:
        import pyarrow
        import pyarrow.parquet

        if self._file is None:
            self._file = pyarrow.parquet.ParquetWriter(self._partial, self._schema)
        if self._rows:
            self._file.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
        self._file_bytes += self._row_bytes
        self._rows, self._row_bytes = [], 0


def skipping(limit: int, report: Callable[[str], None]) -> Callable[[DataError], None]:
    """For `read_examples(on_error=)`: report up to `limit` rows, raise the error of the next."""
    left_out: Iterator[int] = iter(range(limit))

    def skip(error: DataError) -> None:
        if next(left_out, None) is None:
            raise error
        report(str(error))

    return skip
