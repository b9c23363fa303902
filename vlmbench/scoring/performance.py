"""How fast a run was, and what it took: derived from its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vlmbench.records import Response
from vlmbench.runs.journal import JournalContent


def performance(content: JournalContent, responses: Sequence[Response]) -> dict[str, float | None]:
    """What run.json says under `performance`.

    Args:
        responses: Those of it that count.

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
        empty                  answers without any text

        None where it is not known.
    """
    sessions = content.sessions
    seconds = sum(session.seconds for session in sessions)
    answered = sum(session.answered for session in sessions)
    new = [one for one in responses if not one.cached]
    price = content.header.model["options"].get("price")
    latencies = [one.seconds for one in new]
    return {
        "seconds": round(seconds, 3),
        "samples_per_second": round(answered / seconds, 3) if seconds and answered else None,
        "latency_p50": _quantile(latencies, 0.5),
        "latency_p95": _quantile(latencies, 0.95),
        "first_token_p50": _quantile((one.first_token_seconds for one in new), 0.5),
        "prompt_tokens": _total(one.prompt_tokens for one in responses),
        "output_tokens": _total(one.output_tokens for one in responses),
        "cost_usd": _cost(new, price),
        "peak_memory_mib": _largest(s.peak_memory_mib for s in sessions),
        "peak_device_memory_mib": _largest(s.peak_device_memory_mib for s in sessions),
        "cached": len(responses) - len(new),
        "empty": sum(one.text is not None and not one.text.strip() for one in responses),
    }


def _cost(responses: Sequence[Response], price: Mapping[str, float] | None) -> float | None:
    """US dollars for new answers; attempts that gave none are not known of.

    `price` is for a million tokens of each kind.
    """
    read = _total(one.prompt_tokens for one in responses)
    written = _total(one.output_tokens for one in responses)
    if price is None or read is None or written is None:
        return None
    return round((read * price["input"] + written * price["output"]) / 1e6, 6)


def _total(counts: Iterable[int | None]) -> int | None:
    """The sum of what is known; None where nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _quantile(seconds: Iterable[float | None], level: float) -> float | None:
    """The nearest-rank quantile, to three digits; None where nothing is known."""
    known = sorted(float(f"{one:.3g}") for one in seconds if one is not None)
    return known[round(level * (len(known) - 1))] if known else None


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
