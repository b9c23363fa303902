"""An exponential moving average (EMA) of the weights that are trained.

    average.update(first=True)          after each update of the weights
    with average.in_place(): ...        the model has the averaged weights

After update t it is e_t = decay * e_(t-1) + (1 - decay) * w_t, from e_1 = w_1, as torch's
AveragedModel has it; in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vlmbench.errors import ModelError
from vlmbench.train.trainable import Trainable


class Average:
    """The average of what is trained; until the first update the weights as they are.

    Args:
        decay: How much of the average each update keeps, above 0 and below 1.
    """

    def __init__(self, trainable: Trainable, decay: float) -> None:
        self._trained = {name: parameter for name, _, parameter in trainable.trained()}
        self._blend: Any = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self.weights = {
            name: parameter.detach().float().clone() for name, parameter in self._trained.items()
        }
        """By the names in memory."""

    def update(self, *, first: bool) -> None:
        """Takes in the weights after an update.

        Args:
            first: Forget the weights from before the training.
        """
        averaged = list(self.weights.values())
        current = [parameter.detach() for parameter in self._trained.values()]
        if first:
            torch._foreach_copy_(averaged, current)
        else:
            self._blend(averaged, current, 0)

    def load(self, saved: Mapping[str, torch.Tensor]) -> None:
        """Restores what `weights` were.

        Raises:
            ModelError: They are of another training.
        """
        if odd := sorted(saved.keys() ^ self.weights.keys()):
            raise ModelError(
                f"The averaged weights of the checkpoint are of another training (they differ in "
                f"{odd[0]}); train anew into another directory with --out."
            )
        for name, average in self.weights.items():
            average.copy_(saved[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the average in the place of the weights for a while."""
        raw = {name: parameter.data for name, parameter in self._trained.items()}
        for name, parameter in self._trained.items():
            parameter.data = self.weights[name]
        try:
            yield
        finally:
            for name, parameter in self._trained.items():
                parameter.data = raw[name]
