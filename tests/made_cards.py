"""Cards of a color with blots on them, asked for their team: easy to learn, and nobody knows it."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageDraw
from made_colors import COLORS, write_rows
from made_rows import write_parquet

SIDE = 84
TEAMS = {name: f"{name}組" for name in COLORS}


def _picture(rng: random.Random, color: tuple[int, int, int], *, blots: int) -> bytes:
    """A PNG whose shade and blots no other has."""
    shade = tuple(min(255, max(0, one + rng.randint(-20, 20))) for one in color)
    image = PIL.Image.new("RGB", (SIDE, SIDE), shade)
    drawing = PIL.ImageDraw.Draw(image)
    for _ in range(blots):
        left, top = rng.randrange(SIDE), rng.randrange(SIDE)
        gray = rng.randrange(256)
        box = (left, top, left + rng.randint(6, 16), top + rng.randint(6, 16))
        drawing.ellipse(box, (gray, gray, gray))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def cards(count: int, seed: int) -> list[tuple[bytes, str, str]]:
    """Picture, question and answer: which team has a card of that color?"""
    rng = random.Random(f"cards:{seed}")
    names = [list(TEAMS)[number % len(TEAMS)] for number in range(count)]
    return [
        (_picture(rng, COLORS[name], blots=12), "この札は何組ですか。", TEAMS[name])
        for name in names
    ]


def crowds(count: int, seed: int) -> list[tuple[bytes, str, str]]:
    """The same of another kind: are there many blots?"""
    rng = random.Random(f"crowds:{seed}")
    found = []
    for number in range(count):
        color = COLORS[rng.choice(list(COLORS))]
        many = number % 2 == 0
        picture = _picture(rng, color, blots=30 if many else 6)
        found.append((picture, "しみは多いですか。", "多い" if many else "少ない"))
    return found


def cauldron(path: Path, rows: list[tuple[bytes, str, str]]) -> Path:
    """A Parquet file of such rows in the layout of The Cauldron."""
    return write_rows(
        path,
        [
            {
                "images": [{"bytes": picture, "path": None}],
                "texts": [{"user": question, "assistant": answer}],
            }
            for picture, question, answer in rows
        ],
    )


def card_task(folder: Path, count: int, seed: int) -> Path:
    """A task that asks about other cards."""
    rows: list[dict[str, Any]] = [
        {"id": f"card-{n}", "image": {"bytes": one, "path": None}, "question": ask, "answer": say}
        for n, (one, ask, say) in enumerate(cards(count, seed))
    ]
    write_parquet(folder / "held-out.parquet", rows)
    path = folder / "cards.yaml"
    path.write_text(
        "name: cards\ndisplay: {title: 札, capability: vqa, licence: CC0-1.0}\n"
        "data: {path: held-out.parquet}\n"
        "fields: {id: '{{ row.id }}', images: [image], references: ['{{ row.answer }}']}\n"
        "prompt: '{{ row.question }}'\ngeneration: {max_new_tokens: 16}\n"
        "metrics: [{use: match.exact, headline: true}]\n",
        encoding="utf-8",
    )
    return path
