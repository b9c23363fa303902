"""What an update was like: losses by source, gradient norms, rates, time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from vlmbench.models.families import PartName


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one update was like."""

    step: int
    """Updates so far, this one included."""
    loss: float
    """Mean over the answer tokens of the update, in nats."""
    loss_by_source: dict[str, float]
    grad_norm: dict[PartName, float]
    """Of each trained part, before clipping; of none where `fp16` passed over the update."""
    learning_rate: dict[str, float]
    tokens: int
    """Of all rows of the update."""
    learned: int
    """Answer tokens, which the loss falls on."""
    seconds: float
    wait: float
    """Of these, seconds in which the loop waited for data."""


@dataclass(slots=True)
class Sums:
    """Losses of an update, summed over tokens."""

    loss: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    learned: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: int = 0
    """Of all rows."""
    wait: float = 0.0
    """Seconds; the longest of a process."""

    def add(self, other: Sums) -> None:
        """Takes in what another process found."""
        for source in other.loss:
            self.loss[source] += other.loss[source]
            self.learned[source] += other.learned[source]
        self.tokens += other.tokens
        self.wait = max(self.wait, other.wait)
