"""How models are loaded and called: the options, the models they make, and what runs one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from vlmbench.cli.parser import Parser
from vlmbench.errors import UsageError, unknown_name
from vlmbench.executors.answer_cache import AnswerCache, default_cache
from vlmbench.executors.base import Executor
from vlmbench.executors.cached import CachedExecutor
from vlmbench.executors.choose import EXECUTORS, make_executor
from vlmbench.models.options import options_from_args
from vlmbench.models.resolve import ModelSpec, resolve_model


def add_model_options(parser: Parser) -> None:
    """Those of `run` and `models show`."""
    parser.section("model options")
    parser.option("--dtype NAME", "float32, bfloat16, float16; default: auto", default="auto")
    parser.option("--device NAME", "cuda, mps or cpu; default: auto", default="auto")
    parser.option("--device-map auto", "one copy of the model, spread over all GPUs")
    parser.option("--attention NAME", "sdpa, eager, flash_attention_2 ...")
    parser.option("--quantization BITS", "4bit or 8bit, with bitsandbytes")
    parser.option("--adapter PATH", "directory of a LoRA adapter for the model")
    parser.option("--min-pixels N", "enlarge images of fewer pixels")
    parser.option("--max-pixels N", "shrink images of more pixels")
    parser.option("--system TEXT", "a system prompt, put before the task's own")
    parser.option(
        "--generation KEY=VALUE",
        "a setting that the task leaves open: top_p, repetition_penalty, num_beams ...",
        default=None,
    )
    parser.option(
        "--trust-remote-code",
        "run the Python code of the model's repository, with your rights",
        default=None,
    )
    parser.option(
        "--base-url URL", "server of openai:NAME; default: $OPENAI_BASE_URL, or OpenAI's own"
    )
    parser.option(
        "--api-key-env VARIABLE", "variable with the key of openai:NAME; default: OPENAI_API_KEY"
    )
    parser.option("--server-args 'ARGS'", "further arguments of the server of served:SERVER:MODEL")
    parser.option("--model-option KEY=VALUE", "any other, in YAML; docs/servers.md lists them")


def resolve_models(names: Sequence[str], options: argparse.Namespace) -> list[ModelSpec]:
    """The models of these names, with the options above."""
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
