"""Workers that are actors of a Ray cluster, each with its share of GPUs or one CPU core.

A lost node takes its actors with it: their batches are answered by others, and new actors wait
until the cluster has room for them. Nodes need vlmbench, and a path of a checkpoint must lead to it
on every node.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from vlmbench.errors import DependencyError, ModelError, VlmbenchError
from vlmbench.executors.batches import Batch
from vlmbench.executors.pool import Answered, Event, LoadFailed, Lost, Ready
from vlmbench.executors.worker import BATCHES_IN_FLIGHT, Worker
from vlmbench.models.resolve import ModelSpec

CPU_ACTOR = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


class RayPool:
    """Actors on a cluster.

    Args:
        address: Of a running cluster, as `ray.init` takes it; None to start one on this machine.
        replicas: Actors; None: one a GPU of the cluster, or one a CPU core where it has none.
    """

    name = "ray"

    def __init__(self, *, address: str | None, replicas: int | None) -> None:
        self._address, self._replicas = address, replicas
        self._spec: ModelSpec | None = None
        self._options: dict[str, Any] = {}
        self._actors: list[Any] = []
        self._pending: dict[Any, tuple[int, int | None]] = {}
        """Promised results -> worker, and the batch's number; None for the worker's start."""

    def open(self, spec: ModelSpec) -> int:
        """See `Pool.open`."""
        ray = _connected(self._address)
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        on_gpu = gpus > 0 and spec.device in ("auto", "cuda")
        count = self._replicas or (gpus if on_gpu else cpus)
        if count < 1:
            raise ModelError("The Ray cluster has neither a CPU nor a GPU; add a node to it.")
        self._options = {
            "max_concurrency": BATCHES_IN_FLIGHT + 1,  # one more to describe itself
            "max_restarts": 0,  # a new actor takes the place of a lost one: see `start`
            "num_gpus": min(1.0, gpus / count) if on_gpu else 0,
            "num_cpus": 1,
        }
        if not on_gpu:
            self._options["runtime_env"] = {"env_vars": CPU_ACTOR}
        self._spec = spec
        self._actors = [None] * count
        return count

    def submit(self, worker: int, batch: int, requests: Batch) -> None:
        """See `Pool.submit`."""
        self._pending[self._actors[worker].answer.remote(requests)] = worker, batch

    def events(self) -> Sequence[Event]:
        """See `Pool.events`."""
        import ray

        done, _ = ray.wait(list(self._pending), num_returns=1)
        return [event for promise in done if (event := self._event(promise)) is not None]

    def start(self, worker: int) -> None:
        """See `Pool.start`."""
        import ray

        actor = ray.remote(Worker).options(**self._options).remote(self._spec)
        self._actors[worker] = actor
        self._pending[actor.describe.remote()] = worker, None  # type: ignore[attr-defined]

    def close(self) -> None:
        """See `Pool.close`."""
        import ray

        for actor in self._actors:
            if actor is not None:
                ray.kill(actor)
        self._actors, self._pending = [], {}

    def _event(self, promise: Any) -> Event | None:
        import ray

        if promise not in self._pending:  # of an actor that is known to be lost
            return None
        worker, batch = self._pending.pop(promise)
        try:
            result = ray.get(promise)
        except ray.exceptions.RayError as error:
            cause = _cause(error)
            if batch is None and isinstance(cause, VlmbenchError):
                return LoadFailed(cause)
            reason = str(error).strip().split("\n")[0][:200]
            if isinstance(error, ray.exceptions.RayTaskError):
                reason = f"{type(cause).__name__}: {cause}"
            return self._lost(worker, reason)
        return Ready(worker, result) if batch is None else Answered(worker, batch, result)

    def _lost(self, worker: int, reason: str) -> Lost:
        import ray

        self._pending = {p: what for p, what in self._pending.items() if what[0] != worker}
        ray.kill(self._actors[worker])
        return Lost(worker, reason)


def _cause(error: BaseException) -> BaseException | None:
    """What an actor's constructor raised, where Ray says so."""
    cause = getattr(error, "cause", None) or error.__cause__
    return getattr(cause, "cause", None) or cause


def _connected(address: str | None) -> Any:
    """The ray module, connected to the cluster; starts one on this machine if there is none.

    Raises:
        DependencyError: Ray is not installed.
        ModelError: There is no cluster at the address.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise DependencyError(
            "'--executor ray' needs Ray; install it with pip install 'vlmbench-ja[ray]'."
        ) from error
    if ray.is_initialized():
        return ray
    try:
        ray.init(
            address=address,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"The Ray cluster at {address or 'this machine'} cannot be used "
            f"({str(error).strip().splitlines()[0][:160]}); check --ray-address, or start one "
            "with 'ray start --head'."
        ) from error
    return ray
