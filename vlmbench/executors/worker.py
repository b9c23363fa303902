"""What every worker does, be it a process of this machine or an actor of a Ray cluster.

A worker has two batches in flight: while one is generated, the images of the next are decoded and
its texts tokenized in another thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench.environment import Memory, peak_memory
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar
from vlmbench.runners.base import StagedRunner, make_runner

BATCHES_IN_FLIGHT = 2
"""Batches that a worker is given at a time: one to generate, one to encode."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A batch's responses, and what they took."""

    responses: list[Response]
    largest_batch_that_fit: int | None
    """The most requests that fitted into memory together; None if all did."""
    memory: Memory
    """The most that the worker has held so far."""


class Worker:
    """A loaded runner that several threads may give batches to."""

    def __init__(self, spec: ModelSpec) -> None:
        self._runner = make_runner(spec.runner)
        self._runner.prepare(spec)
        self._encoding, self._generating = threading.Lock(), threading.Lock()

    def describe(self) -> Mapping[str, Scalar]:
        """See `Runner.describe`."""
        return self._runner.describe()

    def answer(self, requests: Sequence[Request]) -> Answers:
        """Responses to a batch; waits while another batch is generated."""
        runner = self._runner
        if isinstance(runner, StagedRunner):
            # One after the other: two at a time would both be done later.
            with self._encoding:
                encoded = runner.encode(requests)
            with self._generating:
                responses = runner.decode(encoded)
                largest_batch_that_fit = runner.largest_batch_that_fit
        else:
            with self._generating:
                responses, largest_batch_that_fit = runner.generate(requests), None
        return Answers(responses, largest_batch_that_fit, peak_memory())
