"""The models that a command line names, and what runs one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager

from vlmbench.executors.base import Executor
from vlmbench.executors.choose import open_executor
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


def executor_for(model: ModelSpec, options: argparse.Namespace) -> AbstractContextManager[Executor]:
    """What runs the model, by the options of the command line."""
    return open_executor(
        model,
        kind=options.executor,
        replicas=options.replicas,
        batch_size=options.batch_size,
        ray_address=options.ray_address,
        cache=not options.no_cache,
    )
