"""Prints how fast the training loop is beside transformers' own Trainer, as Markdown.

    python tests/bench/bench_trainer.py [--model tiny-ja] [--method full] [--steps 40] [--rounds 3]

The same model, rows, batches and optimizer, the best of some rounds, which take turns:

    vlmbench      the loop of `vlmbench train run`: pictures are decoded and rows tokenized while
                  the model works on the batch before
    transformers  Trainer.train on the same rows, whose tensors are all in memory already: it
                  has nothing to decode and nothing to wait for

Times go from the start of the first update to the end of the last, the checks of the first updates
included. The share of waiting is the part of that time in which the loop had no batch.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import transformers
from made_colors import color_rows, data_recipe, write_rows

from vlmbench.train.batch import IGNORE, Batch
from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe

ROWS, BATCH = 128, 8


@dataclass(frozen=True, slots=True)
class Timed:
    """What one training took."""

    samples_per_second: float
    wait: float
    """Part of the time in which no batch was ready, 0 to 1; 0 where all are in memory."""
    loss: float
    """Of the last update: the two learn the same."""


def ready(options: argparse.Namespace) -> Prepared:
    """The model and the rows of a training."""
    folder = Path(tempfile.mkdtemp())
    write_rows(folder / "rows.parquet", color_rows(ROWS))
    recipe = data_recipe(
        folder,
        options.model,
        method=options.method,
        learning_rate=1e-4,
        max_steps=options.steps,
        per_device_train_batch_size=BATCH,
        warmup_ratio=0.0,
    )
    return prepare(parse_recipe(read_recipe(recipe), recipe).stages[0], folder)


def ours(options: argparse.Namespace) -> Timed:
    """The loop of `vlmbench train run`."""
    loop = ready(options).loop
    wait, loss = 0.0, 0.0
    began = time.perf_counter()
    for report in loop.run():
        wait += report.wait
        loss = report.loss
    seconds = time.perf_counter() - began
    return Timed(options.steps * BATCH / seconds, wait / seconds, loss)


def theirs(options: argparse.Namespace) -> Timed:
    """transformers' Trainer on the tensors of the same updates."""
    prepared = ready(options)
    batches = [_tensors(prepared, step) for step in range(options.steps)]
    model = prepared.trainable.adapter or prepared.trainable.model
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=options.steps,
        per_device_train_batch_size=1,  # an item of the data is a batch, already in its tensors
        learning_rate=1e-4,
        max_grad_norm=1.0,
        lr_scheduler_type="linear",
        weight_decay=0.0,
        optim="adamw_torch",
        save_strategy="no",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
        seed=0,
    )
    trainer = _InOrder(
        model=model,
        args=arguments,
        train_dataset=batches,  # type: ignore[arg-type]
        data_collator=lambda items: dict(items[0]),
    )
    trainer.remove_callback(transformers.PrinterCallback)
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    loss = [row["loss"] for row in trainer.state.log_history if "loss" in row][-1]
    return Timed(options.steps * BATCH / seconds, 0.0, loss)


class _InOrder(transformers.Trainer):
    """Takes the batches in their order, as the loop does."""

    def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)  # type: ignore[arg-type]


def _tensors(prepared: Prepared, step: int) -> dict[str, torch.Tensor]:
    batch: Batch = prepared.encoder.batch(prepared.loop.feed.update(step))
    assert int((batch.labels != IGNORE).sum()) == batch.learned
    return {**batch.inputs, "labels": batch.labels}


def best(timed: Sequence[Timed]) -> Timed:
    """The fastest one."""
    return max(timed, key=lambda one: one.samples_per_second)


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-ja")
    parser.add_argument("--method", choices=("lora", "full"), default="full")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[Timed]] = {"vlmbench": [], "transformers": []}
    for _ in range(options.rounds):
        for name, measure in (("vlmbench", ours), ("transformers", theirs)):
            found[name].append(measure(options))
            gc.collect()
    one, other = best(found["vlmbench"]), best(found["transformers"])
    print(f"{options.model}, {options.method}, {options.steps} updates of {BATCH} rows,")
    print(f"{torch.get_num_threads()} threads, best of {options.rounds}\n")
    print("| | samples/s | waits for data | last loss |\n|---|---|---|---|")
    for name, timed in (("vlmbench", one), ("transformers", other)):
        cells = (f"{timed.samples_per_second:.1f}", f"{timed.wait:.1%}", f"{timed.loss:.4f}")
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\nRatio: {one.samples_per_second / other.samples_per_second:.2f}")


if __name__ == "__main__":
    main()
