"""An executor that sees whether something is in order before its first request goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from vlmbench.environment import Memory
from vlmbench.executors.base import Executor, Responses
from vlmbench.models import ModelSpec
from vlmbench.records import Request, Scalar


class CheckedExecutor:
    """Another executor, which is not called before a check has passed.

    Where everything has been answered before, nothing is checked.

    Args:
        inner: Asked after that.
        check: Raises a VlmbenchError where asking would be in vain.
    """

    def __init__(self, inner: Executor, check: Callable[[], None]) -> None:
        self._inner = inner
        self._check = check

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        self._check()
        return self._inner.map(spec, requests)

    def describe(self) -> Mapping[str, Scalar]:
        """See `Executor.describe`."""
        return self._inner.describe()

    def memory(self) -> Memory:
        """See `Executor.memory`."""
        return self._inner.memory()

    def close(self) -> None:
        """See `Executor.close`."""
        self._inner.close()
