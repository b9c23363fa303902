"""Several processes give the answers of one, whatever happens to some of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_requests import color_requests

from vlmbench.errors import ModelError
from vlmbench.executors.local import LocalExecutor
from vlmbench.executors.pool import PooledExecutor
from vlmbench.executors.processes import CPU_WORKER, ProcessPool
from vlmbench.models.resolve import ModelSpec, resolve_model
from vlmbench.records import Request

COUNT = 40


@pytest.fixture(scope="module")
def spec(checkpoint: Path) -> ModelSpec:
    return resolve_model(str(checkpoint))


@pytest.fixture(scope="module")
def expected(spec: ModelSpec) -> dict[str, str | None]:
    executor = LocalExecutor(batch_size=4)
    found = {one.sample_id: one.text for one in executor.map(spec, color_requests(COUNT))}
    executor.close()
    assert len(set(found.values())) > 5
    return found


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool([CPU_WORKER, CPU_WORKER])
    yield made
    made.close()


def test_two_processes_answer_like_one(
    spec: ModelSpec, pool: ProcessPool, expected: dict[str, str | None]
) -> None:
    executor = PooledExecutor(pool, batch_size=4)
    assert list(executor.map(spec, [])) == []
    assert pool._processes == {}  # nothing is asked, so nothing is started
    assert len(list(executor.map(spec, color_requests(1)))) == 1
    assert executor.describe()["replicas"] == 1  # another one would only have loaded the model
    for requests in (color_requests(COUNT), iter(color_requests(COUNT))):  # the model stays
        found = [(one.sample_id, one.text) for one in executor.map(spec, requests)]
        assert len(found) == COUNT
        assert dict(found) == expected
    described = executor.describe()
    assert (described["replicas"], described["torch_threads"]) == (2, 1)
    assert executor.memory().host > 500  # of three processes
    pids = [process.pid for process in pool._processes.values()]
    executor.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert executor.describe()["replicas"] == 0


def test_a_killed_process_loses_no_sample(
    spec: ModelSpec, pool: ProcessPool, expected: dict[str, str | None]
) -> None:
    executor = PooledExecutor(pool, batch_size=4)
    found = []
    for number, response in enumerate(executor.map(spec, color_requests(COUNT))):
        found.append((response.sample_id, response.text))
        if number in (3, 17):
            os.kill(pool._processes[0].pid, signal.SIGKILL)
    assert len(found) == COUNT
    assert dict(found) == expected


def test_requests_are_taken_as_answers_are_fetched(spec: ModelSpec, pool: ProcessPool) -> None:
    taken: list[str] = []

    def many() -> Iterator[Request]:
        for request in color_requests(200, new_tokens=1):
            taken.append(request.sample_id)
            yield request

    responses = PooledExecutor(pool, batch_size=2).map(spec, many())
    next(responses)
    assert len(taken) <= 4 + 16  # a batch for each worker, then a window of eight batches
    responses.close()


def test_a_checkpoint_that_cannot_be_loaded_is_said_once(
    spec: ModelSpec, pool: ProcessPool, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_vl"}', encoding="utf-8")
    executor = PooledExecutor(pool, batch_size=2)
    with pytest.raises(ModelError, match="has no image processor"):
        executor.map(resolve_model(str(tmp_path)), color_requests(2))
    executor.close()


FRAGILE = """
import os
import time
from vlmbench.records import Response

class Fragile:
    def prepare(self, spec):
        pass

    largest_batch_that_fit = None

    def generate(self, requests):
        return self.decode(self.encode(requests))

    def encode(self, requests):  # in one thread, while another one decodes the batch before
        if any(one.sample_id == "q005" for one in requests):
            os._exit(7)
        return requests

    def decode(self, requests):
        time.sleep(0.1)
        return [Response(one.sample_id, one.key, text="赤") for one in requests]

    def describe(self):
        return {}

    def close(self):
        pass
"""


@pytest.mark.parametrize("batch_size", [1, 2, 4])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_sample_that_ends_its_process_is_one_error(
    workers: int, batch_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "fragile-1.0.dist-info"
    metadata.mkdir()
    (tmp_path / "fragile.py").write_text(FRAGILE, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fragile\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[vlmbench.runners]\nfragile = fragile:Fragile\n")
    monkeypatch.syspath_prepend(str(tmp_path))  # worker processes take it over
    executor = PooledExecutor(ProcessPool([CPU_WORKER] * workers), batch_size=batch_size)
    spec = ModelSpec("fragile", "fragile", "", "fingerprint")
    found = list(executor.map(spec, color_requests(12)))
    executor.close()
    assert sorted(one.sample_id for one in found) == [f"q{n:03}" for n in range(12)]
    (failed,) = [one for one in found if one.error is not None]
    assert failed.sample_id == "q005"
    assert failed.error is not None
    assert "process ended over this sample (exit code 7)" in failed.error.message


SCRIPT = """
from made_requests import color_requests
from vlmbench.executors.pool import PooledExecutor
from vlmbench.executors.processes import CPU_WORKER, ProcessPool
from vlmbench.models.resolve import resolve_model

executor = PooledExecutor(ProcessPool([CPU_WORKER, CPU_WORKER]), batch_size=2)
print(len(list(executor.map(resolve_model({checkpoint!r}), color_requests(6)))))
"""


def test_a_script_needs_no_main_guard_and_no_close(checkpoint: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=SCRIPT.format(checkpoint=str(checkpoint)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "6\n", "")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see child processes")
def test_killing_the_driver_leaves_no_process_behind(checkpoint: Path, tmp_path: Path) -> None:
    from made_tasks import color_rows, write_task

    task = write_task(tmp_path / "task", color_rows(200), generation={"max_new_tokens": 200})
    arguments = ["--model", str(checkpoint), "--tasks", str(task), "--out", str(tmp_path / "runs")]
    command = [sys.executable, "-m", "vlmbench", "run", "--quiet", "--no-cache", "--replicas", "2"]
    driver = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL)
    journal = tmp_path / "runs" / checkpoint.name / "colors" / "journal.jsonl"
    while driver.poll() is None and not (
        journal.exists() and b'"type":"response"' in journal.read_bytes()
    ):
        time.sleep(0.05)
    workers = children_of(driver.pid)
    assert len(workers) >= 2
    driver.kill()
    driver.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(one) for one in listed.split()]
