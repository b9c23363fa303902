"""How fast a run was, and what it took: derived from its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from vlmbench.records import Response
from vlmbench.runs.journal import JournalContent


class UsageStats:
    """What the responses of a run took, one after the other."""

    def __init__(self) -> None:
        self._cached = 0
        self._latencies, self._first_tokens = _Times(), _Times()
        self._all_read, self._all_written = _Total(), _Total()
        self._new_read, self._new_written = _Total(), _Total()

    def add(self, response: Response) -> None:
        """Take a response into account."""
        self._all_read.add(response.prompt_tokens)
        self._all_written.add(response.output_tokens)
        if response.cached:
            self._cached += 1
            return
        self._new_read.add(response.prompt_tokens)
        self._new_written.add(response.output_tokens)
        self._latencies.add(response.seconds)
        self._first_tokens.add(response.first_token_seconds)

    def performance(self, content: JournalContent) -> dict[str, float | None]:
        """What run.json says under `performance`.

        Args:
            content: The journal.

        Returns:
            seconds                from the first request to the last response, over all calls
            samples_per_second     answers generated in that time; those from the cache do not count
            latency_p50, _p95      seconds that an answer's batch, or its call to a server, took, to
                                   three digits, as the next one
            first_token_p50        seconds until the first token, where answers were streamed
            prompt_tokens, output_tokens
            cost_usd               by the model's price, of what was not in the cache
            peak_memory_mib        of all processes together
            peak_device_memory_mib of all GPUs together
            cached                 answers that came from the cache

            None where it is not known.
        """
        sessions = content.sessions
        seconds = sum(session.seconds for session in sessions)
        answered = sum(session.answered for session in sessions)
        return {
            "seconds": round(seconds, 3),
            "samples_per_second": round(answered / seconds, 3) if seconds and answered else None,
            "latency_p50": self._latencies.quantile(0.5),
            "latency_p95": self._latencies.quantile(0.95),
            "first_token_p50": self._first_tokens.quantile(0.5),
            "prompt_tokens": self._all_read.value,
            "output_tokens": self._all_written.value,
            "cost_usd": self._cost(content.header.model["options"].get("price")),
            "peak_memory_mib": _largest(s.peak_memory_mib for s in sessions),
            "peak_device_memory_mib": _largest(s.peak_device_memory_mib for s in sessions),
            "cached": self._cached,
        }

    def _cost(self, price: Mapping[str, float] | None) -> float | None:
        """US dollars for the new answers; attempts that gave none are not known of.

        `price` is for a million tokens of each kind.
        """
        read, written = self._new_read.value, self._new_written.value
        if price is None or read is None or written is None:
            return None
        return round((read * price["input"] + written * price["output"]) / 1e6, 6)


class _Total:
    """A sum of what is known; None while nothing is."""

    def __init__(self) -> None:
        self.value: int | None = None

    def add(self, count: int | None) -> None:
        if count is not None:
            self.value = (self.value or 0) + count


class _Times:
    """Quantiles of times, to three digits: however many there are, few are told apart."""

    def __init__(self) -> None:
        self._counts = Counter[float]()

    def add(self, seconds: float | None) -> None:
        if seconds is not None:
            self._counts[float(f"{seconds:.3g}")] += 1

    def quantile(self, level: float) -> float | None:
        """The nearest-rank quantile; None where nothing is known."""
        rank = round(level * (self._counts.total() - 1))
        for seconds in sorted(self._counts):
            rank -= self._counts[seconds]
            if rank < 0:
                return seconds
        return None


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
