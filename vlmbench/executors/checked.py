"""An executor that sees whether something is in order before its first request goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vlmbench.executors.base import Executor, ExecutorWrapper, Responses
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request


class CheckedExecutor(ExecutorWrapper):
    """Another executor, which is not called before a check has passed.

    Where everything has been answered before, nothing is checked.

    Args:
        inner: Asked after that.
        check: Raises a VlmbenchError where asking would be in vain.
    """

    def __init__(self, inner: Executor, check: Callable[[], None]) -> None:
        super().__init__(inner)
        self._check = check

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        self._check()
        return self._inner.map(spec, requests)
