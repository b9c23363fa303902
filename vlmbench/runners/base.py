"""What a runner is, and how one is found by name.

A runner turns requests into responses. It knows no task and no metric. One that separates the
work of the CPU from the model's is a StagedRunner, whose inputs can be made ready in the
background while the model generates.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from vlmbench.errors import UsageError, unknown_name
from vlmbench.models import ModelSpec
from vlmbench.records import Request, Response, Scalar


@runtime_checkable
class Runner(Protocol):
    """Answers requests with one model."""

    def prepare(self, spec: ModelSpec) -> None:
        """Load the model.

        Raises:
            ModelError: It cannot be found or loaded.
        """

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """A response for each request, in the same order.

        What is wrong with one request becomes that request's typed error. An exception means
        that the runner cannot go on.
        """

    def describe(self) -> Mapping[str, Scalar]:
        """What a reader of the results wants to know: device, dtype, library versions."""

    def close(self) -> None:
        """Free the model."""


@runtime_checkable
class StagedRunner(Runner, Protocol):
    """A runner whose `generate(requests)` is `decode(encode(requests))`."""

    def encode(self, requests: Sequence[Request]) -> Any:
        """The model's inputs. Called in other threads than `decode`, several at a time."""

    def decode(self, batch: Any) -> list[Response]:
        """The responses to an encoded batch. Called in one thread only."""


_RUNNERS = {
    "baseline": ("vlmbench.runners.baseline", "BaselineRunner"),
    "hf": ("vlmbench.runners.hf", "HFRunner"),
    "remote_code": ("vlmbench.runners.code_runner", "CodeRunner"),
}


def make_runner(name: str) -> Runner:
    """A new runner, not yet prepared; imports no other one.

    Raises:
        UsageError: There is no such runner.
    """
    if name not in _RUNNERS:
        raise UsageError(
            unknown_name("runner", name, _RUNNERS, next_step=f"there are {', '.join(_RUNNERS)}")
        )
    module, attribute = _RUNNERS[name]
    runner = getattr(importlib.import_module(module), attribute)()
    assert isinstance(runner, Runner)  # a slip in the table above
    return runner
