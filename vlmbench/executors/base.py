"""What an executor is: it gets requests to a runner and its responses back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from vlmbench.models import ModelSpec
from vlmbench.records import Request, Response, Scalar


class Executor(Protocol):
    """Knows no task, no metric and no journal."""

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Iterator[Response]:
        """Load the model, then answer the requests in any order.

        The model is loaded before this returns, unless it is still there from the last call.
        Requests are taken as answers are fetched, a bounded number ahead.

        Raises:
            ModelError: The model cannot be loaded.
        """

    def describe(self) -> Mapping[str, Scalar]:
        """Device and the like, once `map` has been called."""

    def close(self) -> None:
        """Free the model."""
