"""The answers of a model while it is trained, generated as `vlmbench run` generates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vlmbench.errors import UsageError
from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.metrics.base import Answer, load_metric
from vlmbench.metrics.guarded import score_all
from vlmbench.models.spec import ModelSpec
from vlmbench.models.training_data import GuardResult
from vlmbench.records import Request, RunRecord
from vlmbench.runners.base import Runner
from vlmbench.runners.hf.inputs import Encoder
from vlmbench.runners.hf.load import Loaded
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.tasks.registry import load_task
from vlmbench.train.data.examples import Example
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.loop import Loop
from vlmbench.train.questions import question_of
from vlmbench.train.reload import BATCH_SIZE, answers_to
from vlmbench.train.trainable import Trainable

ANSWER_TOKENS = 64
"""Most tokens of a generated answer to a validation row."""


class LiveRunner(HFRunner):
    """The runner of `vlmbench run` around a model that is in memory already."""

    def __init__(self, loaded: Loaded, encoder: Encoder, options: Mapping[str, Any]) -> None:
        super().__init__()
        self._loaded, self._encoder, self._options = loaded, encoder, options


class _LiveExecutor(LocalExecutor):
    def __init__(self, runner: LiveRunner) -> None:
        super().__init__(batch_size=BATCH_SIZE)
        self._runner = runner

    def _loaded(self, spec: ModelSpec) -> Runner:
        assert self._runner is not None
        return self._runner


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model under training that can be asked."""

    spec: ModelSpec
    loaded: Loaded
    encoder: ExampleEncoder
    trainable: Trainable
    guards: tuple[GuardResult, ...] = ()
    """Of this training and of those before it."""

    def answers(self, examples: Sequence[Example]) -> list[str]:
        """The generated answer to the first question of each example."""
        if not examples:
            return []
        self.loaded.model.eval()
        with self.trainable.as_loaded():
            return answers_of(self._runner(), examples)

    def tasks(self, limits: Mapping[str, int], out: Path, seed: int) -> list[RunRecord]:
        """The records of runs on some samples of each task, which are kept below `out`."""
        self.loaded.model.eval()
        executor = _LiveExecutor(self._runner())
        with self.trainable.as_loaded():
            return [
                run(
                    self.spec,
                    load_task(name),
                    executor=executor,
                    out=out,
                    limit=limit,
                    seed=seed,
                    guards=self.guards,
                )
                for name, limit in limits.items()
            ]

    def _runner(self) -> LiveRunner:
        return LiveRunner(self.loaded, self.encoder.prompts, self.spec.options)


def answers_of(runner: HFRunner, examples: Sequence[Example]) -> list[str]:
    """What a runner answers to the first question of each example.

    Raises:
        ModelError: It has no answer to one of them.
    """
    return answers_to(runner, questions_of(examples))


def questions_of(examples: Sequence[Example]) -> list[Request]:
    """The first question of each example, called by its number and the example's id."""
    return [
        question_of(one, f"{number} {one.id}", max_new_tokens=ANSWER_TOKENS)
        for number, one in enumerate(examples)
    ]


@torch.no_grad()
def validation_loss(loop: Loop, encoder: ExampleEncoder, examples: Sequence[Example]) -> float:
    """Mean cross-entropy of the answer tokens of some examples, in nats."""
    loop.trainable.model.eval()
    total, tokens = 0.0, 0
    for seen in (True, False):
        kind = [example for example in examples if bool(example.images) == seen]
        size = loop.recipe.per_device_train_batch_size
        for start in range(0, len(kind), size):
            batch = encoder.batch([(one,) for one in kind[start : start + size]])
            losses = loop.token_losses(batch)
            total += float(losses.double().sum())
            tokens += len(losses)
    return total / max(1, tokens)


def check_metric(metric: str) -> None:
    """Sees that a metric can tell how good answers to validation rows are.

    Raises:
        UsageError: There is no such metric, or a judge would have to be asked.
    """
    if load_metric(metric).definition.judge_prompt is not None:
        raise UsageError(
            f"The metric {metric} asks a judge, so the best checkpoint cannot be chosen by it; "
            "choose another one ('vlmbench metrics list')."
        )


def validation_score(metric: str, examples: Sequence[Example], answers: Sequence[str]) -> float:
    """A metric's value on generated answers; the rows' own first answers are the references.

    Raises:
        UsageError: There is no such metric.
    """
    references = [(example.answers[0],) for example in examples]
    prepared = load_metric(metric).prepare(references)
    scores = score_all(
        prepared,
        [Answer(text, reference) for text, reference in zip(answers, references, strict=True)],
    )
    vectors = [score.vector for score in scores if score.vector is not None]
    if not vectors:
        return 0.0
    return float(prepared.combine(np.sum(vectors, axis=0), len(vectors)))
