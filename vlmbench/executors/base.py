"""What an executor is: it gets requests to a runner and its responses back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Protocol, TypeAlias

from vlmbench.environment import Memory
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar

Responses: TypeAlias = Generator[Response, None, None]
"""Responses as they come; closing it stops whatever is under way."""


class Executor(Protocol):
    """Knows no task, no metric and no journal."""

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """Load the model, then answer the requests in any order.

        The first request is taken and the model loaded before this returns, unless it is still
        there from the last call. Where there is no request, no model is loaded and no process
        started. Requests are taken as answers are fetched, a bounded number ahead.

        Raises:
            ModelError: The model cannot be loaded.
        """

    def describe(self) -> Mapping[str, Scalar]:
        """Device and the like, once `map` has loaded the model."""

    def memory(self) -> Memory:
        """The most that this process and all workers have held so far."""

    def close(self) -> None:
        """Free the model."""


def peeked(requests: Iterable[Request]) -> tuple[bool, Iterator[Request]]:
    """Whether there is any request, and all of them."""
    stream = iter(requests)
    first = list(itertools.islice(stream, 1))
    return bool(first), itertools.chain(first, stream)


class ExecutorWrapper:
    """An executor that does something before or behind another one; the rest is that one's."""

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


class CheckedExecutor(ExecutorWrapper):
    """Another executor, which gets no request before a check has passed.

    Args:
        check: Called by `map` if there is a request; raises a VlmbenchError where answers would be
            of no use.
    """

    def __init__(self, inner: Executor, check: Callable[[], None]) -> None:
        super().__init__(inner)
        self._check = check

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        any_left, requests = peeked(requests)
        if any_left:
            self._check()
        return self._inner.map(spec, requests)
