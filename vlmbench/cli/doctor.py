"""`vlmbench doctor`: what this machine can run, and what to install for the rest."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from vlmbench.cli.console import print_json, print_table
from vlmbench.environment import cpu_cores
from vlmbench.executors.answer_cache import default_cache
from vlmbench.executors.choose import free_memory, visible_gpus
from vlmbench.hub import go_offline_if_unreachable, is_told_offline
from vlmbench.models.endpoints import known_servers
from vlmbench.runners.api.server_process import find_executable

State: TypeAlias = Literal["ok", "missing", "problem"]

EXTRAS = {
    "bitsandbytes": ("quantized models", "quantization"),
    "ray": ("--executor ray", "ray"),
    "fastapi": ("served:transformers", "serving"),
    "ipadic": ("some compat_* metrics", "compat"),
    "pypdfium2": ("pages of PDFs in 'tasks prepare'", "documents"),
    "neologdn": ("some compat_* metrics", "compat"),
}
"""Optional packages: what each is for, and the extra that brings it."""

LITTLE_DISK_GIB = 20
"""A model of a few billion parameters needs as much."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    advice: str = ""
    """What to do if it is missing or a problem; empty if nothing need be done."""


def doctor_command(options: argparse.Namespace) -> int:
    """Print what was found; 2 if something is broken."""
    findings = examine()
    if options.json:
        print_json([asdict(one) for one in findings])
    else:
        signs = {"ok": "ok", "missing": "–", "problem": "problem"}
        rows = [[signs[one.state], one.what, one.found, one.advice] for one in findings]
        print_table(("", "what", "found", "what to do"), rows)
    return 2 if any(one.state == "problem" for one in findings) else 0


def examine() -> list[Finding]:
    """Looks at everything; changes nothing. Takes some seconds, most of them to load torch."""
    return [_python(), *_torch(), _memory(), *_disks(), _hub(), *_servers(), _fonts(), *_extras()]


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", "ok", f"{text}, {cpu_cores()} cores")


def _torch() -> Iterator[Finding]:
    try:
        import torch
        import torchvision
        import transformers
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:160]
        advice = "pip install --upgrade --force-reinstall torch torchvision transformers"
        yield Finding("PyTorch", "problem", f"cannot be loaded: {reason}", advice)
        return
    versions = f"{torch.__version__}, torchvision {torchvision.__version__}"
    yield Finding("PyTorch", "ok", f"{versions}, transformers {transformers.__version__}")
    yield _device()


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [
            f"{torch.cuda.get_device_name(number)} "
            f"({torch.cuda.get_device_properties(number).total_memory / 2**30:.0f} GiB)"
            for number in range(torch.cuda.device_count())
        ]
        return Finding("device", "ok", ", ".join(names))
    if torch.backends.mps.is_available():
        return Finding("device", "ok", "Apple GPU (mps)")
    if visible_gpus():
        advice = "install a build of PyTorch for this machine's CUDA driver"
        return Finding("device", "problem", "there is a GPU that PyTorch cannot use", advice)
    return Finding("device", "ok", "CPU only: models up to about 3 B parameters, slowly")


def _memory() -> Finding:
    return Finding("memory", "ok", f"{free_memory() / 2**30:.1f} GiB free")


def _disks() -> Iterator[Finding]:
    hub = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    for what, folder in (
        ("disk for runs", Path()),
        ("disk for models", Path(hub)),
        ("disk for answers", default_cache().parent),
    ):
        there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        free = shutil.disk_usage(there).free / 2**30
        text = f"{free:.0f} GiB free in {folder.absolute()}"
        if not os.access(there, os.W_OK):
            yield Finding(what, "problem", f"{there} cannot be written", "choose another folder")
        elif what == "disk for models" and free < LITTLE_DISK_GIB:
            yield Finding(what, "problem", text, "make room, or set HF_HOME to another disk")
        else:
            yield Finding(what, "ok", text)


def _hub() -> Finding:
    if go_offline_if_unreachable():
        return Finding("Hugging Face Hub", "ok", "reached")
    advice = "pass checkpoint directories and data files that are on this machine"
    state = "HF_HUB_OFFLINE is set" if is_told_offline() else "not reached"
    return Finding("Hugging Face Hub", "missing", state, advice)


def _servers() -> Iterator[Finding]:
    for name, server in known_servers().items():
        executable = find_executable(server.command[0])
        if executable is None:
            yield Finding(f"server {name}", "missing", "not found", server.install)
        else:
            yield Finding(f"server {name}", "ok", executable)


def _fonts() -> Finding:
    """A report is drawn by the browser; charts and screenshots need a font with Japanese."""
    what = "Japanese font"
    try:
        done = subprocess.run(
            ["fc-list", ":lang=ja", "family"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Finding(what, "missing", "fontconfig is not installed, so none was looked for")
    families = sorted({line.split(",")[0] for line in done.stdout.splitlines() if line})
    if families:
        return Finding(what, "ok", ", ".join(families[:3]))
    return Finding(what, "missing", "none", "install one, such as Debian's fonts-noto-cjk")


def _extras() -> Iterator[Finding]:
    for package, (purpose, extra) in EXTRAS.items():
        what = f"{package} ({purpose})"
        if importlib.util.find_spec(package) is None:
            yield Finding(what, "missing", "not installed", f"pip install 'vlmbench-ja[{extra}]'")
        else:
            yield Finding(what, "ok", importlib.metadata.version(package))
