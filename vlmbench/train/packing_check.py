"""Whether a model gives packed questions the losses that it gives them alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias

import torch

from vlmbench.train.batch import IGNORE, Batch
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Group
from vlmbench.train.losses import token_losses

Losses: TypeAlias = Callable[[Batch], torch.Tensor]
PackingResult: TypeAlias = Literal["exact", "not exact for this family", "nothing to pack"]

TOLERANCE = 1e-4
"""Most that the loss of a token may differ, in nats."""
HALF_TOLERANCE = 5e-2
"""The same for the mean of all tokens where weights are in half precision, in which rounding alone
makes up to this in a single one."""
GROUPS, EXAMPLES = 2, 3
"""Most groups that are compared, and most examples of each."""


def check_packing(
    model: Any, encoder: ExampleEncoder, batch: Batch, losses: Losses | None = None
) -> PackingResult:
    """Compares some of the rows of a batch that hold several examples; see `packing_is_exact`."""
    groups = [group[:EXAMPLES] for group in _groups(batch) if len(group) > 1]
    if not groups:
        return "nothing to pack"
    exact = packing_is_exact(model, encoder, groups[:GROUPS], losses)
    return "exact" if exact else "not exact for this family"


@torch.no_grad()
def packing_is_exact(
    model: Any,
    encoder: ExampleEncoder,
    groups: Sequence[Group],
    losses: Losses | None = None,
) -> bool:
    """Whether each answer token has the loss in a packed row that it has in a row of its own.

    Args:
        losses: Computes a batch's; needed where trained weights are float32 and others are not.

    False also where the groups cannot be packed, or the model refuses a packed row.
    """
    batch = encoder.batch(groups)
    if batch.segments is None:
        return False
    losses = losses or partial(token_losses, model)
    was_training = model.training
    model.eval()
    try:
        packed = losses(batch)
    except Exception:  # models refuse masks and positions in any way
        return False
    else:
        alone = losses(encoder.batch([(example,) for example in batch.examples]))
        isolated = model.dtype == torch.float32 or _keeps_apart(batch, packed, losses)
    finally:
        model.train(was_training)
    difference = (packed - alone).abs()
    if model.dtype == torch.float32:
        return bool(difference.max() <= TOLERANCE)
    return bool(difference.mean() <= HALF_TOLERANCE) and isolated


def _keeps_apart(batch: Batch, found: torch.Tensor, losses: Losses) -> bool:
    """Whether other tokens in the first question of each row leave the later ones' losses alone.

    Both times the same shapes are computed, so this holds in half precision too, where rounding
    would hide that questions see a little of one another.

    Args:
        found: The losses of the batch as it is.
    """
    assert batch.segments is not None
    ids, first = batch.inputs["input_ids"], batch.segments == 1
    other = batch.labels.amax()  # a token that may be written
    changed = replace(batch, inputs={**batch.inputs, "input_ids": ids.masked_fill(first, other)})
    later = batch.segments[:, 1:][batch.labels[:, 1:] != IGNORE].to(found.device) > 1
    return bool(((losses(changed) - found)[later].abs() <= TOLERANCE).all())


def _groups(batch: Batch) -> list[Group]:
    """The examples of each row."""
    if batch.segments is None:
        return [(example,) for example in batch.examples]
    examples = iter(batch.examples)
    counts = batch.segments.amax(1).clamp(min=1).tolist()  # 0 where later images are shown
    return [tuple(next(examples) for _ in range(count)) for count in counts]
