"""`vlmbench train run`: find a recipe and carry out its stages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TypeAlias

from vlmbench.errors import UsageError, unknown_name
from vlmbench.train.output import claimed
from vlmbench.train.recipe import StagedRecipe
from vlmbench.train.recipe_file import parse_recipe, read_recipe

SHIPPED_RECIPES = Path(__file__).with_name("recipes")
Watch: TypeAlias = Callable[[Path], object]
"""Called with a training's directory when there is something new to see in it."""


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe that ships with vlmbench, or the file of that path.

    Raises:
        UsageError: There is neither.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    if name_or_path.endswith((".yaml", ".yml")):
        raise UsageError(f"There is no recipe file {name_or_path}; check the path.")
    shipped = {path.stem: path for path in SHIPPED_RECIPES.glob("*.yaml")}
    if name_or_path not in shipped:
        raise UsageError(
            unknown_name("recipe", name_or_path, shipped, next_step="give the path of a YAML file")
        )
    return shipped[name_or_path]


def train_by_recipe(
    path: Path,
    *,
    out: Path | None = None,
    resume: bool = False,
    overrides: list[str] | None = None,
    quiet: bool = False,
    watch: Watch | None = None,
) -> Path:
    """Trains by a recipe and returns the checkpoint directory, which `vlmbench run` loads.

    Each stage but the last has a directory `stages/<number>` of its own, where the next one
    starts from; a start that is put together has `stages/0`. A resumed training passes over those
    that are finished.

    Args:
        path: A YAML file, see `Recipe`.
        out: The directory to write; `checkpoints/<name>` unless given.
        resume: Go on from the last checkpoint of an interrupted training in `out`, or begin again
            if it has none yet; a finished one is left as it is.
        overrides: `key=value` pairs that replace values of the recipe.
        watch: Called with the directory when there is something new to see in it.

    Raises:
        ConfigError: The recipe does not follow the schema.
        VlmbenchError: See `train_stage`.
    """
    recipe = parse_recipe(read_recipe(path, overrides), path)
    target = out or Path("checkpoints") / recipe.name
    between = [target / "stages" / str(number) for number in range(1, len(recipe.stages))]
    folders = [*between, target]

    from vlmbench.train.distributed import join

    claim = claimed(target) if join().is_main else nullcontext(True)
    with claim as begun:
        if resume and not begun and not any(_began(folder) for folder in folders):
            raise UsageError(
                f"There is no checkpoint to resume from in {target}; leave out --resume."
            )
        _train(recipe, target, folders, resume=resume, quiet=quiet, watch=watch)
    return target


def _train(
    recipe: StagedRecipe,
    target: Path,
    folders: list[Path],
    *,
    resume: bool,
    quiet: bool,
    watch: Watch | None,
) -> None:
    """Goes through the stages; one that was killed before its first checkpoint begins again."""
    from vlmbench.train.fit import train_stage
    from vlmbench.train.starts import assemble_start
    from vlmbench.train.watching import StageNumber

    first, start = recipe.stages[0], None
    if first.assembly is not None:
        start = assemble_start(first.assembly, first.seed, target / "stages" / "0")
    for number, (stage, folder) in enumerate(zip(recipe.stages, folders, strict=True), 1):
        if start is not None:
            stage = stage.starting_from(str(start))
        start = train_stage(
            stage,
            recipe.folder,
            folder,
            resume=resume and _began(folder),
            quiet=quiet,
            stage=StageNumber(number, len(folders)),
            watch=partial(watch, target) if watch else None,
        )


def _began(folder: Path) -> bool:
    """Whether a stage got as far as something to go on from."""
    from vlmbench.train.checkpoint import CARD, is_unfinished

    return (folder / CARD).is_file() or is_unfinished(folder)
