"""What machine and which packages a result was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vlmbench import __version__
from vlmbench.records import Scalar

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "fugashi", "unidic-lite")
"""Packages that answers or scores depend on."""


THREADS = {
    # Threads that spin while they wait would take the core from those that prepare batches.
    "OMP_WAIT_POLICY": "PASSIVE",
    # A batch of prompts is too little to be worth threads of its own beside those that prepare it.
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment variables that keep threads out of each other's way."""


def set_thread_env() -> None:
    """Set THREADS where the user has not. Call it before torch and tokenizers are imported."""
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)


def cpu_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, Scalar]:
    """Versions of vlmbench, Python and PACKAGES, and the platform; imports none of them."""
    found: dict[str, Scalar] = {
        "vlmbench": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


@dataclass(frozen=True, slots=True)
class Memory:
    """The most memory that one or several processes have held, in MiB."""

    host: float = 0.0
    device: float | None = None
    """On GPUs, as PyTorch counts what it has allocated; None where there is none."""

    def __add__(self, other: Memory) -> Memory:
        devices = [one for one in (self.device, other.device) if one is not None]
        return Memory(round(self.host + other.host, 1), sum(devices) if devices else None)


def peak_memory() -> Memory:
    """The most memory that this process has held so far; imports nothing heavy."""
    torch = sys.modules.get("torch")
    device = None
    if torch is not None and torch.cuda.is_initialized():
        held = map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count()))
        device = round(sum(held) / 2**20, 1)
    return Memory(round(_peak_bytes() / 2**20, 1), device)


def _peak_bytes() -> int:
    # psutil knows no peak on Linux, and getrusage counts there what the parent of this process
    # held when it started it.
    with suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
