"""Several processes that train one model together, as torchrun or `accelerate launch` starts them.

Each learns from its share of an update's examples; gradients are added up. The main one alone
writes, prints and evaluates while the others wait. Nothing of this is in the recipe: accelerate
reads the launcher's environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from vlmbench.errors import UsageError, VlmbenchError

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(days=2)
"""How long the others wait for the main one, which may evaluate for hours. The launcher ends them
at once when a process dies, so that nothing hangs for so long."""
GRACE = 10.0
"""Seconds for which another process than the main one keeps an error back, in case that one meets
it too."""
_LOST = ("onnection closed", "onnection reset", "onnection refused", "roken pipe")
"""What torch says when it waits for a process that has ended."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a training, seen from one of them."""

    rank: int = 0
    """Number of this one; 0 is the main one."""
    count: int = 1
    device: torch.device | None = None
    """Where this one computes; None for a process alone, which may choose."""
    shards: bool = False
    """Whether each holds a part of the weights only (FSDP), as accelerate's configuration says."""
    zero_stage: int | None = None
    """What each holds a part of by DeepSpeed's ZeRO: the optimizer (1), the gradients too (2)."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def gather(self, value: _T) -> list[_T]:
        """The values of all processes, in their order; every process has to take part."""
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        return list(gather_object([value]))

    def by_main(self, action: Callable[[], _T]) -> _T:
        """What `action` returns in the main process; the others wait for it.

        Raises:
            VlmbenchError: That of the main process, in every process.
        """
        if self.count == 1:
            return action()
        from accelerate.utils import broadcast_object_list

        outcome: list[Any] = [None, None]
        if self.is_main:
            try:
                outcome[0] = action()
            except VlmbenchError as error:
                outcome[1] = error
        result, failed = broadcast_object_list(outcome)
        if failed is not None:
            raise failed
        return result  # type: ignore[no-any-return]

    def share(self, values: Sequence[_T]) -> list[_T]:
        """The part of some values that this process deals with."""
        return list(values[self.rank :: self.count])

    def replicated(self, model: Any, *, find_unused: bool) -> Any:
        """The model, wrapped such that its backward pass averages gradients over the processes.

        None where a process is alone, or FSDP or DeepSpeed does so.

        Args:
            find_unused: Whether an update may leave out some of what is trained.
        """
        if self.count == 1 or self.shards or self.zero_stage is not None:
            return None
        from torch.nn.parallel import DistributedDataParallel

        assert self.device is not None
        return DistributedDataParallel(
            model,
            device_ids=None if self.device.type == "cpu" else [self.device],
            find_unused_parameters=find_unused,
        )

    def accumulating(self, replicated: Any | None, *, last: bool) -> AbstractContextManager[None]:
        """Gradients of all but an update's last backward pass stay in their process at first."""
        if replicated is None or last:
            return nullcontext()
        waits: AbstractContextManager[None] = replicated.no_sync()
        return waits


ALONE = Processes()


def join() -> Processes:
    """The processes that this one was started with; a process that was started alone is `ALONE`.

    Raises:
        UsageError: The launcher's configuration asks for what is not done here.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return ALONE
    shards = _flag("ACCELERATE_USE_FSDP")
    if shards and _flag("FSDP_OFFLOAD_PARAMS"):
        raise UsageError(
            "Sharded weights are not moved to the CPU; set 'fsdp_offload_params: false' in "
            "accelerate's configuration."
        )
    # transformers would give other processes than the first a model without weights.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    stage = None
    if _flag("ACCELERATE_USE_DEEPSPEED"):
        from vlmbench.train.zero import zero_stage

        stage = zero_stage()
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
    return Processes(state.process_index, state.num_processes, state.device, shards, stage)


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true")


@contextmanager
def launched() -> Iterator[Processes]:
    """Joins the processes of the launcher, and leaves them at the end.

    An error that they all meet is told by the main one, and one of another process by that one.
    """
    processes = join()
    try:
        yield processes
    except VlmbenchError as error:
        if processes.count > 1 and _told_by_main(processes):
            raise SystemExit(error.exit_code) from error
        raise
    except RuntimeError as error:
        if processes.count == 1 or not any(sign in str(error) for sign in _LOST):
            raise
        time.sleep(GRACE)  # in which the launcher ends this process, too
        raise UsageError(
            "Another process of this training ended; see its message, then go on with --resume."
        ) from error
    if processes.count > 1:
        import torch

        torch.distributed.destroy_process_group()


def _told_by_main(processes: Processes) -> bool:
    """Whether the main process failed too, and so says why; that one itself only takes note."""
    from torch.distributed import DistNetworkError
    from torch.distributed.distributed_c10d import _get_default_store

    failed = "vlmbench/main-failed"
    store = _get_default_store()
    try:
        if processes.is_main:
            store.set(failed, "yes")
            return False
        until = time.monotonic() + GRACE
        while not store.check([failed]) and time.monotonic() < until:
            time.sleep(0.1)
        return bool(store.check([failed]))
    except DistNetworkError:  # the launcher is ending all of them
        return True
