"""Whether a model gives packed questions the losses that it gives them alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch

from vlmbench.train.batch import Batch
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import Group
from vlmbench.train.losses import token_losses

PackingResult: TypeAlias = Literal["exact", "not exact for this family", "nothing to pack"]

TOLERANCE = 1e-4
"""Most that the loss of a token may differ, in nats."""
HALF_TOLERANCE = 5e-2
"""The same where weights are in half precision, whose rounding alone makes more than 1e-4."""
GROUPS, EXAMPLES = 2, 3
"""Most groups that are compared, and most examples of each."""


def check_packing(model: Any, encoder: ExampleEncoder, batch: Batch) -> PackingResult:
    """Compares some of the rows of a batch that hold several examples."""
    groups = [group[:EXAMPLES] for group in _groups(batch) if len(group) > 1]
    if not groups:
        return "nothing to pack"
    exact = packing_is_exact(model, encoder, groups[:GROUPS])
    return "exact" if exact else "not exact for this family"


@torch.no_grad()
def packing_is_exact(model: Any, encoder: ExampleEncoder, groups: Sequence[Group]) -> bool:
    """Whether each answer token has the loss in a packed row that it has in a row of its own.

    False also where the groups cannot be packed, or the model refuses a packed row.
    """
    batch = encoder.batch(groups)
    if batch.segments is None:
        return False
    was_training = model.training
    model.eval()
    try:
        packed = token_losses(model, batch)
    except Exception:  # models refuse masks and positions in any way
        return False
    else:
        alone = token_losses(model, encoder.batch([(example,) for example in batch.examples]))
    finally:
        model.train(was_training)
    tolerance = TOLERANCE if model.dtype == torch.float32 else HALF_TOLERANCE
    return bool(((packed - alone).abs() <= tolerance).all())


def _groups(batch: Batch) -> list[Group]:
    """The examples of each row."""
    if batch.segments is None:
        return [(example,) for example in batch.examples]
    examples = iter(batch.examples)
    counts = batch.segments.amax(1).clamp(min=1).tolist()  # 0 where later images are shown
    return [tuple(next(examples) for _ in range(count)) for count in counts]
