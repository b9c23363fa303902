"""A stage with `objective: contrastive`: pairs of an image and a text, against the brain's words.

The connector's image tokens, averaged, move towards the language model's own embeddings of what is
said of the image (see contrastive.py), so that the next stage starts with tokens that already name
things. Pairs are rows with one image; the text is the row's first answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vlmbench.errors import DataError, ModelError, UsageError
from vlmbench.records import Image
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
from vlmbench.train.data.examples import Example
from vlmbench.train.encoders import (
    GetInputs,
    TokenMeans,
    VlmImageEncoder,
    pixels_of,
    tower_features,
)
from vlmbench.train.feed import Feed
from vlmbench.train.prepare import Prepared
from vlmbench.train.progress import StepLog
from vlmbench.train.step_report import StepReport
from vlmbench.train.watching import StageNumber, start_facts

PIXEL_CONNECTORS = ("blip-2",)
"""`model_type` of models whose connector is trained from pixels."""
STORED_CONNECTORS = ("llava", "internvl")
"""Those whose image encoder, where it is frozen, looks at each picture once."""
_PATIENCE = 100
"""Updates without a pair after which endless data are given up."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Images and what is said of each."""

    images: list[Image]
    texts: list[str]


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
        self._probes = ready.loop.feed.some(4)
        self._training = collect_pairs(ready.loop.feed, ready.recipe.contrastive.pictures)
        self._validation = pairs_of(ready.rows.validation)
        texts = [*self._training.texts, *self._validation.texts]
        frozen = "vision" not in ready.recipe.trained_parts
        self._stored = frozen and self._model.config.model_type in STORED_CONNECTORS
        self._dual = DualEncoder(
            VlmImageEncoder(self._model, stored=self._stored),
            TokenMeans(self._model, ready.live.loaded.tokenizer, texts),
            batch_size=ready.recipe.examples_per_step,
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

        self._train(self._training, steps, on_step, out=target, resume=resume)
        self._finish(target, time.monotonic() - began)

    def trial(self, steps: int) -> list[float]:
        """The losses of a few updates, of which nothing is kept."""
        losses: list[float] = []
        few = self._recipe.examples_per_step
        pairs = Pairs(self._training.images[:few], self._training.texts[:few])
        self._train(pairs, steps, lambda step, loss, norm, rate: losses.append(loss))
        return losses

    def _train(
        self,
        pairs: Pairs,
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
            regression=recipe.contrastive.regression,
            learning_rate=recipe.rate("connector"),
            weight_decay=recipe.weight_decay,
            warmup_steps=round(recipe.warmup_ratio * steps),
            seed=recipe.seed,
            save_every=recipe.save_steps,
        )
        inputs = self._inputs(pairs)
        train_contrastive(
            self._dual, inputs, pairs.texts, config, out=out, resume=resume, on_step=on_step
        )

    def _inputs(self, pairs: Pairs) -> GetInputs:
        pixels = pixels_of(pairs.images, self._ready.live.loaded.processor.image_processor)
        device, dtype = self._model.device, self._ready.live.loaded.dtype

        def placed(rows: list[int]) -> torch.Tensor:
            return pixels(rows).to(device, dtype)

        if not self._stored or not pairs.images:
            return placed
        with torch.autocast(device.type, torch.bfloat16, enabled=self._recipe.bf16):
            features = tower_features(self._model, len(pairs.images), placed)
        return lambda rows: features[rows]

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


def pairs_of(examples: list[Example]) -> Pairs:
    """The examples that show one image, each image once, with their first answer."""
    single = {one.images[0].digest: one for one in reversed(examples) if len(one.images) == 1}
    return Pairs(
        [one.images[0] for one in single.values()], [o.answers[0] for o in single.values()]
    )


def collect_pairs(feed: Feed, most: int) -> Pairs:
    """The first pairs of a training's data, at most so many.

    Raises:
        DataError: No row shows one image.
    """
    found: dict[str, Example] = {}
    epoch = feed.steps_per_epoch
    for step in itertools.count() if epoch is None else range(epoch):
        for group in feed.update(step):
            if len(group[0].images) == 1:
                found.setdefault(group[0].images[0].digest, group[0])
        if len(found) >= most or (step == _PATIENCE and not found):
            break
    if not found:
        raise DataError("No row shows one image, so there is nothing to compare with a text.")
    return pairs_of(list(found.values())[:most])


def _cut(count: int, size: int) -> Iterator[list[int]]:
    for start in range(0, count, size):
        yield list(range(start, min(start + size, count)))
