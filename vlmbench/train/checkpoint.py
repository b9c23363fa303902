"""Checkpoints: complete, tried before they count, and enough to go on from to the bit.

A checkpoint is written into a folder beside its own, loaded from there as `vlmbench run` would,
asked, and renamed only if it answers as the model in memory does. Before the first step, and for
the one that becomes the result, a process of its own does that.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vlmbench.errors import ModelError
from vlmbench.models.training_data import CHECKPOINT_FACTS
from vlmbench.train.contrastive import STATE as CONTRASTIVE_STATE
from vlmbench.train.data.examples import Example
from vlmbench.train.live import LiveModel, questions_of
from vlmbench.train.reload import fresh_answers, reloaded_answers
from vlmbench.train.sharding import sharded_like
from vlmbench.train.trainable import Trainable

CARD = CHECKPOINT_FACTS
"""Written last: says that a directory holds a whole checkpoint."""
STATE = "state.pt"
FINAL = "final"
"""A whole checkpoint that is the result, on its way to its place."""
TRIED_EXAMPLES = 4
PROBE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, beside its weights."""

    step: int
    best: float | None
    """The best value of `evaluate.best` so far."""
    best_step: int
    checks_without_gain: int
    kept: dict[int, float]
    """Steps whose checkpoints are the best so far, with their values."""
    probe_loss: float
    """Of a batch that is the same at every checkpoint; tells whether resuming restored all."""
    seconds: float


def write_checkpoint(
    target: Path,
    trainable: Trainable,
    live: LiveModel,
    card: Mapping[str, Any],
    readme: str,
    probes: Sequence[Example],
) -> None:
    """Writes a whole checkpoint, tries it and renames it to `target`.

    Args:
        card: What checkpoint.json says.
        probes: Examples whose answers must be the same from the file.

    Raises:
        ModelError: What was written cannot be loaded, or answers otherwise.
    """
    folder = target.with_name(f".{target.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _save_model(folder, trainable, live)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    tried = probes[:TRIED_EXAMPLES]
    answers = live.answers(tried)
    _compare(tried, reloaded_answers(folder, live.spec, questions_of(tried)), answers)
    facts = {**card, "answers": answers}
    text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)


