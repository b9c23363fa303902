"""Requests -> the tensors that a model of transformers takes.

decode the images, render the chat template, tokenize, pad on the left
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vlmbench.errors import DataError, ModelError
from vlmbench.models.families import ImageLimits
from vlmbench.models.hf_options import contradiction
from vlmbench.records import ErrorKind, ImagePart, Request, Response, ResponseError, TextPart
from vlmbench.runners.decoding import decode_answer
from vlmbench.runners.hf.chat_template import render, within_bounds
from vlmbench.runners.hf.decoded_images import DecodedImageCache
from vlmbench.runners.hf.load import InputPipeline

if TYPE_CHECKING:
    import PIL.Image

WORD_JOINER = "\u2060"
"""Put inside what looks like a control token in a data set's text: invisible, no token of any."""

LEAST_ANSWER = 64
"""Tokens that a prompt must leave for the answer, where the task allows as many."""

PROBE = "vlmbenchprobe"
"""A text that no template writes by itself."""

Conversation: TypeAlias = Callable[[Request], list[dict[str, Any]]]
"""Makes the messages that the chat template is given."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Requests that share one set of tensors, and those that never got so far."""

    requests: list[Request]
    inputs: Any
    """The processor's output on the CPU; None when no request is left."""
    failed: list[Response]

    def packed(self) -> PackedBatch:
        """The same without torch's tensors, which travel between processes in their own way."""
        inputs = {} if self.inputs is None else dict(self.inputs)
        arrays = {
            name: value.numpy() if hasattr(value, "numpy") else value
            for name, value in inputs.items()
        }
        return PackedBatch([one.sample_id for one in self.requests], arrays, self.failed)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """An EncodedBatch on its way between processes."""

    sample_ids: list[str]
    arrays: dict[str, Any]
    failed: list[Response]

    def unpacked(self, requests: Sequence[Request]) -> EncodedBatch:
        """The batch, of some of these requests."""
        import numpy as np
        import torch
        import transformers

        by_id = {request.sample_id: request for request in requests}
        inputs = {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in self.arrays.items()
        }
        return EncodedBatch(
            [by_id[one] for one in self.sample_ids],
            transformers.BatchFeature(inputs) if inputs else None,
            self.failed,
        )


