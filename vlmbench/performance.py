"""How fast a run was, and what it took: derived from its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vlmbench.journal import JournalContent
from vlmbench.records import Response


def performance(
    content: JournalContent, responses: Mapping[str, Response]
) -> dict[str, float | None]:
    """What run.json says under `performance`.

    Args:
        content: The journal.
        responses: The responses that the run is about, by sample id.

    Returns:
        seconds                from the first request to the last response, over all calls
        samples_per_second     answers generated in that time; those from the cache do not count
        latency_p50, _p95      seconds that an answer's batch, or its call to a server, took
        first_token_p50        seconds until the first token, where answers were streamed
        prompt_tokens, output_tokens
        cost_usd               by the model's price, of what was not in the cache
        peak_memory_mib        of all processes together
        peak_device_memory_mib of all GPUs together
        cached                 answers that came from the cache

        None where it is not known.
    """
    new = [response for response in responses.values() if not response.cached]
    seconds = sum(session.seconds for session in content.sessions)
    answered = sum(session.answered for session in content.sessions)
    latency = _known(response.seconds for response in new)
    return {
        "seconds": round(seconds, 3),
        "samples_per_second": round(answered / seconds, 3) if seconds and answered else None,
        "latency_p50": _quantile(latency, 0.5),
        "latency_p95": _quantile(latency, 0.95),
        "first_token_p50": _quantile(_known(one.first_token_seconds for one in new), 0.5),
        "prompt_tokens": _total(one.prompt_tokens for one in responses.values()),
        "output_tokens": _total(one.output_tokens for one in responses.values()),
        "cost_usd": _cost(content.header.model["options"].get("price"), new),
        "peak_memory_mib": max(_known(s.peak_memory_mib for s in content.sessions), default=None),
        "peak_device_memory_mib": max(
            _known(s.peak_device_memory_mib for s in content.sessions), default=None
        ),
        "cached": len(responses) - len(new),
    }


def _known(values: Iterable[float | None]) -> list[float]:
    return sorted(value for value in values if value is not None)


def _quantile(ordered: Sequence[float], level: float) -> float | None:
    """The nearest-rank quantile."""
    return ordered[round(level * (len(ordered) - 1))] if ordered else None


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _cost(price: Mapping[str, float] | None, responses: Sequence[Response]) -> float | None:
    """US dollars for these answers; attempts that gave none are not known of.

    `price` is for a million tokens of each kind.
    """
    read = _total(response.prompt_tokens for response in responses)
    written = _total(response.output_tokens for response in responses)
    if price is None or read is None or written is None:
        return None
    return round((read * price["input"] + written * price["output"]) / 1e6, 6)
