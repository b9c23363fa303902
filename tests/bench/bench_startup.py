"""Prints how long a run takes until its first answer, and to end after its last, as Markdown.

    python tests/bench/bench_startup.py [MODEL ...] [--rounds 3]

    first answer   from the call of `vlmbench run` until an answer is in the journal
    end            from the last line of the journal until the process is gone: scores, record
    CPU            of the command and all its processes
    bare           a script that imports transformers, loads the same model and answers once

The best of some rounds. The bare script is what no harness that uses transformers can be below.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import sys
from vlmbench.models.checkpoints import model_path
from vlmbench.models.resolve import resolve_model
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
folder = model_path(resolve_model(sys.argv[1]).location)
processor = AutoProcessor.from_pretrained(folder)
model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
turn = [{"role": "user", "content": [{"type": "text", "text": "何色ですか。"}]}]
inputs = processor.apply_chat_template(
    turn, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
)
with torch.inference_mode():
    model.generate(**inputs, max_new_tokens=4, do_sample=False)
print("answered", flush=True)
"""


def cpu_of_children() -> float:
    """Seconds, of those that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def whole_run(model: str) -> tuple[float, float, float]:
    """Seconds to the first answer, seconds to end, CPU seconds."""
    with tempfile.TemporaryDirectory() as out:
        options = ["--model", model, "--tasks", "ja-vqa", "--limit", "1", "--out", out]
        options += ["--quiet", "--no-cache"]
        before, began = cpu_of_children(), time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "vlmbench", "run", *options],
            stdout=subprocess.DEVNULL,
        )
        first = last = 0.0
        while process.poll() is None:
            journals = list(Path(out).glob("*/*/journal.jsonl"))
            lines = journals[0].read_bytes() if journals else b""
            if not first and b'"type":"response"' in lines:
                first = time.perf_counter()
            if not last and b'"type":"end"' in lines:
                last = time.perf_counter()
            time.sleep(0.002)
        ended = time.perf_counter()
        assert process.returncode == 0
        return first - began, ended - last, cpu_of_children() - before


def bare(model: str) -> tuple[float, float]:
    """Seconds to the first answer, CPU seconds."""
    before, began = cpu_of_children(), time.perf_counter()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", BARE, model], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"answered\n"
        first = time.perf_counter() - began
    return first, cpu_of_children() - before


def main() -> None:
    """Prints a row a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["baseline:majority", "tiny-ja"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| model | first answer | end | CPU | bare | CPU of bare |\n|---|" + "---:|" * 5)
    for model in options.models:
        found = [whole_run(model) for _ in range(options.rounds)]
        cells = [f"{min(column):.2f} s" for column in zip(*found, strict=True)]
        if model.startswith("baseline:"):
            cells += ["", ""]
        else:
            alone = [bare(model) for _ in range(options.rounds)]
            cells += [f"{min(column):.2f} s" for column in zip(*alone, strict=True)]
        print("| " + " | ".join([model, *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
