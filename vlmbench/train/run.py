"""`vlmbench train run`: load the recipe, make or load the model, train, save."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from vlmbench.environment import set_thread_env
from vlmbench.errors import ModelError, UsageError, unknown_name
from vlmbench.models.checkpoints import model_path
from vlmbench.models.resolve import resolve_model
from vlmbench.train.config import TrainConfig, load_config
from vlmbench.train.output import (
    clear,
    explained_write_errors,
    is_finished,
    keep_recipe,
    last_checkpoint,
)
from vlmbench.train.recipe import StagedRecipe, is_own_data, parse_recipe, read_recipe

SHIPPED_RECIPES = Path(__file__).with_name("recipes")
TRAINABLE_TYPE = "qwen2_vl"
"""The `model_type` whose prompts the collator can pack."""


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe that ships with vlmbench, or the file of that path.

    Raises:
        UsageError: There is neither.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    shipped = {path.stem: path for path in SHIPPED_RECIPES.glob("*.yaml")}
    if name_or_path not in shipped:
        raise UsageError(
            unknown_name("recipe", name_or_path, shipped, next_step="give the path of a YAML file")
        )
    return shipped[name_or_path]


def train_by_recipe(
    recipe: Path,
    *,
    out: Path | None = None,
    resume: bool = False,
    overrides: list[str] | None = None,
    quiet: bool = False,
) -> Path:
    """Trains by a recipe and returns the checkpoint directory, which `vlmbench run` loads.

    Args:
        recipe: A YAML file, see `TrainConfig`.
        out: The directory to write; `checkpoints/<name>` unless given.
        resume: Go on from the last checkpoint of an interrupted training in `out`; a finished one
            is left as it is.
        overrides: `key=value` pairs that replace values of the recipe.

    Raises:
        ConfigError: The recipe does not follow the schema.
        UsageError: `out` holds a training already, or nothing to resume, or cannot be written.
        ModelError: The checkpoint to start from cannot be loaded.
    """
    values = read_recipe(recipe, overrides)
    if is_own_data(values):
        return train_on_data(parse_recipe(values, recipe), out=out, resume=resume, quiet=quiet)
    config = load_config(recipe, overrides)
    target = out or Path("checkpoints") / config.name
    last = last_checkpoint(target, resume=resume)
    keep_recipe(config, target, resume=resume)
    if resume and is_finished(target):
        clear(target)
        return target
    _prepare_torch(config)

    from vlmbench.train.card import source_commit, write_card
    from vlmbench.train.progress import TrainingLog
    from vlmbench.train.sft import build_trainer

    model, processor = _load(config)
    commit = source_commit()
    with (
        explained_write_errors(target),
        TrainingLog(config, processor, target, quiet=quiet) as log,
    ):
        trainer = build_trainer(config, model, processor, target, [log])
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        _save(config, model, processor, target)
        write_card(config, target, log, commit=commit)
        clear(target)
    return target


def train_on_data(
    recipe: StagedRecipe, *, out: Path | None = None, resume: bool = False, quiet: bool = False
) -> Path:
    """Trains by a recipe on a user's own rows, a stage after the other.

    Each stage but the last has a directory `stages/<number>` of its own, where the next one
    starts from; a start that is put together has `stages/0`. A resumed training passes over those
    that are finished.

    Raises:
        VlmbenchError: See `train_stage`.
    """
    from vlmbench.train.fit import train_stage
    from vlmbench.train.starts import assemble_start

    target = out or Path("checkpoints") / recipe.name
    first, start = recipe.stages[0], None
    if first.assembly is not None:
        start = assemble_start(first.assembly, first.seed, target / "stages" / "0")
    for number, stage in enumerate(recipe.stages, 1):
        is_last = number == len(recipe.stages)
        folder = target if is_last else target / "stages" / str(number)
        if start is not None:
            stage = stage.starting_from(str(start))
        goes_on = resume and (is_last or folder.exists()) and _began(folder)
        start = train_stage(stage, recipe.folder, folder, resume=goes_on, quiet=quiet)
    return target


def _began(folder: Path) -> bool:
    """Whether a stage got as far as something to go on from."""
    files = (folder / name for name in ("checkpoint.json", "contrastive.pt"))
    return any(map(Path.exists, files)) or any(folder.glob("checkpoint-*"))


def _prepare_torch(config: TrainConfig) -> None:
    set_thread_env()

    import numpy as np
    import torch
    import transformers

    messages: Any = transformers.utils.logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    random.seed(config.seed)
    np.random.seed(config.seed)
    torch.manual_seed(config.seed)
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def _load(config: TrainConfig) -> tuple[Any, Any]:
    """The model in float32 with its processor."""
    if config.model.scratch is not None:
        from vlmbench.train.scratch import build_model, build_processor, build_tokenizer
        from vlmbench.train.synthetic.split import texts_for_vocabulary
        from vlmbench.train.synthetic_data import vocabulary_prompts

        spec = config.model.scratch
        texts = [*texts_for_vocabulary(), *vocabulary_prompts(config)]
        tokenizer = build_tokenizer(texts, spec.vocabulary)
        return build_model(tokenizer, spec), build_processor(tokenizer, spec)

    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

    name = config.model.checkpoint or ""
    start = resolve_model(name)
    if "adapter" in start.options:
        raise ModelError(
            f"The checkpoint {name} is an adapter, which is not trained further; give the model "
            f"it was trained on ({start.location})."
        )
    location = str(model_path(start.location))
    try:
        family = AutoConfig.from_pretrained(location).model_type
        if family != TRAINABLE_TYPE:
            raise ModelError(
                f"The checkpoint {name} is a {family}; the trainer knows the Qwen2-VL family only, "
                "choose one of its checkpoints."
            )
        processor = AutoProcessor.from_pretrained(location)  # type: ignore[no-untyped-call]
        model = AutoModelForImageTextToText.from_pretrained(location, dtype=torch.float32)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"The checkpoint {name} cannot be loaded for training "
            f"({str(error).splitlines()[0]}); check model.checkpoint in the recipe."
        ) from error
    return model, processor


def _save(config: TrainConfig, model: Any, processor: Any, target: Path) -> None:
    import torch

    model.to(getattr(torch, config.weights_dtype)).save_pretrained(target)
    processor.save_pretrained(target)
