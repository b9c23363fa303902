"""What an executor is: it gets requests to a runner and its responses back."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Protocol, TypeAlias

from vlmbench.environment import Memory
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar

Responses: TypeAlias = Generator[Response, None, None]
"""Responses as they come; closing it stops whatever is being made ready."""


class Executor(Protocol):
    """Knows no task, no metric and no journal."""

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """Load the model, then answer the requests in any order.

        The model is loaded before this returns, unless it is still there from the last call.
        Requests are taken as answers are fetched, a bounded number ahead.

        Raises:
            ModelError: The model cannot be loaded.
        """

    def describe(self) -> Mapping[str, Scalar]:
        """Device and the like, once `map` has been called."""

    def memory(self) -> Memory:
        """The most that this process and all workers have held so far."""

    def close(self) -> None:
        """Free the model."""


class ExecutorWrapper:
    """An executor that does something before or behind another one; the rest is that one's.

    Args:
        inner: The other one.
    """

    def __init__(self, inner: Executor) -> None:
        self._inner = inner

    def describe(self) -> Mapping[str, Scalar]:
        """See `Executor.describe`."""
        return self._inner.describe()

    def memory(self) -> Memory:
        """See `Executor.memory`."""
        return self._inner.memory()

    def close(self) -> None:
        """See `Executor.close`."""
        self._inner.close()
