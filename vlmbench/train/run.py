"""`vlmbench train`: load the recipe, make or load the model, train, save."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

from vlmbench.errors import ModelError, UsageError, unknown_name
from vlmbench.models import resolve_model
from vlmbench.train.config import TrainConfig, load_config


RECIPES = Path(__file__).with_name("recipes")


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe that ships with vlmbench, or the file of that path.

    Raises:
        UsageError: There is neither.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    shipped = {path.stem: path for path in RECIPES.glob("*.yaml")}
    if name_or_path not in shipped:
        raise UsageError(
            unknown_name("recipe", name_or_path, shipped, next_step="give the path of a YAML file")
        )
    return shipped[name_or_path]


def train(
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
        resume: Go on from the last checkpoint of an interrupted training in `out`.
        overrides: `key=value` pairs that replace values of the recipe.
        quiet: Show no progress bar.

    Raises:
        ConfigError: The recipe does not follow the schema.
        UsageError: `out` holds a training already, or nothing to resume.
        ModelError: The checkpoint to start from cannot be loaded.
    """
    config = load_config(recipe, overrides)
    target = out or Path("checkpoints") / config.name
    last = _last_checkpoint(target, resume=resume)
    _prepare_torch(config)

    from vlmbench.train.card import source_commit, write_card
    from vlmbench.train.progress import TrainingLog
    from vlmbench.train.sft import build_trainer

    model, processor = _load(config)
    log = TrainingLog(config, processor, target, quiet=quiet)
    trainer = build_trainer(config, model, processor, target, [log])
    commit, started = source_commit(), time.monotonic()
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    _save(config, model, processor, target)
    write_card(config, target, log, commit=commit, seconds=time.monotonic() - started)
    for folder in target.glob("checkpoint-*"):
        shutil.rmtree(folder)
    return target


def _last_checkpoint(target: Path, *, resume: bool) -> Path | None:
    found = sorted(target.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    if resume and not found:
        raise UsageError(f"There is no checkpoint to resume from in {target}; leave out --resume.")
    if not resume and (found or (target / "config.json").exists()):
        raise UsageError(
            f"{target} holds a training already; add --resume to go on with it, "
            "or choose another directory with --out."
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The directory {target} cannot be written ({error.strerror}); choose another --out."
        ) from error
    return found[-1] if resume else None


def _prepare_torch(config: TrainConfig) -> None:
    # A thread that spins while it waits starves the others as soon as a core is busy elsewhere.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    import numpy as np
    import torch

    random.seed(config.seed)
    np.random.seed(config.seed)
    torch.manual_seed(config.seed)
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def _load(config: TrainConfig) -> tuple[Any, Any]:
    """The model in float32 with its processor."""
    if config.model.scratch is not None:
        from vlmbench.embedded.split import texts_for_vocabulary
        from vlmbench.train.data import vocabulary_prompts
        from vlmbench.train.scratch import build_model, build_processor, build_tokenizer

        spec = config.model.scratch
        texts = [*texts_for_vocabulary(), *vocabulary_prompts(config)]
        tokenizer = build_tokenizer(texts, spec.vocabulary)
        return build_model(tokenizer, spec), build_processor(tokenizer, spec)

    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    location = resolve_model(config.model.checkpoint or "").location
    try:
        processor = AutoProcessor.from_pretrained(location)
        model = AutoModelForImageTextToText.from_pretrained(location, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The checkpoint {config.model.checkpoint} cannot be loaded for training "
            f"({str(error).splitlines()[0]}); check model.checkpoint in the recipe."
        ) from error
    if model.config.model_type != "qwen2_vl":
        raise ModelError(
            f"The checkpoint {config.model.checkpoint} is a {model.config.model_type}; "
            "the trainer knows the Qwen2-VL family only, choose one of its checkpoints."
        )
    return model, processor


def _save(config: TrainConfig, model: Any, processor: Any, target: Path) -> None:
    import torch

    model.to(getattr(torch, config.weights_dtype)).save_pretrained(target)
    processor.save_pretrained(target)