class Encoder:
    """Makes inputs for one model; used by several threads at a time.

    Args:
        options: The ModelSpec's, of which `system` and `generation` count.
    """

    def __init__(self, pipeline: InputPipeline, options: Mapping[str, Any]) -> None:
        self._pipeline = pipeline
        self._kind = pipeline.family
        self._system: str | None = options.get("system")
        self._options = options
        self._lock = threading.Lock()
        self._processor = _sharing(pipeline, self._lock)
        self.tokenizer: Any = getattr(self._processor, "tokenizer", self._processor)
        """The tokenizer, which several threads may call."""
        self._decoded = DecodedImageCache()
        self._control_tokens = _control_tokens(pipeline)
        self.system_turn = self._find_system_turn()
        """How the template takes a system prompt; None if it does not, and the user says it."""
        self.images_in_place = None if self._kind.text_only else self._keeps_places()
        """Whether an image between two texts stays there; some templates put images first."""

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens say, control tokens left out but for the marks of reasoning."""
        with self._lock:
            return decode_answer(self._pipeline.tokenizer, tokens)

    @property
    def system_place(self) -> str:
        """Where a system prompt stands, for people."""
        return "before the question" if self.system_turn is None else "system turn"

    def encode(
        self, requests: Sequence[Request], messages: Conversation | None = None
    ) -> EncodedBatch:
        """See `StagedRunner.encode`.

        Args:
            messages: Makes the messages of a request, where it has earlier turns.

        Raises:
            ModelError: A request contradicts the options that the model was chosen with.
        """
        messages = messages or self.conversation
        conversations, good, failed = [], [], []
        for request in requests:
            if problem := contradiction(self._options, request.generation):
                raise ModelError(f"{problem[0].upper()}{problem[1:]}; leave one of them out.")
            if problem := self._limits.refusal(len(request.images)):
                title = self._kind.title
                failed.append(failure(request, "rejected", f"{title} cannot answer: {problem}"))
                continue
            try:
                conversations.append(messages(request))
                good.append(request)
            except DataError as error:
                failed.append(failure(request, "image", str(error)))
        try:
            batch = EncodedBatch(good, self._tensors(conversations) if good else None, failed)
        except ModelError:  # the chat template does not end
            raise
        except Exception as error:  # processors raise anything on an odd image or template
            return self._encode_singly(good, failed, error, messages)
        return self._without_long(batch, messages)

    @property
    def _limits(self) -> ImageLimits:
        return ImageLimits() if self._kind.text_only else self._kind.images

    def conversation(self, request: Request) -> list[dict[str, Any]]:
        """The messages that the chat template is given."""
        parts = list(request.parts)
        system = request.system_after(self._system)
        if system is None:
            return [{"role": "user", "content": self.content(parts)}]
        if self.system_turn is None:
            parts.insert(0, TextPart(f"{system}\n\n"))
            return [{"role": "user", "content": self.content(parts)}]
        return [self._system_message(system), {"role": "user", "content": self.content(parts)}]

    def _system_message(self, text: str) -> dict[str, Any]:
        if self.system_turn == "text":
            return {"role": "system", "content": self.escaped(text)}
        return {"role": "system", "content": self.content([TextPart(text)])}

    def content(self, parts: Sequence[TextPart | ImagePart]) -> Any:
        """A message's content as the chat template takes it.

        Raises:
            DataError: An image cannot be read.
        """
        if self._kind.text_only:
            return "".join(self.escaped(p.text) for p in parts if isinstance(p, TextPart))
        return [
            {"type": "text", "text": self.escaped(part.text)}
            if isinstance(part, TextPart)
            else {
                "type": "image",
                "image": bounded(self._decoded.of(part.image), self._kind.images),
            }
            for part in parts
        ]

    def escaped(self, text: str) -> str:
        """The text, in which no data set can write a token that steers the model."""
        for token in self._control_tokens:
            text = text.replace(token, token[0] + WORD_JOINER + token[1:])
        return text

    def control_tokens_in(self, text: str) -> int:
        """How many control tokens a rendered prompt has."""
        return sum(text.count(token) for token in self._control_tokens)

    def _tensors(self, conversations: list[Any]) -> Any:
        arguments: dict[str, Any] = (
            {"padding": True} if self._kind.text_only else {"processor_kwargs": {"padding": True}}
        )
        turns, template = within_bounds(
            self._processor, conversations, self._pipeline.chat_template
        )
        return self._processor.apply_chat_template(
            turns,
            chat_template=template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            **arguments,
        )

    def _encode_singly(
        self,
        requests: list[Request],
        failed: list[Response],
        error: Exception,
        messages: Conversation,
    ) -> EncodedBatch:
        if len(requests) == 1:
            return EncodedBatch(
                [], None, [*failed, failure(requests[0], "rejected", one_line(error))]
            )
        good: list[Request] = []
        for request in requests:
            batch = self.encode([request], messages)
            good += batch.requests
            failed += batch.failed
        if len(good) == len(requests):
            # Each one is fine alone, so it is the batch that the processor cannot take.
            raise error
        rest = self.encode(good, messages)
        return EncodedBatch(rest.requests, rest.inputs, failed + rest.failed)

    def room(self, request: Request, length: int) -> int:
        """Tokens that an answer may have behind `length` of the prompt: as many as the task allows,
        or the model has positions for."""
        return min(request.generation.max_new_tokens, self._pipeline.positions - length)

    def _without_long(self, batch: EncodedBatch, messages: Conversation) -> EncodedBatch:
        """Take out requests whose answers the model has no positions for."""
        if not batch.requests:
            return batch
        lengths = batch.inputs["attention_mask"].sum(dim=1).tolist()
        pairs = list(zip(batch.requests, lengths, strict=True))
        long = [
            (request, length)
            for request, length in pairs
            if self.room(request, length) < min(LEAST_ANSWER, request.generation.max_new_tokens)
        ]
        if not long:
            return batch
        limit = self._pipeline.positions
        failed = [
            failure(
                request,
                "too_long",
                f"{length} prompt tokens leave {max(0, limit - length)} of the model's {limit} for "
                "the answer",
            )
            for request, length in long
        ]
        lost = [request for request, _ in long]
        rest = self.encode([one for one in batch.requests if one not in lost], messages)
        return EncodedBatch(rest.requests, rest.inputs, batch.failed + failed + rest.failed)

    def _keeps_places(self) -> bool:
        content = [
            {"type": "text", "text": "before"},
            {"type": "image"},
            {"type": "text", "text": "after"},
        ]
        text = self.rendered([{"role": "user", "content": content}])
        between = text.partition("before")[2].partition("after")[0]
        return any(token in between for token in self._control_tokens)

    def _find_system_turn(self) -> Literal["parts", "text"] | None:
        user = {"role": "user", "content": self.content([TextPart("user")])}
        parts = self.content([TextPart(PROBE)])
        forms: tuple[tuple[Literal["parts", "text"], Any], ...] = (
            ("parts", parts),
            ("text", PROBE),
        )
        for form, content in forms:
            text = self.rendered([{"role": "system", "content": content}, user])
            # A template that expects a text would write a list down as Python does.
            if PROBE in text and "'type'" not in text:
                return form
        return None

    def rendered(self, conversation: Sequence[Mapping[str, Any]]) -> str:
        """The prompt as text; empty where the template refuses it."""
        try:
            return render(self._pipeline.processor, conversation, self._pipeline.chat_template)
        except ModelError:
            raise
        except Exception:  # a template may refuse a turn in any way
            return ""


class _LockedTokenizer:
    """A tokenizer that several threads may call: a fast one keeps its padding state inside."""

    def __init__(self, tokenizer: Any, lock: threading.Lock) -> None:
        self._tokenizer, self._lock = tokenizer, lock

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            return self._tokenizer(*arguments, **named)

    def apply_chat_template(self, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            return self._tokenizer.apply_chat_template(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _sharing(pipeline: InputPipeline, lock: threading.Lock) -> Any:
    """The processor for several threads: images are worked on while another thread tokenizes."""
    tokenizer = _LockedTokenizer(pipeline.tokenizer, lock)
    if pipeline.processor is pipeline.tokenizer:  # a text-only model's
        return tokenizer
    processor = copy.copy(pipeline.processor)
    processor.tokenizer = tokenizer
    return processor


def bounded(image: PIL.Image.Image, limits: ImageLimits) -> PIL.Image.Image:
    """The image, on a white ground if it is a mere strip or dot."""
    import PIL.Image

    width, height = image.size
    least = max(-(-max(width, height) // limits.widest), limits.least_side)
    if min(width, height) >= least:
        return image
    canvas = PIL.Image.new("RGB", (max(width, least), max(height, least)), "white")
    canvas.paste(image)
    return canvas


def failure(request: Request, kind: ErrorKind, message: str) -> Response:
    """The response of a request that has no answer."""
    return Response(request.sample_id, request.key, error=ResponseError(kind, message))


def one_line(error: Exception) -> str:
    """An error of another library, short enough for a journal."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _control_tokens(pipeline: InputPipeline) -> tuple[str, ...]:
    """Texts that tokenizer or processor would take for more than text, longest first."""
    added = pipeline.tokenizer.added_tokens_decoder.values()
    found = {token.content for token in added if token.special}
    for name in ("image_token", "video_token", "audio_token", "boi_token", "eoi_token"):
        token = getattr(pipeline.processor, name, None)
        if isinstance(token, str):
            found.add(token)
    return tuple(sorted((t for t in found if len(t) > 1), key=lambda t: (-len(t), t)))
