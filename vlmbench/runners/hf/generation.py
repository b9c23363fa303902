"""What a request asks of transformers' `generate`, and how an answer is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmbench.records import Request, stable_hash


def generation_arguments(request: Request) -> dict[str, Any]:
    """Arguments of `generate`; sampling is seeded by the request's seed and sample."""
    import torch

    asked = request.generation
    if asked.temperature > 0:
        torch.manual_seed(int(stable_hash([asked.seed, request.sample_id]), 16) % 2**63)
    return {
        "max_new_tokens": asked.max_new_tokens,
        "do_sample": asked.temperature > 0,
        "num_beams": 1,
        "num_return_sequences": 1,
        # The checkpoint's own sampling settings must not color greedy answers.
        "temperature": asked.temperature or 1.0,
        "top_p": asked.top_p,
        "top_k": 0 if asked.temperature > 0 else 50,
    }


def cut_at_stops(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string, and whether there was one."""
    cut = min((text.find(stop) for stop in stops if stop in text), default=-1)
    return (text, False) if cut < 0 else (text[:cut], True)
