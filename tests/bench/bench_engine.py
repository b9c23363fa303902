"""Prints how near the engine comes to what the model itself needs, as Markdown.

    python tests/bench/bench_engine.py [SAMPLES] [--device cuda] [--model DIR] [--rounds 3]

For each task, on the same samples and batches, nothing cached, the best of some rounds:

    ideal       the sum of the times of model.generate, with inputs ready on the device
    harness     the whole pipeline in one process, from the first request to the last response
    replicas    the same with --replicas auto (on a CPU: a process of one thread a core)
    one by one  a loop that prepares and generates one sample after the other, on all cores

Each part runs in processes of its own, the rounds by turns, so that a busy moment hits all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TASKS = ("ja-vqa", "ja-caption")
BATCH = 16


def requests_of(task_name: str, count: int) -> list[Any]:
    """The first requests of a task."""
    from vlmbench.data import load_samples
    from vlmbench.prompt import build_request
    from vlmbench.task import load_task

    task = load_task(task_name)
    generation = task.generation_for(0)
    samples = load_samples(task, limit=count)
    return [build_request(task, sample, generation=generation) for sample in samples]


def loaded_runner(model: str, device: str) -> Any:
    """The runner with the model loaded and warm."""
    from vlmbench.models import resolve_model
    from vlmbench.runners.hf import HFRunner

    runner = HFRunner()
    runner.prepare(resolve_model(model, device=device))
    runner.generate(requests_of(TASKS[0], 2))
    return runner


def ideal(task: str, count: int, model: str, device: str) -> float:
    """Seconds that model.generate needs for all batches."""
    import torch

    from vlmbench.executors.batches import BatchSize, cost, form_batches

    runner = loaded_runner(model, device)
    loaded = runner._ready()
    total = 0.0
    for batch in form_batches(requests_of(task, count), BatchSize(BATCH), cost=cost):
        inputs = runner.encode(batch).inputs.to(loaded.device)
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.to(loaded.dtype)
        arguments = runner._arguments(batch[0])
        started = time.perf_counter()
        with torch.inference_mode():
            loaded.model.generate(**inputs, **arguments)
        if loaded.device.type == "cuda":
            torch.cuda.synchronize()
        total += time.perf_counter() - started
    return total


def one_by_one(task: str, count: int, model: str, device: str) -> float:
    """Seconds of a loop over single samples."""
    runner = loaded_runner(model, device)
    requests = requests_of(task, count)
    started = time.perf_counter()
    for request in requests:
        runner.generate([request])
    return time.perf_counter() - started


def harness(task: str, count: int, model: str, device: str, replicas: int | None) -> float:
    """Seconds from the first request to the last response, by the journal."""
    from vlmbench.evaluate import run
    from vlmbench.executors.choose import make_executor
    from vlmbench.models import resolve_model
    from vlmbench.task import load_task

    spec = resolve_model(model, device=device)
    executor = make_executor(spec, replicas=replicas, batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        try:
            # Once to warm up, as the ideal is.
            run(spec, load_task(task), executor=executor, out=Path(folder) / "warm", limit=4)
            record = run(
                spec, load_task(task), executor=executor, out=Path(folder) / "runs", limit=count
            )
        finally:
            executor.close()
    seconds = record.performance["seconds"]
    assert seconds is not None
    return seconds


PARTS = {
    "ideal": (ideal, True),
    "harness": (lambda *a: harness(*a, replicas=1), True),
    "replicas": (lambda *a: harness(*a, replicas=None), False),
    "one by one": (one_by_one, False),
}
"""What is measured, and whether torch is held to one thread on a CPU, which leaves the other core
to the threads that make batches ready."""


def in_process(part: str, task: str, options: argparse.Namespace) -> float:
    """A part's seconds, measured in another process."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    if PARTS[part][1] and options.device == "cpu":
        environment["OMP_NUM_THREADS"] = "1"
    arguments = [str(options.samples), "--device", options.device, "--model", options.model]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, "--part", part, "--task", task],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Prints a row a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="?", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="tiny-ja")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--task", choices=TASKS)
    options = parser.parse_args()
    if options.part:
        measure = PARTS[options.part][0]
        seconds = measure(options.task, options.samples, options.model, options.device)
        print(json.dumps(seconds))
        return
    heads = ("task", *PARTS, "ideal / harness", "one by one / replicas", "replicas, samples/s")
    print("| " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * (len(heads) - 1))
    for task in TASKS:
        times = {part: [] for part in PARTS}  # type: dict[str, list[float]]
        for _ in range(options.rounds):
            for part in PARTS:
                times[part].append(in_process(part, task, options))
        best = {part: min(found) for part, found in times.items()}
        cells = [
            task,
            *(f"{best[part]:.2f} s" for part in PARTS),
            f"{best['ideal'] / best['harness']:.2f}",
            f"{best['one by one'] / best['replicas']:.1f}",
            f"{options.samples / best['replicas']:.1f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
