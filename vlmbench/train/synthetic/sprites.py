"""The drawings that scenes and basic charts are composed from, as small transparent pictures.

`sprites.parquet` holds them ready drawn (columns: sheet, name, png), so that composing a scene
needs neither an SVG renderer nor a font. One sheet an art style, one for chart lettering.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

from vlmbench.train.synthetic.resources import data_file

if TYPE_CHECKING:
    import PIL.Image

SPRITE_SIZE = 80
"""Side of a drawing in pixels; scenes only ever shrink it."""
LETTERING = "lettering"
"""The sheet that holds the words and digits of basic charts."""


class Sprites:
    """All drawings, decoded and resized once each."""

    def __init__(self, encoded: dict[tuple[str, str], bytes]) -> None:
        self._encoded = encoded
        self._scaled: dict[tuple[str, str, int], PIL.Image.Image] = {}

    def has(self, sheet: str, name: str) -> bool:
        """Whether that sheet holds a drawing of that name."""
        return (sheet, name) in self._encoded

    def get(self, sheet: str, name: str, size: int | None = None) -> PIL.Image.Image:
        """The RGBA drawing, scaled to `size` pixels a side, or as stored."""
        import PIL.Image

        key = (sheet, name, size or 0)
        if key not in self._scaled:
            drawing = PIL.Image.open(io.BytesIO(self._encoded[sheet, name])).convert("RGBA")
            if size is not None:
                drawing = drawing.resize((size, size), PIL.Image.Resampling.LANCZOS)
            self._scaled[key] = drawing
        return self._scaled[key]


@lru_cache(maxsize=1)
def load_sprites() -> Sprites:
    """The sprites that ship with the suite."""
    import pyarrow.parquet as pq

    table = pq.read_table(data_file("sprites.parquet")).to_pylist()
    return Sprites({(row["sheet"], row["name"]): row["png"] for row in table})
