"""What the training of a stage works with: model, rows and guard, each checked before step 0."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vlmbench.errors import ConfigError, ModelError
from vlmbench.models.checkpoints import PACKAGED
from vlmbench.models.resolve import resolve_model
from vlmbench.models.spec import ModelSpec
from vlmbench.models.training_data import guard_results
from vlmbench.records import stable_hash
from vlmbench.runners.hf.load import Loaded, load, load_input_pipeline, quiet_libraries, source_of
from vlmbench.tasks.registry import load_task
from vlmbench.train.data.contamination import GuardReport
from vlmbench.train.data.evaluation_index import EvaluationIndex
from vlmbench.train.data.mixture import Mixture
from vlmbench.train.distributed import Processes, join
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.feed import RowFeed
from vlmbench.train.generated import (
    check_sizes,
    generated_examples,
    generated_validation,
    mixed,
)
from vlmbench.train.live import LiveModel, check_metric
from vlmbench.train.loop import Loop
from vlmbench.train.recipe import Recipe
from vlmbench.train.row_check import check_rows
from vlmbench.train.scratch import write_scratch
from vlmbench.train.sources import CheckedRows, Rows, TrainingRows, open_sources
from vlmbench.train.starts import assemble_start
from vlmbench.train.synthetic.examples import vocabulary_texts
from vlmbench.train.trainable import Trainable, make_trainable

FROM_NOTHING = "random weights"
"""Where a model from nothing comes from."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that the training of a stage works with."""

    recipe: Recipe
    spec: ModelSpec
    rows: Rows
    guard: GuardReport
    trainable: Trainable
    encoder: ExampleEncoder
    live: LiveModel
    loop: Loop


def prepare(recipe: Recipe, folder: Path, *, quiet: bool = True) -> Prepared:
    """Loads the model and the rows, and checks every row.

    Args:
        folder: Where the recipe lies.
        quiet: Show no progress.

    Raises:
        VlmbenchError: The model cannot be loaded or trained, or a row cannot be learned from.
    """
    best = recipe.evaluate.best if recipe.evaluate else None
    if best is not None and best != "validation.loss":
        check_metric(best.removeprefix("validation."))
    processes = join()
    torch.manual_seed(recipe.seed)
    with _start(recipe) as spec:
        loaded = _load(recipe, spec, processes)
    if recipe.scratch is not None:
        spec = replace(spec, location=FROM_NOTHING)
    encoder = ExampleEncoder(loaded, spec.options, end_tokens(loaded))
    sources = open_sources(recipe.row_sources, folder)
    mixture = Mixture(sources, seed=recipe.seed) if sources else None
    per_update = recipe.examples_per_step * processes.count
    checked, guarded = processes.by_main(
        lambda: _checked(
            recipe, mixture, encoder, per_update, longest=loaded.positions, quiet=quiet
        )
    )
    rows = checked.of(mixture)
    feed = _row_feed(recipe, rows, per_update)
    rows = replace(rows, validation=[*rows.validation, *generated_validation(recipe)])
    trainable = make_trainable(
        loaded.model,
        loaded.family,
        recipe,
        base_location(spec),
        revision=spec.revision,
        start=spec.options.get("adapter"),
    )
    named = replace(spec, name=recipe.name, fingerprint=stable_hash([spec.fingerprint, "live"]))
    guards = (guarded.as_dict(), *guard_results(spec))
    live = LiveModel(named, loaded, encoder, trainable, guards)
    return Prepared(
        recipe,
        spec,
        rows,
        guarded,
        trainable,
        encoder,
        live,
        Loop(recipe, trainable, encoder, mixed(recipe, feed, per_update), processes),
    )


def _checked(
    recipe: Recipe,
    mixture: Mixture | None,
    encoder: ExampleEncoder,
    per_update: int,
    *,
    longest: int,
    quiet: bool,
) -> tuple[CheckedRows, GuardReport]:
    """Every row, and all that will be generated, checked before the first step."""
    check_sizes(recipe, encoder, longest=longest)
    generated = generated_examples(recipe, per_update)
    index = _evaluated(recipe)
    return check_rows(recipe, mixture, encoder, index, generated, longest=longest, quiet=quiet)


