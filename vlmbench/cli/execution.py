"""The models that a command line names, and what runs one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from vlmbench.errors import UsageError, unknown_name
from vlmbench.executors.answer_cache import AnswerCache, default_cache
from vlmbench.executors.base import Executor
from vlmbench.executors.cached import CachedExecutor
from vlmbench.executors.choose import EXECUTORS, make_executor
from vlmbench.models.options import options_from_args
from vlmbench.models.resolve import ModelSpec, resolve_model


def resolve_models(names: Sequence[str], options: argparse.Namespace) -> list[ModelSpec]:
    """The models of these names, with the options of the command line."""
    given = options_from_args(vars(options))
    seed = getattr(options, "seed", 0)
    return [
        resolve_model(name, dtype=options.dtype, device=options.device, seed=seed, options=given)
        for name in names
    ]


@contextmanager
def executor_for(model: ModelSpec, options: argparse.Namespace) -> Iterator[Executor]:
    """What runs the model, behind the answer cache where the model's answers are cacheable."""
    if options.executor not in EXECUTORS:
        known = f"use {' or '.join(EXECUTORS)}"
        raise UsageError(unknown_name("executor", options.executor, EXECUTORS, next_step=known))
    if options.ray_address and options.executor != "ray":
        raise UsageError("'--ray-address' goes with a cluster; add '--executor ray'.")
    inner = make_executor(
        model,
        kind=options.executor,
        replicas=options.replicas,
        batch_size=options.batch_size,
        ray_address=options.ray_address,
    )
    with ExitStack() as stack:
        stack.callback(inner.close)
        if options.no_cache or not model.cacheable:
            yield inner
        else:
            cache = AnswerCache(default_cache())
            stack.callback(cache.close)
            yield CachedExecutor(inner, cache)
