"""`vlmbench train preview` and `train check`: a recipe looked at before it is trained by."""

from __future__ import annotations

import base64
import html
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vlmbench.environment import peak_memory
from vlmbench.train.checkpoint import try_checkpoint
from vlmbench.train.contrastive_stage import ContrastiveStage
from vlmbench.train.data.examples import Example
from vlmbench.train.data.formats import ExampleSource
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.generated import synthetic_feeds
from vlmbench.train.parts import PartRow, describe
from vlmbench.train.prepare import Prepared, open_encoder, prepare
from vlmbench.train.recipe import Recipe
from vlmbench.train.sharding import whole_weights
from vlmbench.train.sources import open_sources

TIMED_STEPS = 3
"""Updates of which the last two are timed: the first one is slower."""


@dataclass(frozen=True, slots=True)
class PreviewedExample:
    """An example as the model will see it."""

    id: str
    source: str
    text: str
    """The conversation with image tokens, what is learned between 【 and 】."""
    tokens: int
    learned: int
    images: tuple[bytes, ...]


def preview(recipe: Recipe, folder: Path, count: int) -> list[PreviewedExample]:
    """The first examples of each source of a recipe; loads no weights.

    Args:
        folder: Where the recipe lies.
        count: Examples of each source.

    Raises:
        VlmbenchError: The model's processor or a row cannot be read.
    """
    encoder = open_encoder(recipe)
    rows = [
        example
        for source in open_sources(recipe.row_sources, folder)
        for example in islice(ExampleSource(source).examples(), count)
    ]
    drawn = [one for feed in synthetic_feeds(recipe) for one in feed.some(count)]
    return [_previewed(encoder, one) for one in [*rows, *drawn]]


def _previewed(encoder: ExampleEncoder, example: Example) -> PreviewedExample:
    size = encoder.size(example)
    return PreviewedExample(
        example.id,
        example.source,
        encoder.marked(example),
        size.tokens,
        size.learned,
        tuple(image.data for image in example.images),
    )


def preview_text(examples: Sequence[PreviewedExample]) -> str:
    """The examples for a terminal, long runs of one image token as one with a count."""
    return "\n\n".join(
        f"{one.source} {one.id}: {one.tokens} tokens, {one.learned} learned, "
        f"{_images(len(one.images))}\n{''.join(_shortened(one.text))}"
        for one in examples
    )


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _shortened(text: str) -> Iterator[str]:
    """The text with repeated control tokens counted."""
    parts = [f"{part}>" for part in text.split(">")]
    parts[-1] = parts[-1][:-1]
    at = 0
    while at < len(parts):
        same = at
        while same < len(parts) and parts[same] == parts[at]:
            same += 1
        yield parts[at] if same - at == 1 else f"{parts[at]}×{same - at}"
        at = same


def preview_page(examples: Sequence[PreviewedExample]) -> str:
    """The examples as an HTML page with their pictures, what is learned marked."""
    rows = []
    for one in examples:
        text = html.escape("".join(_shortened(one.text)))
        text = text.replace("【", "<mark>").replace("】", "</mark>")
        pictures = "".join(
            f'<img alt="" src="data:image;base64,{base64.b64encode(image).decode()}">'
            for image in one.images
        )
        title = html.escape(f"{one.source} {one.id}")
        rows.append(
            f"<section><h2>{title}</h2><p>{one.tokens} tokens, {one.learned} learned</p>"
            f"{pictures}<pre>{text}</pre></section>"
        )
    style = "pre{white-space:pre-wrap}img{max-height:16em;max-width:100%}body{max-width:60em}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Training rows</title>'
        f"<style>{style}</style><body>{''.join(rows)}</body></html>\n"
    )


@dataclass(frozen=True, slots=True)
class CheckedRecipe:
    """What a training by a recipe will be like."""

    parts: list[PartRow]
    training_rows: int
    generated_sources: int
    """Sources whose pictures are drawn, which have no end."""
    validation_rows: int
    too_long: int
    dropped_by_guard: int
    unreached: list[str]
    """Weights of the chosen parts that no loss reaches; they stay frozen."""
    steps: int
    loss: float
    """Of the first update, in nats a token."""
    minutes: float
    """Of all updates, by the time of the first ones; saving and evaluation come on top."""
    peak_gib: float
    """The most memory that this process has held, on the GPU where there is one."""


def check_recipe(recipe: Recipe, folder: Path) -> CheckedRecipe:
    """Reads all rows, carries out a few updates, saves, loads and asks; keeps nothing.

    Raises:
        VlmbenchError: What would stop the training.
    """
    ready = prepare(recipe, folder, quiet=False)
    tried = _tried_pairs(ready) if ready.recipe.objective == "contrastive" else _tried(ready)
    with tempfile.TemporaryDirectory() as temporary, whole_weights(ready.trainable.model):
        folder = Path(temporary)
        ready.loop.processes.by_main(
            lambda: try_checkpoint(folder, ready.trainable, ready.live, ready.loop.feed.some(1)[0])
        )
    memory = peak_memory()
    return CheckedRecipe(
        parts=describe(ready.trainable.model, ready.trainable.parts),
        training_rows=len(ready.rows.training),
        generated_sources=len(recipe.synthetic_sources),
        validation_rows=len(ready.rows.validation),
        too_long=len(ready.rows.too_long),
        dropped_by_guard=ready.guard.dropped,
        unreached=ready.loop.unreached,
        steps=ready.loop.steps,
        loss=tried.loss,
        minutes=tried.seconds * ready.loop.steps / 60,
        peak_gib=(memory.device or memory.host) / 1024,
    )


@dataclass(frozen=True, slots=True)
class _Tried:
    """A few updates."""

    loss: float
    """Of the first."""
    seconds: float
    """Of a later one."""


def _tried(ready: Prepared) -> _Tried:
    losses, ends = [], [time.perf_counter()]
    with closing(ready.loop.run()) as updates:
        for report in islice(updates, TIMED_STEPS):
            losses.append(report.loss)
            ends.append(time.perf_counter())
    timed = max(1, len(losses) - 1)
    return _Tried(losses[0], (ends[-1] - ends[-1 - timed]) / timed)


def _tried_pairs(ready: Prepared) -> _Tried:
    """With the time for looking at each picture, which a contrastive stage does once."""
    began = time.perf_counter()
    losses = ContrastiveStage(ready).trial(TIMED_STEPS)
    return _Tried(losses[0], (time.perf_counter() - began) / TIMED_STEPS)
