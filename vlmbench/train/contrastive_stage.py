"""A stage with `objective: contrastive`: pairs of an image and a text, against the brain's words.

The connector's image tokens, averaged, move towards the language model's own embeddings of what is
said of the image (see contrastive.py), so that the next stage starts with tokens that already name
things. Pairs are rows with one image and their first answer, or regions of it and their names
(see pairs.py). In the end the tokens get the place and the size that words have.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from vlmbench.errors import ModelError, UsageError
from vlmbench.train.card import checkpoint_facts, checkpoint_readme
from vlmbench.train.checkpoint import (
    FINAL,
    Progress,
    prove_checkpoint,
    publish,
    try_checkpoint,
    write_checkpoint,
)
from vlmbench.train.contrastive import (
    STATE,
    ContrastiveConfig,
    DualEncoder,
    OnStep,
    retrieval,
    saved_step,
    train_contrastive,
)
from vlmbench.train.encoders import (
    GetInputs,
    TokenMeans,
    VlmImageEncoder,
    connector_inputs,
    pixels_of,
)
from vlmbench.train.pairs import Pairs, collect_pairs, pairs_of, tokens_of
from vlmbench.train.prepare import Prepared
from vlmbench.train.progress import StepLog
from vlmbench.train.step_report import StepReport
from vlmbench.train.watching import StageNumber, start_facts

PIXEL_CONNECTORS = ("blip-2",)
"""`model_type` of models whose connector is trained from pixels."""
STORED_CONNECTORS = ("llava", "internvl")
"""Those whose image encoder, where it is frozen, looks at each picture once."""
OUTPUT_LAYERS = {
    "blip-2": "language_projection",
    "llava": "model.multi_modal_projector.linear_2",
    "internvl": "model.multi_modal_projector.linear_2",
}
"""Paths of the linear layers whose outputs are the image tokens."""


class ContrastiveStage:
    """The contrastive training of a stage, from its rows to a checkpoint.

    Raises:
        ModelError: The model's connector is none that can be compared with words.
        UsageError: Several processes were started.
        DataError: No row shows one image.
    """

    def __init__(self, ready: Prepared) -> None:
        self._ready, self._recipe = ready, ready.recipe
        self._model: Any = ready.trainable.model
        check_connector(self._model.config.model_type)
        if ready.loop.processes.count > 1:
            raise UsageError(
                "A contrastive stage trains in one process, and several were started; train it by "
                "'vlmbench train run' first, then launch the rest with --resume."
            )
        if self._model.config.model_type == "internvl":
            share_between_patches(self._model)
        self._probes = ready.loop.feed.some(4)
        contrastive = ready.recipe.contrastive
        frozen = "vision" not in ready.recipe.trained_parts
        self._stored = frozen and self._model.config.model_type in STORED_CONNECTORS
        if contrastive.regions and not self._stored:
            raise UsageError(
                "'contrastive.regions' needs LLaVA or InternVL with a frozen image encoder; write "
                "'train: [connector]', or leave it out."
            )
        self._training = collect_pairs(
            ready.loop.feed, contrastive.pictures, regions=contrastive.regions
        )
        self._validation = pairs_of(ready.rows.validation, regions=contrastive.regions)
        texts = [*self._training.texts, *self._validation.texts]
        self._words = TokenMeans(self._model, ready.live.loaded.tokenizer, texts)
        self._dual = DualEncoder(
            VlmImageEncoder(self._model),
            self._words,
            batch_size=ready.recipe.examples_per_step,
            largest_scale=contrastive.largest_scale,
            bf16=ready.recipe.bf16,
        ).to(self._model.device)

    def run(self, target: Path, log: StepLog, stage: StageNumber, *, resume: bool) -> None:
        """Trains to the end, from the last saved step if there is one."""
        ready, began = self._ready, time.monotonic()
        start = start_facts(ready, stage, self._probes)
        if resume:
            log.begin(saved_step(target), start)
        else:
            try_checkpoint(target, ready.trainable, ready.live, self._probes[0])
            log.begin(0, start)
        training = self._inputs(self._training, seed=self._recipe.seed)
        validation = self._inputs(self._validation)
        evaluate, steps = self._recipe.evaluate, ready.loop.steps

        ended = time.perf_counter()

        def on_step(step: int, loss: float, norm: float, rate: float) -> None:
            nonlocal ended
            before, ended = ended, time.perf_counter()
            log.step(_report(step, loss, norm, rate, ended - before))
            checked = evaluate is not None and step % evaluate.every_steps == 0
            if self._validation.texts and (checked or step == steps):
                log.check(step, self._retrieval(validation))

        texts = self._training.texts
        self._train(training, texts, steps, on_step, out=target, resume=resume)
        self._speak_at_size(training)
        self._finish(target, time.monotonic() - began)

    def trial(self, steps: int) -> list[float]:
        """The losses of a few updates, of which nothing is kept."""
        losses: list[float] = []
        few = self._training.first(self._recipe.examples_per_step)
        self._train(
            self._inputs(few), few.texts, steps, lambda step, loss, norm, rate: losses.append(loss)
        )
        return losses

    def _train(
        self,
        inputs: GetInputs,
        texts: Sequence[str],
        steps: int,
        on_step: OnStep,
        *,
        out: Path | None = None,
        resume: bool = False,
    ) -> None:
        recipe = self._recipe
        config = ContrastiveConfig(
            steps=steps,
            batch_size=recipe.examples_per_step,
            chunk_size=recipe.per_device_train_batch_size,
            loss=recipe.contrastive.loss,
            learning_rate=recipe.rate("connector"),
            weight_decay=recipe.weight_decay,
            warmup_steps=round(recipe.warmup_ratio * steps),
            seed=recipe.seed,
            save_every=recipe.save_steps,
        )
        train_contrastive(
            self._dual, inputs, texts, config, out=out, resume=resume, on_step=on_step
        )

    def _inputs(self, pairs: Pairs, *, seed: int | None = None) -> GetInputs:
        pixels = pixels_of(pairs.images, self._ready.live.loaded.processor.image_processor)
        device, dtype = self._model.device, self._ready.live.loaded.dtype

        def placed(rows: list[int]) -> torch.Tensor:
            return pixels(rows).to(device, dtype)

        if not self._stored or not pairs.images:
            return lambda rows: placed([pairs.shown[row] for row in rows])
        half = self._recipe.bf16
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            inputs = connector_inputs(
                self._model, len(pairs.images), placed, dtype=torch.bfloat16 if half else dtype
            )
        return tokens_of(pairs, inputs, seed=seed)

    @torch.no_grad()
    def _speak_at_size(self, inputs: GetInputs) -> None:
        """See `speak_at_size`; measured on some pairs of the training."""
        count = len(self._training.texts)
        encoder: Any = self._dual.images
        tokens = encoder.tokens(inputs(list(range(0, count, max(1, count // 512)))))
        layer = self._model.get_submodule(OUTPUT_LAYERS[self._model.config.model_type])
        speak_at_size(layer, tokens.values, self._words)

    @torch.no_grad()
    def _retrieval(self, inputs: GetInputs) -> dict[str, Any]:
        """How well validation pairs find one another."""
        names = self._validation.texts
        vectors = [
            self._dual(inputs(rows), [names[row] for row in rows]) for rows in _cut(len(names), 64)
        ]
        images = torch.cat([image for image, _ in vectors])
        found = retrieval(images, torch.cat([text for _, text in vectors]), names)
        return {
            "eval/text_of_image@1": found.text_of_image_1,
            "eval/text_of_image@5": found.text_of_image_5,
            "eval/image_of_text@1": found.image_of_text_1,
            "eval/image_of_text@5": found.image_of_text_5,
        }

    def _finish(self, target: Path, seconds: float) -> None:
        ready = self._ready
        progress = Progress(
            step=ready.loop.steps,
            best=None,
            best_step=0,
            checks_without_gain=0,
            kept={},
            probe_loss=0.0,
            seconds=seconds,
        )
        facts = checkpoint_facts(ready, progress, records=[])
        facts["data"]["pairs"] = len(self._training.texts)
        readme = checkpoint_readme(self._recipe, facts)
        last = target / "last"
        write_checkpoint(last, ready.trainable, ready.live, facts, readme, self._probes)
        prove_checkpoint(last, ready.live, self._probes)
        last.rename(target / FINAL)
        (target / STATE).unlink()
        publish(target)


def _report(step: int, loss: float, norm: float, rate: float, seconds: float) -> StepReport:
    """A step for the log; it has no tokens of answers."""
    return StepReport(
        step=step,
        loss=loss,
        loss_by_source={"pairs": loss},
        grad_norm={"connector": norm},
        learning_rate={"connector": rate},
        tokens=0,
        learned=0,
        seconds=seconds,
        wait=0.0,
    )


def check_connector(model_type: str) -> None:
    """See that a model's image tokens can be compared with words one image at a time.

    Raises:
        ModelError: They cannot.
    """
    if model_type not in (*STORED_CONNECTORS, *PIXEL_CONNECTORS):
        known = ", ".join((*STORED_CONNECTORS, *PIXEL_CONNECTORS))
        raise ModelError(
            f"The contrastive stage does not know the connector of a '{model_type}', but those of "
            f"{known}; begin with a stage that learns answers."
        )


@torch.no_grad()
def speak_at_size(layer: Any, tokens: torch.Tensor, words: TokenMeans) -> None:
    """Puts image tokens where the words are: around their center, as far out as they.

    The loss compares directions only, and a language model takes much smaller tokens for noise.

    Args:
        layer: The linear layer that the tokens come out of; changed in place.
        tokens: (n, width) that came out of it.
    """
    table: Any = words.table
    factor = table.norm(dim=-1).mean() / tokens.float().norm(dim=-1).mean()
    layer.weight.mul_(factor)
    if layer.bias is not None:
        layer.bias.mul_(factor).add_(words.center)


def share_between_patches(vlm: Any) -> None:
    """Lets InternVL's projector learn one thing for all patches that it merges into a token.

    A fresh one begins with their average (see `build_internvl`) and stays there: telling each
    patch's place in a block apart takes more pictures than a contrastive stage sees.
    """
    projector = vlm.model.multi_modal_projector
    width = vlm.config.vision_config.hidden_size

    def shared(gradient: torch.Tensor) -> torch.Tensor:
        blocks = gradient.reshape(*gradient.shape[:-1], -1, width)
        mean: torch.Tensor = blocks.mean(dim=-2, keepdim=True)
        return mean.expand_as(blocks).reshape_as(gradient)

    layers = (projector.layer_norm.weight, projector.layer_norm.bias, projector.linear_1.weight)
    for parameter in layers:
        if parameter.requires_grad:
            parameter.register_hook(shared)


def _cut(count: int, size: int) -> Iterator[list[int]]:
    for start in range(0, count, size):
        yield list(range(start, min(start + size, count)))
