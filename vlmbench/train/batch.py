"""The tensors of some conversations: prompts as `vlmbench run` encodes them, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vlmbench.train.data.examples import Example

if TYPE_CHECKING:
    import torch

IGNORE = -100
"""Label of a token that carries no loss."""
PREFIX = 0
"""Segment of what all examples of a row share; those of the examples count from 1."""
PADDING = -1
"""Segment of what stands in no row."""
NEW = -1
"""Origin of a token that is none of the prompt's."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples as tensors, padded on the right."""

    inputs: Mapping[str, Any]
    """Keyword arguments of the model."""
    labels: torch.Tensor
    """(rows, tokens); IGNORE where nothing is learned."""
    examples: tuple[Example, ...]
    learned_by_example: tuple[int, ...]
    """Tokens that the loss falls on, of each example, in the order in which the labels have
    them."""
    tokens: int
    """Tokens of all rows, padding left out."""
    segments: torch.Tensor | None = None
    """(rows, tokens): which example of its row a token belongs to, PREFIX or PADDING; None where
    each row has one example. See `packing`."""

    @property
    def learned(self) -> int:
        """Number of tokens that the loss falls on."""
        return sum(self.learned_by_example)


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of a prompt that tokens of a continuation replace."""

    start: int
    end: int
    tokens: int
    """How many of the continuation's tokens take its place."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What stands in the cuts of a row's prompt and behind it, a value a token."""

    own: int
    """Tokens at the end of the prompt that only the row's first example sees."""
    cuts: tuple[Cut, ...] = ()
    """In order; only the prompt of a single example has any."""
    tokens: list[int] = field(default_factory=list)
    learned: list[bool] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    """Learned tokens of each example."""

    def add(self, segment: int, tokens: Sequence[int], learned: Sequence[bool]) -> None:
        """Appends what belongs to one example."""
        self.tokens.extend(tokens)
        self.learned.extend(learned)
        self.segments.extend([segment] * len(tokens))
        self.counts.append(sum(learned))

    def origins(self, prompt: int) -> torch.Tensor:
        """Which of the prompt's tokens each token of the row is; NEW where it is none of them.

        Args:
            prompt: Number of the prompt's tokens.
        """
        import torch

        found: list[int] = []
        at = 0
        for cut in self.cuts:
            found += [*range(at, cut.start), *[NEW] * cut.tokens]
            at = cut.end
        behind = len(self.tokens) - sum(cut.tokens for cut in self.cuts)
        return torch.tensor([*found, *range(at, prompt), *[NEW] * behind])


def assemble(
    encoded: Mapping[str, Any],
    rows: Sequence[Continuation],
    examples: Sequence[Example],
    pad_token: int,
) -> Batch:
    """Puts into each prompt and behind it what belongs there.

    Args:
        encoded: The prompts' inputs, padded on the left.
        examples: Those of all rows, in order.
    """
    import torch

    prompts = encoded["attention_mask"].bool()
    starts = [int(prompt.sum()) for prompt in prompts]
    origins = [row.origins(start) for start, row in zip(starts, rows, strict=True)]
    lengths = [len(one) for one in origins]
    labels = torch.full((len(rows), max(lengths)), IGNORE)
    segments = torch.full_like(labels, PADDING)
    inputs = {
        name: _moved(value, prompts, origins) if _along_tokens(value, prompts) else value
        for name, value in encoded.items()
        if name != "labels"  # PaliGemma's processor opens those of the prompt
    }
    inputs["input_ids"] += (inputs["attention_mask"] == 0) * pad_token
    for at, (start, row) in enumerate(zip(starts, rows, strict=True)):
        new = (origins[at] == NEW).nonzero()[:, 0]
        tokens = torch.tensor(row.tokens)
        inputs["input_ids"][at, new] = tokens
        inputs["attention_mask"][at, : lengths[at]] = 1
        labels[at, new] = torch.where(torch.tensor(row.learned), tokens, IGNORE)
        segments[at, : lengths[at]] = PREFIX
        segments[at, start - row.own : start] = 1
        segments[at, new] = torch.tensor(row.segments)
    counts = tuple(count for row in rows for count in row.counts)
    packed = len(counts) > len(rows)
    return Batch(
        inputs, labels, tuple(examples), counts, sum(lengths), segments if packed else None
    )


def _along_tokens(value: Any, prompts: torch.Tensor) -> bool:
    """Whether a tensor says something of each token."""
    import torch

    return torch.is_tensor(value) and value.shape[:2] == prompts.shape


def _moved(
    value: torch.Tensor, prompts: torch.Tensor, origins: Sequence[torch.Tensor]
) -> torch.Tensor:
    """What is said of each prompt token, moved to the left of a tensor for the whole conversation.

    New tokens get zeros, as text tokens have in masks; what has more axes, such as which image a
    token may look at, goes on as for the prompt's token before them.
    """
    moved = value.new_zeros((len(prompts), max(map(len, origins)), *value.shape[2:]))
    for row, (prompt, origin) in enumerate(zip(prompts, origins, strict=True)):
        kept = value[row][prompt]
        if value.ndim > 2:
            moved[row, : len(origin)] = kept[origin.cummax(0).values]
        else:
            copied = origin != NEW
            moved[row, : len(origin)][copied] = kept[origin[copied]]
    return moved
