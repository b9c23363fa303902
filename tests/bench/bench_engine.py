"""Prints how near the engine comes to what the model itself needs, as Markdown.

    python tests/bench/bench_engine.py [SAMPLES] [--device cuda] [--model DIR] [--rounds 4]

For each task, on the same samples and batches, nothing cached, the best of some rounds:

    ideal       the sum of the times of model.generate, with inputs ready on the device
    harness     the whole pipeline with one copy of the model, from the first request to the last
                response; images and texts become tensors in another process
    replicas    the same with --replicas auto (on a CPU: a process of one thread a core)
    one by one  a loop of transformers alone, one sample after the other, on all cores
    own         CPU time of the harness, from reading the data to run.json, without that of the
                processor (images and texts to tensors) and of model.generate; all in one process

Rounds of what is compared take turns, so that a busy moment of the machine hits all alike: the
ideal and the harness in one process, replicas and single samples in a new process each time. No
decoded image is left over from an earlier round.
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

from vlmbench.environment import THREADS
from vlmbench.executors.batches import CPU_BATCH

TASKS = ("ja-vqa", "ja-caption")
WARM_UP = "ja-chart"
BATCH = CPU_BATCH
"""On a GPU too, so that both are given the same batches."""

TIMES = ("ideal", "harness", "replicas", "one by one")

Figures = dict[str, float]
"""Seconds by name."""

Rounds = list[Figures]


def requests_of(task_name: str, count: int) -> list[Any]:
    """The first requests of a task."""
    from vlmbench.tasks.prompt import build_request
    from vlmbench.tasks.registry import load_task
    from vlmbench.tasks.samples import read_samples

    task = load_task(task_name)
    generation = task.generation_for(0)
    samples = read_samples(task, only=range(count))
    return [build_request(task, sample, generation=generation) for sample in samples]


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


def one_by_one(task: str, count: int, model: str, device: str) -> Figures:
    """A loop over single samples as one writes it with transformers alone."""
    import torch
    import transformers

    from vlmbench.models.checkpoints import model_path
    from vlmbench.models.resolve import resolve_model
    from vlmbench.records import ImagePart

    folder = model_path(resolve_model(model).location)
    auto: Any = transformers.AutoProcessor
    processor = auto.from_pretrained(folder)
    loaded: Any = transformers.AutoModelForMultimodalLM.from_pretrained(folder).to(device).eval()
    requests = requests_of(task, count + 2)

    def answer(request: Any) -> str:
        content = [
            {"type": "image", "image": part.image.decode()}
            if isinstance(part, ImagePart)
            else {"type": "text", "text": part.text}
            for part in request.parts
        ]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(device)
        with torch.inference_mode():
            output = loaded.generate(
                **inputs, do_sample=False, max_new_tokens=request.generation.max_new_tokens
            )
        new = output[0, inputs["input_ids"].shape[1] :]
        return str(processor.tokenizer.decode(new, skip_special_tokens=True))

    for request in requests[count:]:  # to warm up
        answer(request)
    started = time.perf_counter()
    for request in requests[:count]:
        answer(request)
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


def watched(runner: Any) -> Stopwatch:
    """A stopwatch around the processor and model.generate."""
    watch = Stopwatch()
    encoder, model = runner._encoder, runner._ready().model
    encoder._tensors = watch.around(type(encoder)._tensors.__get__(encoder))
    model.generate = watch.around(type(model).generate.__get__(model))
    return watch


def warm_up(task: Any, executor: Any, spec: Any, folder: Path) -> None:
    """Run a little, until every process is there."""
    from vlmbench.evaluate import run

    def is_there() -> bool:
        preprocessing = getattr(executor, "_preprocessing", None)
        workers = [
            *getattr(executor, "_workers", ()),
            *(preprocessing._all if preprocessing else ()),
        ]
        return all(worker.is_ready for worker in workers)

    def some() -> None:
        run(spec, task, executor=executor, out=folder, limit=2 * BATCH, fresh=True)

    some()
    while not is_there():
        some()
    some()


def one_process(spec: Any, executor: Any, count: int, rounds: int) -> dict[str, Rounds]:
    """The ideal and the harness by turns, and what the harness itself takes of the CPU."""
    from vlmbench.evaluate import run
    from vlmbench.runners.hf.decoded_images import DecodedImageCache
    from vlmbench.tasks.registry import load_task

    found: dict[str, Rounds] = {}
    watch: Stopwatch | None = None
    for name in TASKS:
        task = load_task(name)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            for _ in range(rounds):
                warm_up(load_task(WARM_UP), executor, spec, out)
                runner = executor._runner
                watch = watch or watched(runner)
                figures = ideal(name, count, runner)
                record = run(spec, task, executor=executor, out=out, limit=count, fresh=True)
                seconds = record.performance["seconds"]
                assert seconds is not None
                # Once more with everything in this process, whose CPU time is counted.
                preprocessing, executor._preprocessing = executor._preprocessing, None
                runner._encoder._pictures = DecodedImageCache()
                watch.seconds, began = 0.0, time.process_time()
                run(spec, task, executor=executor, out=out, limit=count, fresh=True)
                own = time.process_time() - began - watch.seconds
                executor._preprocessing = preprocessing
                found.setdefault(name, []).append(figures | {"harness": seconds, "own": own})
    return found


def replicas(spec: Any, executor: Any, count: int) -> dict[str, Rounds]:
    """The pipeline with a process a core or GPU, from first request to last response."""
    from vlmbench.evaluate import run
    from vlmbench.tasks.registry import load_task

    found: dict[str, Rounds] = {}
    for name in TASKS:
        task = load_task(name)
        with tempfile.TemporaryDirectory() as folder:
            warm_up(load_task(WARM_UP), executor, spec, Path(folder) / "warm")
            out = Path(folder) / "runs"
            record = run(spec, task, executor=executor, out=out, limit=count)
        seconds = record.performance["seconds"]
        assert seconds is not None
        found[name] = [{"replicas": seconds}]
    return found


def measure(part: str, options: argparse.Namespace) -> dict[str, Rounds]:
    """A part's figures by task, measured in this process."""
    from vlmbench.executors.choose import make_executor
    from vlmbench.models.resolve import resolve_model

    count: int = options.samples
    if part == "one by one":
        return {task: [one_by_one(task, count, options.model, options.device)] for task in TASKS}
    spec = resolve_model(options.model, device=options.device)
    copies = 1 if part == "one process" else None
    executor = make_executor(spec, replicas=copies, batch_size=BATCH)
    try:
        if part == "replicas":
            return replicas(spec, executor, count)
        return one_process(spec, executor, count, options.rounds)
    finally:
        executor.close()


