"""How models are loaded and called: the options, the models they make, and what runs one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from vlmbench.cli.parser import PAIRS, Parser, positive
from vlmbench.errors import UsageError, unknown_name
from vlmbench.executors.answer_cache import AnswerCache, default_cache
from vlmbench.executors.base import Executor
from vlmbench.executors.cached import CachedExecutor
from vlmbench.executors.choose import EXECUTORS, make_executor
from vlmbench.models.options import options_from_args
from vlmbench.models.resolve import ModelSpec, resolve_model


def add_model_options(parser: Parser) -> None:
    """Those of `run` and `models show`."""
    add = parser.add_argument_group("model options").add_argument
    add("--dtype", default="auto", help="float32, bfloat16, float16 or auto; default: auto")
    add("--device", default="auto", help="cuda, mps, cpu or auto; default: auto")
    add("--device-map", metavar="auto", help="auto: one copy of the model, spread over all GPUs")
    add("--attention", metavar="NAME", help="sdpa, eager, flash_attention_2 ...")
    add("--quantization", metavar="BITS", help="4bit or 8bit, with bitsandbytes")
    add("--adapter", metavar="DIR", help="a LoRA adapter for the model")
    add("--min-pixels", type=positive, metavar="N", help="enlarge images of fewer pixels")
    add("--max-pixels", type=positive, metavar="N", help="shrink images of more pixels")
    add("--system", metavar="TEXT", help="a system prompt, put before the task's own")
    add(
        "--generation",
        action="append",
        metavar="KEY=VALUE",
        help="a setting that the task leaves open: top_p, repetition_penalty, num_beams ...",
    )
    add(
        "--trust-remote-code",
        action="store_true",
        default=None,
        help="run the Python code of the model's repository, with your rights",
    )
    add(
        "--base-url",
        metavar="URL",
        help="server of openai:NAME; default: $OPENAI_BASE_URL, or OpenAI's own",
    )
    add(
        "--api-key-env",
        metavar="VARIABLE",
        help="environment variable with the key of openai:NAME; default: OPENAI_API_KEY",
    )
    add("--server-args", metavar="'ARGS'", help="further arguments for served:SERVER:MODEL")
    add("--model-option", **PAIRS, help="any other option, in YAML; docs/servers.md lists them")


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
