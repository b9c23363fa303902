"""Pairs of something seen and a text, for a contrastive stage: whole images, or regions of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vlmbench.errors import DataError, UsageError
from vlmbench.records import Image
from vlmbench.train.data.examples import Example, Region
from vlmbench.train.encoders import GetInputs, Seen
from vlmbench.train.feed import Feed

_PATIENCE = 100
"""Updates without a pair after which endless data are given up."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is seen, and what is said of it."""

    images: list[Image]
    shown: list[int]
    """Of each pair, the number of its image."""
    texts: list[str]
    regions: list[tuple[Region, ...]]
    """Of each pair, the regions of its image from its own on; empty for the image as a whole."""

    def first(self, count: int) -> Pairs:
        """The first pairs."""
        images = max(self.shown[:count], default=-1) + 1
        return Pairs(
            self.images[:images], self.shown[:count], self.texts[:count], self.regions[:count]
        )


def pairs_of(examples: Sequence[Example], *, regions: bool = False) -> Pairs:
    """The examples that show one image, each image once, with their first answer.

    Args:
        regions: Take the regions of each image with their names instead.
    """
    single = {one.images[0].digest: one for one in reversed(examples) if len(one.images) == 1}
    found = Pairs([], [], [], [])
    for example in single.values():
        if regions and not example.regions:
            continue
        found.images.append(example.images[0])
        for at, text in enumerate(
            [region.text for region in example.regions] if regions else example.answers[:1]
        ):
            found.shown.append(len(found.images) - 1)
            found.texts.append(text)
            own = example.regions[at : at + 1] + example.regions[:at] + example.regions[at + 1 :]
            found.regions.append(own if regions else ())
    return found


def collect_pairs(feed: Feed, pictures: int, *, regions: bool = False) -> Pairs:
    """The pairs of the first pictures of a training's data, at most so many.

    Raises:
        DataError: No row shows one image, or none names its regions.
    """
    found = shown_alone(feed, pictures, regions=regions)
    if not found and regions:
        raise DataError(
            "No row says what is where in its image, which 'contrastive.regions' needs; generated "
            "scenes do."
        )
    if not found:
        raise DataError("No row shows one image, so there is nothing to compare with a text.")
    return pairs_of(found, regions=regions)


def shown_alone(feed: Feed, pictures: int, *, regions: bool = False) -> list[Example]:
    """An example for each of the first pictures that stand alone, at most so many.

    Args:
        regions: Only those that name their regions.
    """
    found: dict[str, Example] = {}
    epoch = feed.steps_per_epoch
    for step in itertools.count() if epoch is None else range(epoch):
        for group in feed.update(step):
            if len(group[0].images) == 1 and (group[0].regions or not regions):
                found.setdefault(group[0].images[0].digest, group[0])
        if len(found) >= pictures or (step == _PATIENCE and not found):
            break
    return list(found.values())[:pictures]


def tokens_of(pairs: Pairs, inputs: Tensor, *, seed: int | None = None) -> GetInputs:
    """What the connector is given of each pair.

    With a seed, a region is shown by all its tokens or, half of the time, by one alone: a language
    model will see each for itself, so the mean is not all that has to be right.

    Args:
        inputs: (images, tokens, width), see `connector_inputs`.
        seed: Of the choice, which is the same for the same rows; None for all tokens.
    """
    side = round(inputs.shape[1] ** 0.5)
    if any(pairs.regions) and side * side != inputs.shape[1]:
        raise UsageError(
            f"The {inputs.shape[1]} tokens of an image are no square, so 'contrastive.regions' "
            "does not know where each is; leave it out."
        )
    masks = [covered(regions, side) if regions else None for regions in pairs.regions]
    whole = torch.arange(inputs.shape[1])

    def get(rows: list[int]) -> Seen:
        rng = random.Random(f"{seed}:{rows}")
        places, owners = [], []
        for number, row in enumerate(rows):
            mask = masks[row]
            own = whole if mask is None else mask.nonzero()[:, 0]
            if mask is not None and seed is not None and rng.random() < 0.5:
                own = own[rng.randrange(len(own))][None]
            places.append(pairs.shown[row] * len(whole) + own)
            owners.append(torch.full_like(own, number))
        chosen = inputs.flatten(0, 1)[torch.cat(places).to(inputs.device)]
        return Seen(chosen, torch.cat(owners).to(inputs.device), len(rows))

    return get


def covered(regions: Sequence[Region], side: int) -> Tensor:
    """Which of side * side tokens, row by row, show the first region more than anything else.

    At least one: the one that shows most of it. What lies outside all boxes has the tokens that
    hardly touch one.
    """
    shares = [_shares(region, side) for region in regions]
    boxes = [share for region, share in zip(regions, shares, strict=True) if region.box is not None]
    if regions[0].box is None:
        busy = torch.stack(boxes).amax(0) if boxes else torch.zeros(side * side)
        return busy <= max(0.1, float(busy.min()))
    return shares[0] >= min(0.5, float(shares[0].max()))


def _shares(region: Region, side: int) -> Tensor:
    """How much of each token a region covers, from 0 to 1."""
    left, top, right, bottom = region.box or (0.0, 0.0, 1.0, 1.0)
    edges = torch.arange(side + 1) / side
    along = (edges[1:].clamp(max=right) - edges[:-1].clamp(min=left)).clamp(min=0) * side
    down = (edges[1:].clamp(max=bottom) - edges[:-1].clamp(min=top)).clamp(min=0) * side
    return (down[:, None] * along[None]).flatten()
