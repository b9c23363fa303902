"""Batches encoded in another process are those that the runner encodes itself."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vlmbench.executors.local import LocalExecutor, free_cores
from vlmbench.executors.preprocessing import PreprocessingPool
from vlmbench.models.resolve import ModelSpec, resolve_model
from vlmbench.records import Image, ImagePart, Request, TextPart
from vlmbench.runners.base import SplitRunner, make_runner
from vlmbench.tasks.prompt import build_request
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples

SPEC = resolve_model("tiny-ja", device="cpu")


def requests(count: int) -> list[Request]:
    task = load_task("ja-multi-image")
    generation = task.generation_for(0)
    samples = read_samples(task, only=range(count))
    return [build_request(task, sample, generation=generation) for sample in samples]


def odd_requests() -> list[Request]:
    """One whose image is broken, one without any, and one that is as it should be."""
    good = requests(1)[0]
    broken = Request("broken", (ImagePart(Image(b"no image")), TextPart("何?")), good.generation)
    return [broken, Request("text", (TextPart("空は何色?"),), good.generation), good]


@pytest.fixture(scope="module")
def runner() -> Iterator[SplitRunner]:
    made = make_runner(SPEC.runner)
    made.prepare(SPEC)
    assert isinstance(made, SplitRunner)
    yield made
    made.close()


def started(runner: SplitRunner, spec: ModelSpec = SPEC) -> PreprocessingPool:
    """One whose process has loaded what it needs."""
    pool = PreprocessingPool(runner, spec, 1)
    pool.encode(requests(1))
    assert pool._all == []  # a single batch is not worth a process
    pool.encode(requests(1))
    (preprocessor,) = pool._all
    while not preprocessor.is_ready:
        time.sleep(0.1)
        pool.encode(requests(1))
    return pool


def same(first: object, second: object) -> bool:
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and torch.equal(first, second)
    return first == second


def test_another_process_makes_the_same_inputs(
    runner: SplitRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = started(runner)
    batches = [requests(3), odd_requests(), odd_requests()[:1]]
    wanted = [runner.encode(batch) for batch in batches]
    with monkeypatch.context() as patch:
        patch.delattr(type(runner), "encode")  # nothing is left to this process
        found = [pool.encode(batch) for batch in batches]
    assert pool.memory().host > 100
    for batch, there, here in zip(batches, found, wanted, strict=True):
        assert there.requests == here.requests
        assert there.failed == here.failed
        assert (there.inputs is None) == (here.inputs is None)
        if here.inputs is not None:
            assert there.inputs.keys() == here.inputs.keys()
            assert all(same(there.inputs[name], value) for name, value in here.inputs.items())
        assert len(runner.decode(there)) == len(batch)
    pool.close()


def test_a_lost_process_costs_no_batch(runner: SplitRunner) -> None:
    pool = started(runner)
    (preprocessor,) = pool._all
    os.kill(preprocessor.process.pid, signal.SIGKILL)
    for _ in range(2):
        assert len(pool.encode(requests(2)).requests) == 2
    assert not pool._idle
    pool.close()


@pytest.mark.parametrize(
    ("described", "cores", "free"),
    [
        ({"device": "cpu", "torch_threads": 2}, 2, 0),
        ({"device": "cpu", "torch_threads": 1}, 2, 1),
        ({"device": "cuda:0", "torch_threads": 8}, 8, 7),
        ({}, 1, 0),
    ],
)
def test_cores_that_the_model_leaves(
    described: dict[str, str | int], cores: int, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmbench.executors.local.cpu_cores", lambda: cores)
    assert free_cores(described) == free


SCRIPT = """
import os
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from test_preprocessing import requests
executor = LocalExecutor(batch_size=1)
spec = resolve_model("tiny-ja", device="cpu")
print(len(list(executor.map(spec, requests(6)))))
(preprocessor,) = executor._preprocessing._all
while not preprocessor.is_ready:
    list(executor.map(spec, requests(2)))
print(preprocessor.process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a second core")
def test_a_script_without_main_guard_and_its_end(tmp_path: Path) -> None:
    """The process runs no main module, and is gone when the one that started it was killed."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stderr == ""
    answered, pid = done.stdout.split()
    assert answered == "6"
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_an_executor_ends_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmbench.executors.local.free_cores", lambda described: 1)
    executor = LocalExecutor(batch_size=1)
    assert len(list(executor.map(SPEC, requests(4)))) == 4
    assert executor._preprocessing is not None
    (preprocessor,) = executor._preprocessing._all
    executor.close()
    assert not is_alive(preprocessor.process.pid)


def test_an_executor_that_nobody_closes_leaves_no_process(runner: SplitRunner) -> None:
    pool = started(runner)
    pid = pool._all[0].process.pid
    del pool
    gc.collect()
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
