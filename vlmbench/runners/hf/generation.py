"""What a request asks of transformers' `generate`, what of a checkpoint's own settings holds beside
it, and how an answer is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.records import Request, stable_hash

if TYPE_CHECKING:
    import torch

NOT_NUMBERS = (
    "the model's output is not a number (NaN): its weights are damaged, or its number format "
    "overflows; restore the weights, or try --dtype bfloat16 or float32"
)

UNUSABLE: Mapping[str, Any] = {
    # They make `generate` return something else than tokens.
    "return_dict_in_generate": False,
    "output_scores": False,
    "output_logits": False,
    "output_attentions": False,
    "output_hidden_states": False,
    # They run code that the Hub would bring.
    "penalty_alpha": 0.0,
    "dola_layers": None,
    "low_memory": False,
    "constraints": None,
    "force_words_ids": None,
    "num_beam_groups": 1,
    "diversity_penalty": 0.0,
    # They need other inputs than a prompt, or take one prompt at a time.
    "guidance_scale": 1,
    "token_healing": False,
    "use_mtp": False,
    "prompt_lookup_num_tokens": None,
    "assistant_early_exit": None,
    "prefill_chunk_size": None,
    # Answers would depend on the clock; broken ones would look like answers.
    "max_time": None,
    "remove_invalid_values": False,
}
"""Settings of a generation_config.json that cannot hold here, and their value without effect."""

UNUSABLE_CACHES = ("quantized", "paged")
"""Kinds of cache that need a package of their own, or another way of asking."""


def unset_unusable(model: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take out of a model's generation settings what cannot hold, in all of its parts.

    Returns:
        The settings that were taken out, and the model's own stop strings. Those are kept apart,
        because `generate` takes them only together with a tokenizer.
    """
    unset: set[str] = set()
    stops: list[str] = []
    for part in model.modules():
        config = getattr(part, "generation_config", None)
        if config is None:
            continue
        own = getattr(config, "stop_strings", None)
        own = own if isinstance(own, str | list | tuple) else ()
        stops += [own] if isinstance(own, str) else [one for one in own if isinstance(one, str)]
        config.stop_strings = None
        for name, without_effect in UNUSABLE.items():
            value = getattr(config, name, None)
            if value is not None and value != without_effect:
                unset.add(name)
            if value is not None:
                setattr(config, name, None)
        if getattr(config, "cache_implementation", None) in UNUSABLE_CACHES:
            unset.add("cache_implementation")
            config.cache_implementation = None
    return tuple(sorted(unset)), tuple(dict.fromkeys(stops))


class NumberWatch:
    """Notices where scores of next tokens are not numbers; `generate` calls it before each token.

    A row of NaN has a largest entry all the same, which would become a token.

    Args:
        sampled: Tokens are drawn, which stops a GPU for good where a score is no number.
    """

    def __init__(self, *, sampled: bool = False) -> None:
        self._sampled = sampled
        self._step = 0
        self._first: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        bad = scores.isnan().any(dim=-1)
        never = torch.iinfo(torch.int64).max
        now = torch.where(bad, self._step, never)
        self._first = now if self._first is None else torch.minimum(self._first, now)
        self._step += 1
        return scores.masked_fill(bad[:, None], 0.0) if self._sampled else scores

    def first_steps(self, rows: int) -> list[float]:
        """For each row, how many tokens were chosen from numbers; infinite where all were."""
        if self._first is None:
            return [float("inf")] * rows
        steps = self._first.view(rows, -1).amin(dim=1).tolist()  # of all beams of a row
        return [step if step < self._step else float("inf") for step in steps]


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
