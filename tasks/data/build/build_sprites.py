"""Draws sprites.parquet from the icon packages and a Japanese font (extra `build`)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.train.synthetic.concepts import ART_STYLES, Concept, concepts
from vlmbench.train.synthetic.sprites import LETTERING, SPRITE_SIZE

LETTERING_PIXELS = 11
"""Height of the type on basic charts; the smallest at which its kanji can be told apart."""


def build_sprites(sources: Path, words: list[str], target: Path) -> None:
    """Writes every concept in every style that has it, and the words of the charts.

    Args:
        sources: The folder that fetch_sources.sh filled.
        words: Everything that a basic chart may need to write.
        target: The Parquet file to write.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [*_emoji_rows(sources), *_lettering_rows(words)]
    columns = {key: [row[key] for row in rows] for key in ("sheet", "name", "png")}
    pq.write_table(pa.table(columns), target, compression="none", row_group_size=256)


def _emoji_rows(sources: Path) -> Iterator[dict[str, Any]]:
    for style in ART_STYLES:
        file = sources / "npm" / "node_modules" / "@iconify-json" / style / "icons.json"
        if not file.is_file():
            raise DataError(
                f"The icon package {style} is not in {sources}; run tasks/data/fetch_sources.sh."
            )
        package = json.loads(file.read_text(encoding="utf-8"))
        for concept in concepts():
            svg = _svg(package, concept, style)
            if svg is not None:
                yield {"sheet": style, "name": concept.name, "png": _render(svg)}


def _svg(package: dict[str, Any], concept: Concept, style: str) -> str | None:
    name = concept.icons.get(style, concept.slug)
    name = package.get("aliases", {}).get(name, {}).get("parent", name)
    icon = package["icons"].get(name)
    if icon is None:
        return None
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", package.get("width", 16))
    height = icon.get("height", package.get("height", 16))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SPRITE_SIZE}" height="{SPRITE_SIZE}" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )


def _render(svg: str) -> bytes:
    import PIL.Image
    import resvg_py

    drawn = PIL.Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg))))
    return _png(drawn.convert("RGBA"))


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _lettering_rows(words: list[str]) -> Iterator[dict[str, Any]]:
    import matplotlib_fontja
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    file = next(Path(matplotlib_fontja.__file__).parent.rglob("*.ttf"))
    font = PIL.ImageFont.truetype(str(file), LETTERING_PIXELS)
    for word in dict.fromkeys(words):
        box = font.getbbox(word)
        canvas = PIL.Image.new("RGBA", (int(box[2]) + 1, LETTERING_PIXELS + 3), (0, 0, 0, 0))
        PIL.ImageDraw.Draw(canvas).text((0, 0), word, font=font, fill=(20, 20, 20, 255))
        yield {"sheet": LETTERING, "name": word, "png": _png(canvas)}
