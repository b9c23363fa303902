"""The loss of each answer token of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from vlmbench.train.batch import IGNORE, Batch
from vlmbench.train.packing import packed_arguments


def token_losses(model: Any, batch: Batch, *, through: Any = None) -> torch.Tensor:
    """Cross-entropy of each learned token of a batch, in nats, in the order of the labels.

    Args:
        through: A wrapper to call instead of the model that it holds.
    """
    device = next(model.parameters()).device
    inputs = {
        name: value.to(device) if torch.is_tensor(value) else value
        for name, value in batch.inputs.items()
    }
    if batch.segments is not None:
        inputs |= packed_arguments(model, inputs, batch.segments.to(device))
    labels = batch.labels.to(device)[:, 1:]
    learned = labels != IGNORE
    before = torch.nn.functional.pad(learned, (0, 1))
    with _only(model, before) as picked:
        logits = (through or model)(**inputs, use_cache=False).logits
    logits = logits.flatten(0, 1) if picked else logits[before]
    return torch.nn.functional.cross_entropy(logits.float(), labels[learned], reduction="none")


@contextmanager
def _only(model: Any, before: torch.Tensor) -> Iterator[list[bool]]:
    """Sends only the states before an answer token through the output layer.

    The others would cost more than all the rest where the vocabulary is large. What is yielded
    stays empty where the model did not ask its output layer.
    """
    picked: list[bool] = []

    def pick(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        picked.append(True)
        return (arguments[0][before][None], *arguments[1:])

    head = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(pick) if head is not None else None
    try:
        yield picked
    finally:
        if handle is not None:
            handle.remove()
