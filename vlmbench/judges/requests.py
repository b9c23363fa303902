"""What a judge is asked, and by what settings: the same requests whenever they are made again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.metrics.judge_prompt import SYSTEM, JudgeInput, JudgePrompt, read_json
from vlmbench.records import (
    Generation,
    Image,
    ImagePart,
    JournalSample,
    Request,
    Response,
    Scalar,
    TextPart,
)
from vlmbench.runs.journal import Session
from vlmbench.text.reasoning import without_reasoning

_PREFIX = "judge_"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How a judge is asked."""

    samples: int = 1
    """Replies to each prompt; the score is the mean of those that can be read."""
    temperature: float = 0.0
    max_new_tokens: int = 1024
    structured: bool = True
    """Whether the reply's schema goes with the request, where the judge is a service."""
    images: bool = False
    """Whether the judge sees the question's images."""

    def as_scalars(self, metrics: Sequence[str]) -> dict[str, Scalar]:
        """For a session of the judge's journal."""
        values: dict[str, Scalar] = {
            f"{_PREFIX}{name}": value for name, value in dataclasses.asdict(self).items()
        }
        return {**values, f"{_PREFIX}metrics": json.dumps(list(metrics), ensure_ascii=False)}

    @property
    def signature(self) -> str:
        """The part of a metric's signature that tells them."""
        form = "schema" if self.structured else "text"
        sees = ",images" if self.images else ""
        return f"reply:{form},x{self.samples},t{self.temperature:g},{self.max_new_tokens}{sees}"


def asked_settings(sessions: Iterable[Session]) -> dict[str, JudgeSettings]:
    """How each metric was asked for last."""
    found: dict[str, JudgeSettings] = {}
    for session in sessions:
        values: dict[str, Any] = {
            key.removeprefix(_PREFIX): value
            for key, value in session.environment.items()
            if key.startswith(_PREFIX)
        }
        names = json.loads(values.pop("metrics", "[]"))
        found.update(dict.fromkeys(names, JudgeSettings(**values)))
    return found


def judge_request(
    judge_prompt: JudgePrompt,
    case: JudgeInput,
    sample_id: str,
    settings: JudgeSettings,
    *,
    repeat: int = 0,
    again: bool = False,
) -> Request:
    """What a judge is asked about one answer.

    Args:
        sample_id: Becomes part of the request's own id.
        repeat: Which of the replies to the same prompt, from 0.
        again: Whether this is the retry after a first reply that could not be read.
    """
    form = ("schema" if settings.structured else "text") + ("+images" if settings.images else "")
    if not settings.images:
        case = dataclasses.replace(case, images=())
    return Request(
        sample_id=f"{judge_prompt.name}/{form}/{repeat}/{int(again)}/{sample_id}",
        parts=(*map(ImagePart, case.images), TextPart(judge_prompt.prompt(case, again=again))),
        generation=Generation(
            max_new_tokens=settings.max_new_tokens, temperature=settings.temperature
        ),
        system=SYSTEM,
    )


def needs_retry(judge_prompt: JudgePrompt, response: Response) -> bool:
    """Whether a reply is there that is not of the form that was asked for."""
    if judge_prompt.schema is None or response.text is None:
        return False
    return read_json(response.text, judge_prompt.schema) is None


def judge_input(
    sample: JournalSample,
    answer: str,
    *,
    other: str | None = None,
    images: Mapping[str, Image] | None = None,
) -> JudgeInput:
    """What a judge is told of a sample: of the answer what stands behind its reasoning.

    Args:
        sample: As the run's journal has it.
        images: By digest, where the request will be sent. They are shown in the order in which
            the task's prompt shows them, whatever a variant put in their place for the model.
    """
    context = sample.meta.get("context")
    return JudgeInput(
        sample.question,
        without_reasoning(answer),
        sample.references,
        str(context) if context else None,
        None if other is None else without_reasoning(other),
        tuple(images[one] if images else Image.absent(one) for one in sample.images),
    )
