"""How well the model answers questions that it is not trained on, by kind, while it trains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

from vlmbench.train.collate import IGNORE, PackedCollator
from vlmbench.train.config import TrainConfig
from vlmbench.train.synthetic.split import training_group
from vlmbench.train.synthetic_data import MicroBatch, demonstrations


def check_batches(config: TrainConfig) -> list[MicroBatch]:
    """Groups of every family of the recipe, from seeds that training never uses."""
    families = sorted({family for stage in config.data.stages for family in stage.mixture})
    size = config.data.groups_per_batch
    batches = []
    for family in families:
        groups = [
            demonstrations(training_group(family, f"check:{number}", questions=4))
            for number in range(config.check_groups)
        ]
        batches += [groups[start : start + size] for start in range(0, len(groups), size)]
    return batches


@torch.no_grad()
def exact_answers(
    model: Any, collator: PackedCollator, batches: list[MicroBatch]
) -> Mapping[str, float]:
    """Share of answers that greedy decoding would give to the letter, by kind, 0 to 1.

    Whether every token of the right answer is the most probable one after those before it is
    the same as whether greedy decoding writes that answer, and takes one pass.
    """
    was_training = model.training
    model.eval()
    right: dict[str, list[bool]] = defaultdict(list)
    for batch in batches:
        inputs = {name: value.to(model.device) for name, value in collator([batch]).items()}
        labels = inputs.pop("labels")[:, 1:]
        states = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
        hits = (model.lm_head(states).argmax(-1) == labels) | (labels == IGNORE)
        for row, group in enumerate(batch):
            for start, end, shown in _answers(labels[row], group):
                right[shown.kind].append(bool(hits[row, start:end].all()))
    model.train(was_training)
    return {kind: sum(found) / len(found) for kind, found in sorted(right.items())}


def _answers(labels: torch.Tensor, group: list[Any]) -> list[tuple[int, int, Any]]:
    """Where each answer of a row starts and ends."""
    marked = (labels != IGNORE).int()
    edges = torch.diff(marked, prepend=marked.new_zeros(1), append=marked.new_zeros(1))
    starts = (edges == 1).nonzero().flatten().tolist()
    ends = (edges == -1).nonzero().flatten().tolist()
    return list(zip(starts, ends, group, strict=True))
