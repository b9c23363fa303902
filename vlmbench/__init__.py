"""vlmbench: evaluate, train and compare vision-language models for Japanese.

    import vlmbench
    vlmbench.evaluate(model="tiny-ja", tasks=["ja-vqa"], limit=50, out="runs")
    vlmbench.load_runs("runs")      # a DataFrame, a row an estimate
    vlmbench.load_samples("runs")   # a DataFrame, a row an answer

Each function does what the command of its name does; everything heavy is imported inside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from vlmbench.evaluate import Evaluation

__version__ = "0.1.0"
__all__ = ["compare", "evaluate", "load_runs", "load_samples", "train"]


def evaluate(
    model: str | Sequence[str],
    tasks: str | Sequence[str],
    *,
    limit: int | None = None,
    out: str | Path = "runs",
    seed: int = 0,
    fresh: bool = False,
    batch_size: int | None = None,
    replicas: int | None = None,
    data_dir: str | Path | None = None,
    cache: bool = True,
    keep_images: bool = False,
    progress: bool = True,
    **options: Any,
) -> Evaluation:
    """Evaluate models on tasks, or go on where an earlier call stopped: `vlmbench run`.

    Args:
        model: What `--model` takes, one or several.
        tasks: Names of tasks or groups, or paths of task files.
        limit: Answer only so many samples of each task.
        out: Output directory; a run's own is `<out>/<model>/<task>`.
        seed: Of sampled generation, and of what is drawn for a diagnosis.
        fresh: Drop the answers of earlier calls.
        batch_size: Requests that a copy of the model answers at a time; None to find out.
        replicas: Copies of the model; None: one a GPU, on a CPU one a core. More than 1 start
            processes, which in a script needs no `if __name__ == "__main__"`.
        data_dir: Where rows of Hub tasks may lie, as for `--data-dir`.
        cache: Find answers again that were given before.
        keep_images: Store each image once below `<out>/images`.
        progress: Show a progress bar on standard error.
        **options: Of the model, as `vlmbench run` has them: base_url, dtype, device ...

    Returns:
        The records of the runs, one a model and task, which also lie in their directories.

    Raises:
        VlmbenchError: With one sentence for people; answers that were given stay.
    """
    from vlmbench.evaluate import evaluate_models

    return evaluate_models(
        _listed(model),
        _listed(tasks),
        out=Path(out),
        limit=limit,
        seed=seed,
        fresh=fresh,
        batch_size=batch_size,
        replicas=replicas,
        data_dir=None if data_dir is None else Path(data_dir),
        cache=cache,
        keep_images=keep_images,
        quiet=not progress,
        options=options,
    )


def load_runs(paths: str | Path | Sequence[str | Path] = "runs") -> pd.DataFrame:
    """Every estimate of every run below some directories, a row each.

    See `vlmbench.scoring.frames.load_runs` for the columns.
    """
    from vlmbench.scoring import frames

    return frames.load_runs(paths)


def load_samples(paths: str | Path | Sequence[str | Path] = "runs") -> pd.DataFrame:
    """Every answer of every run below some directories, a row each.

    See `vlmbench.scoring.frames.load_samples` for the columns.
    """
    from vlmbench.scoring import frames

    return frames.load_samples(paths)


def compare(*paths: str | Path, published: bool = False) -> pd.DataFrame:
    """Models side by side on the same samples: `vlmbench compare`.

    Args:
        *paths: Run, model or output directories; the first model is compared with the others.
        published: Put runs beside published scores instead, where these compare.

    Returns:
        A row a task, metric and other model, see `vlmbench.compare.pairs.compare_runs`; for
        published scores see `vlmbench.compare.published.published_frame`.

    Raises:
        VlmbenchError: There is no run, or only one model.
    """
    from vlmbench.compare.pairs import compare_runs
    from vlmbench.compare.published import published_frame

    roots = [Path(one) for one in paths]
    return published_frame(roots) if published else compare_runs(roots)


def train(
    recipe: str | Path,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Train a model by a recipe: `vlmbench train run`.

    Args:
        recipe: The name of a recipe that ships with vlmbench, or a YAML file.
        out: The directory to write; `checkpoints/<name>` unless given.
        resume: Go on from the last checkpoint of an interrupted training.
        overrides: Values that replace those of the recipe, by dotted key.
        progress: Show a progress bar.

    Returns:
        The checkpoint's directory, which `evaluate(model=...)` takes; `training.html` in it shows
        how the training went.

    Raises:
        VlmbenchError: With one sentence for people.
    """
    from vlmbench.report.training import write_training_page
    from vlmbench.train.run import find_recipe, train_by_recipe

    return train_by_recipe(
        find_recipe(str(recipe)),
        out=None if out is None else Path(out),
        resume=resume,
        overrides=[f"{key}={value}" for key, value in (overrides or {}).items()],
        quiet=not progress,
        watch=write_training_page,
    )


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


class _Package(ModuleType):
    """Lets `vlmbench.evaluate`, `.compare` and `.train` be functions and modules at once.

    Importing the module `vlmbench.evaluate` binds it over the function of that name. The module
    is then made callable, as that function.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in __all__:
            value.__class__ = _callable_module(_FUNCTIONS[name])
            value.__dict__["__wrapped__"] = _FUNCTIONS[name]  # where help finds the signature
        super().__setattr__(name, value)


def _callable_module(function: Callable[..., Any]) -> type[ModuleType]:
    return type("CallableModule", (ModuleType,), {"__call__": staticmethod(function)})


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "compare": compare,
    "evaluate": evaluate,
    "train": train,
}
sys.modules[__name__].__class__ = _Package