def try_checkpoint(beside: Path, trainable: Trainable, live: LiveModel, probe: Example) -> None:
    """Writes a checkpoint and throws it away, to know before the first step that it will work.

    Raises:
        ModelError: See `write_checkpoint`.
    """
    folder = beside / ".first.part"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        _save_model(folder, trainable, live)
        written = fresh_answers(folder, live.spec, questions_of([probe]))
        _compare([probe], written, live.answers([probe]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _save_model(folder: Path, trainable: Trainable, live: LiveModel) -> None:
    trainable.save(folder)
    (folder / "README.md").unlink(missing_ok=True)  # peft's, which says nothing
    live.loaded.processor.save_pretrained(folder)
    template = folder / "chat_template.jinja"
    if not template.exists():
        template.write_text(live.loaded.chat_template, encoding="utf-8")
    live.loaded.model.generation_config.save_pretrained(folder)


def prove_checkpoint(folder: Path, live: LiveModel, probes: Sequence[Example]) -> None:
    """Sees that a checkpoint answers in a process of its own as the model did when it was written.

    Raises:
        ModelError: It cannot be loaded there, or answers otherwise.
    """
    tried = probes[:TRIED_EXAMPLES]
    noted = json.loads((folder / CARD).read_text(encoding="utf-8"))["answers"]
    written = fresh_answers(folder, live.spec, questions_of(tried))
    _compare(tried, written, noted)


def _compare(probes: Sequence[Example], written: Sequence[str], live: Sequence[str]) -> None:
    for example, one, other in zip(probes, written, live, strict=True):
        if one != other:
            raise ModelError(
                f"The checkpoint that was written answers row '{example.id}' with '{one[:40]}', "
                f"and the model in memory with '{other[:40]}'; it is not kept."
            )


def write_state(
    folder: Path,
    trainable: Trainable,
    optimizer: Mapping[str, Any],
    progress: Progress,
    loop: Mapping[str, Any],
) -> None:
    """Adds to a checkpoint what a resumed training needs beside it, weights by the names in memory.

    Args:
        optimizer: Its `optimizer_state`.
        loop: The state of the loop.

    A file's names are not always those in memory, and a loader that takes them for the same
    restores nothing without a word (huggingface/transformers issue 43701).
    """
    weights = {name: parameter.detach() for name, _, parameter in trainable.trained()}
    values = {field: getattr(progress, field) for field in Progress.__slots__}
    part = folder / f".{STATE}.part"
    state = {"weights": weights, "optimizer": optimizer, "progress": values}
    torch.save({**state, "loop": dict(loop)}, part)
    part.replace(folder / STATE)


def read_state(
    folder: Path,
    trainable: Trainable,
    load_optimizer: Callable[[Any], None],
    load_loop: Callable[[Mapping[str, Any]], None],
) -> Progress:
    """Restores what `write_state` wrote.

    Args:
        load_optimizer: Takes the state of the optimizer, once the weights are there.
        load_loop: Takes the state of the loop.

    Raises:
        ModelError: The file is not of this model.
    """
    device = next(trainable.model.parameters()).device
    state = torch.load(folder / STATE, map_location=device, weights_only=True)
    saved = state["weights"]
    current = {name: parameter for name, _, parameter in trainable.trained()}
    if odd := sorted(saved.keys() ^ current.keys()):
        raise ModelError(
            f"The checkpoint {folder} is of another training (they differ in {odd[0]}); train "
            "anew into another directory with --out."
        )
    with torch.no_grad():
        for name, parameter in current.items():
            parameter.copy_(sharded_like(saved[name], parameter))
    load_optimizer(state["optimizer"])
    load_loop(state["loop"])
    return Progress(**state["progress"])


def last_whole(target: Path) -> Path | None:
    """The newest checkpoint of an unfinished training; what was not saved whole is removed."""
    numbered = sorted(target.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[-1]))
    for folder in reversed(numbered):
        if (folder / CARD).is_file() and (folder / STATE).is_file():
            return folder
        shutil.rmtree(folder)
    return None


def keep_newest(target: Path, count: int) -> None:
    """Removes all but the newest checkpoints."""
    numbered = sorted(target.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[-1]))
    for folder in numbered[:-count]:
        shutil.rmtree(folder)


def best_folder(target: Path, step: int) -> Path:
    """Where one of the best checkpoints is kept."""
    return target / f"best-step-{step}"


def keep_best(target: Path, steps: Collection[int]) -> None:
    """Removes all of the best checkpoints but those of some steps."""
    kept = {best_folder(target, step) for step in steps}
    for folder in target.glob("best-step-*"):
        if folder not in kept:
            shutil.rmtree(folder)


def is_unfinished(target: Path) -> bool:
    """Whether a directory holds a training that can go on."""
    begun = any(target.glob("checkpoint-*")) or (target / CONTRASTIVE_STATE).exists()
    return begun or is_almost_finished(target)


def is_almost_finished(target: Path) -> bool:
    """Whether a training was stopped while its result was put into its place."""
    return (target / FINAL / CARD).is_file()


def publish(target: Path) -> None:
    """Moves the result's files into the directory of the training, checkpoint.json last.

    Whatever stops it, calling it again goes on; what only a training under way needs is removed.
    """
    for folder in (*target.glob("checkpoint-*"), *target.glob(".*.part")):
        shutil.rmtree(folder)
    (target / "recipe.json").unlink(missing_ok=True)
    files = sorted((target / FINAL).iterdir(), key=lambda path: path.name == CARD)
    for path in files:
        path.replace(target / path.name)
    (target / FINAL).rmdir()
