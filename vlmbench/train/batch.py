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
class Continuation:
    """What stands behind the first prompt of a row, a value a token."""

    own: int
    """Tokens at the end of the prompt that only the row's first example sees."""
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


def assemble(
    encoded: Mapping[str, Any],
    rows: Sequence[Continuation],
    examples: Sequence[Example],
    pad_token: int,
) -> Batch:
    """Puts behind each prompt what follows it.

    Args:
        encoded: The prompts' inputs, padded on the left.
        examples: Those of all rows, in order.
    """
    import torch

    prompts = encoded["attention_mask"].bool()
    starts = [int(prompt.sum()) for prompt in prompts]
    lengths = [start + len(row.tokens) for start, row in zip(starts, rows, strict=True)]
    labels = torch.full((len(rows), max(lengths)), IGNORE)
    segments = torch.full_like(labels, PADDING)
    inputs = {
        name: _moved(value, prompts, lengths) if _along_tokens(value, prompts) else value
        for name, value in encoded.items()
        if name != "labels"  # PaliGemma's processor opens those of the prompt
    }
    inputs["input_ids"] += (inputs["attention_mask"] == 0) * pad_token
    for at, (start, row) in enumerate(zip(starts, rows, strict=True)):
        behind = slice(start, lengths[at])
        tokens = torch.tensor(row.tokens)
        inputs["input_ids"][at, behind] = tokens
        inputs["attention_mask"][at, behind] = 1
        labels[at, behind] = torch.where(torch.tensor(row.learned), tokens, IGNORE)
        segments[at, :start] = PREFIX
        segments[at, start - row.own : start] = 1
        segments[at, behind] = torch.tensor(row.segments)
    counts = tuple(count for row in rows for count in row.counts)
    packed = len(counts) > len(rows)
    return Batch(
        inputs, labels, tuple(examples), counts, sum(lengths), segments if packed else None
    )


def _along_tokens(value: Any, prompts: torch.Tensor) -> bool:
    """Whether a tensor says something of each token."""
    import torch

    return torch.is_tensor(value) and value.shape[:2] == prompts.shape


def _moved(value: torch.Tensor, prompts: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """What is said of each prompt token, moved to the left of a tensor for the whole conversation.

    Later tokens get zeros, as text tokens have in masks; what has more axes, such as which image
    a token may look at, goes on as for the prompt's last token.
    """
    moved = value.new_zeros((len(prompts), max(lengths), *value.shape[2:]))
    for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
        kept = value[row][prompt]
        moved[row, : len(kept)] = kept
        if value.ndim > 2:
            moved[row, len(kept) : length] = kept[-1]
    return moved
