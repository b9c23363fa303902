"""Prints how near the engine comes to what the model itself needs, as Markdown.

    python tests/bench/bench_engine.py [SAMPLES] [--device cuda] [--model DIR] [--rounds 2]

For each task, on the same samples and batches, nothing cached, the best of some rounds:

    ideal       the sum of the times of model.generate, with inputs ready on the device
    harness     the whole pipeline in one process, from the first request to the last response
    replicas    the same with --replicas auto (on a CPU: a process of one thread a core)
    one by one  a loop that prepares and generates one sample after the other, on all cores
    own         CPU time of the harness in one process, from reading the data to run.json, without
                that of the processor (images and texts to tensors) and of model.generate

Each part runs in a process of its own, the rounds by turns, so that a busy moment hits all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

TASKS = ("ja-vqa", "ja-caption")
BATCH = 16

Figures = dict[str, float]
"""Seconds by name."""


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


def ideal(task: str, count: int, runner: Any) -> Figures:
    """What model.generate needs for all batches."""
    import torch

    from vlmbench.executors.batches import BatchSize, cost, form_batches

    loaded = runner._ready()
    total = 0.0
    for batch in form_batches(requests_of(task, count), BatchSize(BATCH), cost=cost):
        inputs = runner.encode(batch).inputs.to(loaded.device)
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.to(loaded.dtype)
        tokens = batch[0].generation.max_new_tokens
        arguments = runner._arguments(batch[0], tokens=tokens)
        started = time.perf_counter()
        with torch.inference_mode():
            loaded.model.generate(**inputs, **arguments)
        if loaded.device.type == "cuda":
            torch.cuda.synchronize()
        total += time.perf_counter() - started
    return {"ideal": total}


def one_by_one(task: str, count: int, runner: Any) -> Figures:
    """A loop over single samples."""
    requests = requests_of(task, count)
    started = time.perf_counter()
    for request in requests:
        runner.generate([request])
    return {"one by one": time.perf_counter() - started}


class Stopwatch:
    """CPU time of the threads that call some functions, while they do."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.thread_time() - started

        return timed


def harness(task_name: str, count: int, executor: Any, spec: Any) -> Figures:
    """The pipeline, from the first request to the last response by the journal; and its cost."""
    from vlmbench.evaluate import run
    from vlmbench.task import load_task

    task = load_task(task_name)
    with tempfile.TemporaryDirectory() as folder:
        # To warm up, as the ideal is, until every copy of the model is there.
        warm = Path(folder) / "warm"
        run(spec, task, executor=executor, out=warm, limit=2 * BATCH)
        while not all(seat.is_ready for seat in getattr(executor, "_seats", ())):
            run(spec, task, executor=executor, out=warm, limit=2 * BATCH, fresh=True)
        watch = Stopwatch()
        if runner := getattr(executor, "_runner", None):
            encoder, model = runner._encoder, runner._ready().model
            encoder._tensors = watch.around(type(encoder)._tensors.__get__(encoder))
            model.generate = watch.around(type(model).generate.__get__(model))
        began = time.process_time()
        record = run(spec, task, executor=executor, out=Path(folder) / "runs", limit=count)
        own = time.process_time() - began - watch.seconds
    seconds = record.performance["seconds"]
    assert seconds is not None
    if runner:
        return {"harness": seconds, "own": own}
    return {"replicas": seconds}


def measure(part: str, count: int, model: str, device: str) -> dict[str, Figures]:
    """A part's figures by task, measured in this process."""
    from vlmbench.executors.choose import make_executor
    from vlmbench.models import resolve_model

    if part in ("ideal", "one by one"):
        runner = loaded_runner(model, device)
        loop = ideal if part == "ideal" else one_by_one
        return {task: loop(task, count, runner) for task in TASKS}
    spec = resolve_model(model, device=device)
    replicas = 1 if part == "harness" else None
    executor = make_executor(spec, replicas=replicas, batch_size=BATCH)
    try:
        return {task: harness(task, count, executor, spec) for task in TASKS}
    finally:
        executor.close()


PARTS = {"ideal": True, "harness": True, "replicas": False, "one by one": False}
"""What is measured, and whether torch is held to one thread on a CPU, which leaves the other core
to the threads that make batches ready."""


def in_process(part: str, options: argparse.Namespace) -> dict[str, Figures]:
    """A part's figures by task, measured in another process."""
    environment = dict(os.environ)
    if PARTS[part] and options.device == "cpu":
        environment |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    else:
        environment.pop("OMP_NUM_THREADS", None)
    arguments = [str(options.samples), "--device", options.device, "--model", options.model]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, "--part", part],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Figures] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(task: str, best: Figures, samples: int) -> str:
    """A line of the table."""
    cells = [
        task,
        *(f"{best[part]:.2f} s" for part in PARTS),
        f"{best['ideal'] / best['harness']:.2f}",
        f"{best['one by one'] / best['replicas']:.1f}",
        f"{samples / best['replicas']:.1f}",
        f"{1000 * best['own'] / samples:.2f} ms",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Prints a row a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="?", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="tiny-ja")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--part", choices=PARTS)
    options = parser.parse_args()
    if options.part:
        found = measure(options.part, options.samples, options.model, options.device)
        print(json.dumps(found))
        return
    best: dict[str, Figures] = {task: {} for task in TASKS}
    for _ in range(options.rounds):
        for part in PARTS:
            for task, figures in in_process(part, options).items():
                for name, seconds in figures.items():
                    best[task][name] = min(seconds, best[task].get(name, seconds))
    ratios = ("ideal / harness", "one by one / replicas", "replicas, samples/s")
    heads = ("task", *PARTS, *ratios, "own, a sample")
    print("| " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * (len(heads) - 1))
    for task in TASKS:
        print(row(task, best[task], options.samples))


if __name__ == "__main__":
    main()
