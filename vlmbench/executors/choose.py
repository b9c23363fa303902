"""Which executor a model is best run by on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from vlmbench.environment import cpu_cores
from vlmbench.errors import UsageError, unknown_name
from vlmbench.executors.base import Executor
from vlmbench.models.checkpoints import model_path
from vlmbench.models.resolve import ModelSpec

EXECUTORS = ("local", "ray")

COPIES_SHARE = 0.7
"""Part of the free memory that copies of a model may take together."""

BYTES_A_WEIGHT_BYTE = 2.5
"""What a byte of a checkpoint's weights comes to in memory: float32 on a CPU, and activations."""

PROCESS_BYTES = 900 * 2**20
"""What a process holds before it has loaded a model, PyTorch and transformers included."""


def make_executor(
    spec: ModelSpec,
    *,
    kind: str = "local",
    replicas: int | None = None,
    batch_size: int | None = None,
    ray_address: str | None = None,
) -> Executor:
    """An executor for a model; nothing is started yet.

    Args:
        replicas: Copies of the model; None: one a GPU, on a CPU one a core.
        batch_size: Requests that a copy answers at a time; None to find out.
        ray_address: Of a running cluster; None to start one on this machine.
    """
    from vlmbench.executors.local import LocalExecutor

    if kind == "ray":
        from vlmbench.executors.pool import PooledExecutor
        from vlmbench.executors.ray import RayPool

        pool = RayPool(address=ray_address, replicas=replicas)
        return PooledExecutor(pool, batch_size=batch_size)
    environments = worker_environments(spec, replicas)
    if len(environments) == 1:
        return LocalExecutor(batch_size=batch_size)
    from vlmbench.executors.pool import PooledExecutor
    from vlmbench.executors.processes import ProcessPool

    return PooledExecutor(ProcessPool(environments), batch_size=batch_size)


@contextmanager
def open_executor(
    spec: ModelSpec,
    *,
    kind: str = "local",
    replicas: int | None = None,
    batch_size: int | None = None,
    ray_address: str | None = None,
    cache: bool = True,
) -> Iterator[Executor]:
    """What runs a model, behind the cache of answers where that makes sense.

    Args:
        replicas: See `make_executor`, as the next two.
        batch_size: Requests that a copy answers at a time.
        cache: Whether answers may come from the cache, and go there.

    Raises:
        UsageError: There is no such kind, or it has no address.
    """
    from vlmbench.executors.answer_cache import AnswerCache, default_cache
    from vlmbench.executors.cached import CachedExecutor

    if kind not in EXECUTORS:
        known = f"use {' or '.join(EXECUTORS)}"
        raise UsageError(unknown_name("executor", kind, EXECUTORS, next_step=known))
    if ray_address and kind != "ray":
        raise UsageError("'--ray-address' goes with a cluster; add '--executor ray'.")
    inner = make_executor(
        spec, kind=kind, replicas=replicas, batch_size=batch_size, ray_address=ray_address
    )
    with ExitStack() as stack:
        stack.callback(inner.close)
        if not cache or not spec.cacheable:
            yield inner
        else:
            answers = AnswerCache(default_cache())
            stack.callback(answers.close)
            yield CachedExecutor(inner, answers)


def worker_environments(spec: ModelSpec, replicas: int | None) -> list[dict[str, str]]:
    """The variables that set each copy of the model apart; one empty dict for this process."""
    from vlmbench.executors.processes import CPU_WORKER

    if replicas == 1 or not spec.loads_weights or spec.options.get("device_map"):
        return [{}]
    gpus = visible_gpus() if spec.device in ("auto", "cuda") else []
    if gpus:
        chosen = gpus[:replicas]
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in chosen] if len(chosen) > 1 else [{}]
    if spec.device == "mps" or (spec.device == "auto" and sys.platform == "darwin"):
        return [{}]
    count = replicas or min(cpu_cores(), copies_that_fit(spec))
    return [dict(CPU_WORKER)] * count if count > 1 else [{}]


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """NVIDIA GPUs by what CUDA_VISIBLE_DEVICES calls them; imports no torch."""
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [one.strip() for one in listed.split(",") if one.strip() not in ("", "-1")]
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


def copies_that_fit(spec: ModelSpec) -> int:
    """How many copies of a model this machine's free memory holds; 1 where its size is unknown."""
    folder = model_path(spec.location)
    files = [path for kind in ("*.safetensors", "*.bin") for path in folder.glob(kind)]
    if not files:
        return 1
    weights = sum(path.stat().st_size for path in files)
    copy = weights * BYTES_A_WEIGHT_BYTE + PROCESS_BYTES
    return max(1, int(free_memory() * COPIES_SHARE / copy))


def free_memory() -> int:
    """Bytes that new processes may take without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)
