"""The learning rate over the updates, by the schedules of transformers."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from vlmbench.errors import ConfigError
from vlmbench.train.recipe import Recipe


def rate_schedule(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """What part of the highest learning rate each update has, by its number from 0.

    It depends on the number alone, so a resumed training needs no state for it. transformers lets a
    warm-up begin at zero, which would make nothing of the first update; here the first is one
    step into it. All else is transformers' own.

    Raises:
        ConfigError: The schedule needs other `lr_scheduler_kwargs`.
    """
    from transformers import get_scheduler

    warmup = warmup_steps(recipe, steps)
    # Rates in `lr_scheduler_kwargs`, such as `min_lr`, are relative to the highest of all parts.
    peak = max(recipe.rate(part) for part in recipe.trained_parts)
    carrier = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    try:
        scheduler = get_scheduler(
            recipe.lr_scheduler_type, carrier, warmup, steps, dict(recipe.lr_scheduler_kwargs)
        )
        factor = scheduler.lr_lambdas[0]
        factor(steps - 1)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(
            f"'lr_scheduler_type: {recipe.lr_scheduler_type}' does not go with "
            f"'lr_scheduler_kwargs: {recipe.lr_scheduler_kwargs}' ({error}); see docs/training.md."
        ) from error
    return lambda step: (step + 1) / warmup if step < warmup else float(factor(step))


def warmup_steps(recipe: Recipe, steps: int) -> int:
    """Updates in which the rate rises."""
    if recipe.lr_scheduler_type == "constant":
        return 0
    if recipe.warmup_steps is not None:
        return recipe.warmup_steps
    return math.ceil(recipe.warmup_ratio * steps)
