"""Answers from the cache where it has them, from another executor where not."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator

from vlmbench.executors.answer_cache import AnswerCache, answer_key
from vlmbench.executors.base import Executor, ExecutorWrapper, Responses
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response

SAVE_EVERY = 64
"""Answers that are written to the cache together."""


class CachedExecutor(ExecutorWrapper):
    """Another executor behind a cache.

    Args:
        inner: Gets the requests that the cache has no answer to.
        cache: Stays open when this is closed.
    """

    def __init__(self, inner: Executor, cache: AnswerCache) -> None:
        super().__init__(inner)
        self._cache = cache

    def map(self, spec: ModelSpec, requests: Iterable[Request]) -> Responses:
        """See `Executor.map`."""
        known: deque[Response] = deque()
        keys: dict[str, str] = {}
        unknown = self._unknown(spec, requests, known, keys)
        return self._merged(self._inner.map(spec, unknown), known, keys)

    def _unknown(
        self,
        spec: ModelSpec,
        requests: Iterable[Request],
        known: deque[Response],
        keys: dict[str, str],
    ) -> Iterator[Request]:
        """The requests without an answer; the other executor may take them in another thread."""
        for request in requests:
            key = answer_key(spec, request)
            response = self._cache.find(key, request)
            if response is not None:
                known.append(response)
            else:
                keys[request.sample_id] = key
                yield request

    def _merged(
        self, responses: Responses, known: deque[Response], keys: dict[str, str]
    ) -> Responses:
        new: list[tuple[str, Response]] = []
        with contextlib.closing(responses):
            try:
                for response in responses:
                    new.append((keys.pop(response.sample_id), response))
                    yield response
                    while known:
                        yield known.popleft()
                    if len(new) >= SAVE_EVERY:
                        self._cache.keep(new)
                        new.clear()
            finally:
                self._cache.keep(new)
        yield from known