def _load(recipe: Recipe, spec: ModelSpec, processes: Processes) -> Loaded:
    """The model; where each process will hold a part of it, one GPU need not hold it all."""
    if not processes.shards:
        return load(spec, adapted=False)
    for key, is_set in {
        "method: qlora": "quantization" in spec.options,
        "ema": recipe.ema is not None,
        "fp16": recipe.fp16,
    }.items():
        if is_set:
            raise ConfigError(
                f"'{key}' does not go with FSDP; leave it out, or train without FSDP."
            )
    loaded = load(replace(spec, device="cpu"), adapted=False)
    return replace(loaded, device=processes.device or loaded.device)


def _row_feed(recipe: Recipe, rows: Rows, per_update: int) -> RowFeed | None:
    if not isinstance(rows.training, TrainingRows):
        return None
    return RowFeed(rows.training, per_update, packing=recipe.packing)


def open_encoder(recipe: Recipe) -> ExampleEncoder:
    """The encoder of a recipe's model, without the weights.

    Raises:
        VlmbenchError: The model's processor cannot be loaded.
    """
    import transformers

    with _start(recipe) as spec:
        pipeline = load_input_pipeline(spec)
        try:
            generation = transformers.GenerationConfig.from_pretrained(
                source_of(spec), revision=spec.revision or "main"
            )
            ends = generation.eos_token_id
        except OSError:  # a checkpoint may leave the file out
            ends = None
    listed = ends if isinstance(ends, list) else [ends]
    return ExampleEncoder(pipeline, spec.options, listed)


def _evaluated(recipe: Recipe) -> EvaluationIndex:
    """What must not be trained on: the tasks that the recipe evaluates or names."""
    evaluated = recipe.evaluate.tasks if recipe.evaluate else {}
    names = dict.fromkeys((*evaluated, *recipe.guard.against))
    return EvaluationIndex.of_tasks([load_task(name) for name in names])


@contextmanager
def _start(recipe: Recipe) -> Iterator[ModelSpec]:
    """The model to start from, whose files may be gone afterwards."""
    if recipe.checkpoint is not None:
        yield _spec(recipe, recipe.checkpoint)
        return
    quiet_libraries()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "start"
        if recipe.assembly is not None:
            assemble_start(recipe.assembly, recipe.seed, folder)
        else:
            assert recipe.scratch is not None  # ModelChoice holds one of the three
            write_scratch(recipe.scratch, vocabulary_texts(), folder)
        yield _spec(recipe, str(folder))


def _spec(recipe: Recipe, checkpoint: str) -> ModelSpec:
    if recipe.fp16 and not torch.cuda.is_available():
        raise ConfigError("'fp16: true' needs a CUDA GPU; write 'bf16: true', or leave both out.")
    half = "float16" if recipe.fp16 else "bfloat16"
    is_half = recipe.fp16 or recipe.bf16
    quantized = {"quantization": "4bit"} if recipe.method == "qlora" else {}
    spec = resolve_model(
        checkpoint,
        dtype=half if is_half and recipe.method != "full" else "float32",
        options={**recipe.model_options, **quantized},
    )
    if spec.runner != "hf":
        raise ModelError(
            f"The model {checkpoint} is not one that transformers loads, so it cannot be "
            "trained here; choose a checkpoint."
        )
    if "adapter" in spec.options and not recipe.adapted_parts:
        raise ModelError(
            f"The checkpoint {checkpoint} is an adapter, which 'method: full' cannot train; merge "
            f"it first with 'vlmbench train export {checkpoint} -o DIR'."
        )
    return spec


def base_location(spec: ModelSpec) -> str:
    """Where an adapter finds its base again, whatever directory a command is run in."""
    path = Path(spec.location)
    is_folder = not spec.location.startswith(PACKAGED) and path.is_dir()
    return str(path.resolve()) if is_folder else spec.location


def end_tokens(loaded: Loaded) -> list[int]:
    """Ids of the tokens at which the model stops when it generates."""
    ends = loaded.model.generation_config.eos_token_id
    return ends if isinstance(ends, list) else [ends]