PARTS = ("one process", "replicas", "one by one")


def in_process(part: str, options: argparse.Namespace) -> dict[str, Rounds]:
    """A part's figures by task, measured in another process."""
    # The harness sets what it always sets; the loop runs as its libraries come.
    environment = {**os.environ, **({} if part == "one by one" else THREADS)}
    environment.pop("OMP_NUM_THREADS", None)
    if part == "one process" and options.device == "cpu":
        # One thread for the model: it leaves the other core to the process that encodes batches.
        environment["OMP_NUM_THREADS"] = "1"
    arguments = [str(options.samples), "--device", options.device, "--model", options.model]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, "--rounds", str(options.rounds), "--part", part],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Rounds] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(task: str, best: Figures, samples: int) -> str:
    """A line of the table."""
    cells = [
        task,
        *(f"{best[name]:.2f} s" for name in TIMES),
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
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--part", choices=PARTS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(measure(options.part, options)))
        return
    best: dict[str, Figures] = {task: {} for task in TASKS}
    for part in ["one process", *["replicas", "one by one"] * options.rounds]:
        for task, rounds in in_process(part, options).items():
            print(part, task, rounds, file=sys.stderr)
            for figures in rounds:
                for name, seconds in figures.items():
                    best[task][name] = min(seconds, best[task].get(name, seconds))
    ratios = ("ideal / harness", "one by one / replicas", "replicas, samples/s")
    print("| " + " | ".join(("task", *TIMES, *ratios, "own, a sample")) + " |")
    print("|---|" + "---:|" * (1 + len(TIMES) + len(ratios)))
    for task in TASKS:
        print(row(task, best[task], options.samples))


if __name__ == "__main__":
    main()
