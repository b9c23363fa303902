"""Whether a model gives packed questions the losses that it gives them alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import torch

from vlmbench.train.batch import Batch
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Group
from vlmbench.train.losses import token_losses

Losses: TypeAlias = Callable[[Batch], torch.Tensor]
PackingResult: TypeAlias = Literal["exact", "not exact for this family", "nothing to pack"]

TOLERANCE = 1e-4
"""Most that the loss of a token may differ, in nats."""
HALF_TOLERANCE = 5e-2
"""The same for the mean of all tokens where weights are in half precision: rounding alone makes up
to this in a single one, and questions that see one another make more in all."""
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
    finally:
        model.train(was_training)
    difference = (packed - alone).abs()
    if model.dtype == torch.float32:
        return bool(difference.max() <= TOLERANCE)
    return bool(difference.mean() <= HALF_TOLERANCE)


def _groups(batch: Batch) -> list[Group]:
    """The examples of each row."""
    if batch.segments is None:
        return [(example,) for example in batch.examples]
    examples = iter(batch.examples)
    counts = batch.segments.amax(1).clamp(min=1).tolist()  # 0 where later images are shown
    return [tuple(next(examples) for _ in range(count)) for count in counts]
