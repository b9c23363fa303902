"""`vlmbench demo`: the whole loop on the embedded suite, offline, in a few minutes.

Baselines and the embedded model answer the four tasks; the trainer then fine-tunes the model on
something it is weak at; the fresh checkpoint answers too and is gated against the model it came
from; the report shows them all. Called again, it goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from vlmbench.cli import console
from vlmbench.compare.gate import check, save_baseline
from vlmbench.evaluate import run
from vlmbench.executors.choose import make_executor
from vlmbench.executors.progress import progress_bar
from vlmbench.models.resolve import resolve_model
from vlmbench.records import RunRecord
from vlmbench.report.html import build_report
from vlmbench.tasks.registry import load_task

TASKS = ("ja-caption", "ja-vqa", "ja-chart", "ja-multi-image")
BASELINES = ("baseline:majority", "baseline:blind-majority")
MODEL = "tiny-ja"
RECIPE = "tiny-ja-tune"


def demo(*, out: Path) -> Path:
    """Runs everything under `out` and returns the report's first page."""
    started = time.monotonic()
    runs = out / "runs"

    _say(1, f"Two baselines and {MODEL} answer {len(TASKS)} tasks")
    console.print_records(_evaluate([*BASELINES, MODEL], runs))

    _say(2, f"{MODEL} is fine-tuned for a minute or two (recipe {RECIPE})")
    checkpoint = _fine_tune(out / RECIPE)

    _say(3, f"The fresh checkpoint {checkpoint} answers the same tasks")
    console.print_records(_evaluate([str(checkpoint)], runs))

    _say(4, f"Is it better than {MODEL}? The gate compares them sample by sample")
    baseline = out / "baseline.json"
    save_baseline([runs / MODEL], baseline)
    verdicts = check([runs / checkpoint.name], baseline)
    console.print_gate(verdicts)

    page = build_report([runs], out / "report")
    minutes = (time.monotonic() - started) / 60
    print(f"\nDone in {minutes:.1f} minutes. The leaderboard: {page}")
    print(f"The gate would exit with {verdicts.exit_code} (0 fine, 1 regression, 3 inconclusive).")
    print("Next: vlmbench run --model YOUR_MODEL --tasks ja-vqa")
    return page


def _say(number: int, text: str) -> None:
    print(f"\n{number}. {text}", flush=True)


def _evaluate(models: Sequence[str], out: Path) -> list[RunRecord]:
    records = []
    for name in models:
        model = resolve_model(name)
        executor = make_executor(model)
        try:
            for task in map(load_task, TASKS):
                label = f"{model.name} · {task.name}"
                with progress_bar(label, quiet=False) as progress:
                    records.append(run(model, task, executor=executor, out=out, progress=progress))
        finally:
            executor.close()
    return records


def _fine_tune(target: Path) -> Path:
    from vlmbench.train.run import find_recipe, train

    if (target / "training.json").exists():
        print(f"{target} is there already; delete it to train again.")
        return target
    return train(find_recipe(RECIPE), out=target, resume=any(target.glob("checkpoint-*")))
