"""One code path for every vision-language model that transformers loads.

    encode   decode the images, render the chat template, tokenise, pad on the left   any thread
    decode   generate, cut the prompt off, count                                      one thread

A request that cannot be answered costs only itself: a batch that fails is tried again one by
one, a batch that does not fit into memory in halves.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.errors import DataError, ModelError
from vlmbench.models import ModelSpec
from vlmbench.records import (
    ErrorKind,
    ImagePart,
    Request,
    Response,
    ResponseError,
    Scalar,
    TextPart,
    stable_hash,
)
from vlmbench.runners.hf_load import Loaded, load

if TYPE_CHECKING:
    import PIL.Image

WIDEST = 100
"""Most times longer than wide; Qwen2-VL refuses 200, other families fail without a word."""

WORD_JOINER = "\u2060"
"""Put inside what looks like a control token in a data set's text: invisible, no token of any."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Requests that share one set of tensors, and those that never got so far."""

    requests: list[Request]
    inputs: Any
    """The processor's output on the CPU; None when no request is left."""
    failed: list[Response]


class HFRunner:
    """See the module."""

    def __init__(self) -> None:
        self.fitted: int | None = None
        self._loaded: Loaded | None = None
        self._text_only = False
        self._control_tokens: tuple[str, ...] = ()
        # A fast tokenizer keeps its padding state inside and cannot be used by two threads.
        self._lock = threading.Lock()

    def prepare(self, spec: ModelSpec) -> None:
        """See `Runner.prepare`."""
        self._loaded = load(spec)
        self._text_only = bool(spec.options.get("text_only"))
        self._control_tokens = _control_tokens(self._loaded)

    def describe(self) -> Mapping[str, Scalar]:
        """Device, number format, size, and whether the template leaves images in their place."""
        import torch

        loaded = self._ready()
        return {
            "device": str(loaded.device),
            "gpu": torch.cuda.get_device_name() if loaded.device.type == "cuda" else None,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "parameters": sum(p.numel() for p in loaded.model.parameters()),
            "torch_threads": torch.get_num_threads(),
            "images_in_place": None if self._text_only else self._keeps_places(),
        }

    def close(self) -> None:
        """See `Runner.close`."""
        self._loaded = None
        _free_memory()

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """See `Runner.generate`."""
        responses = {one.sample_id: one for one in self.decode(self.encode(requests))}
        return [responses[request.sample_id] for request in requests]

    def encode(self, requests: Sequence[Request]) -> EncodedBatch:
        """See `StagedRunner.encode`."""
        conversations, good, failed = [], [], []
        for request in requests:
            try:
                conversations.append(self._conversation(request))
                good.append(request)
            except DataError as error:
                failed.append(_failure(request, "image", str(error)))
        try:
            batch = EncodedBatch(good, self._tensors(conversations) if good else None, failed)
        except Exception as error:  # processors raise anything on an odd image or template
            return self._encode_singly(good, failed, error)
        return self._without_long(batch)

    def decode(self, batch: EncodedBatch) -> list[Response]:
        """See `StagedRunner.decode`."""
        self.fitted = None
        return self._decode(batch)

    def _decode(self, batch: EncodedBatch) -> list[Response]:
        """The responses, those of a batch that fails from its parts."""
        if not batch.requests:
            return batch.failed
        import torch

        try:
            return batch.failed + self._answers(batch)
        except torch.OutOfMemoryError as error:
            reason: ErrorKind = "out_of_memory"
            problem: Exception = error
        except Exception as error:  # a model's forward raises anything on an odd input
            if "CUDA error" in str(error):
                # The device is lost for this process: nothing asked after this would be true.
                raise ModelError(
                    f"The GPU failed ({_one_line(error)}); run the same command again."
                ) from error
            reason = "out_of_memory" if "can't allocate memory" in str(error) else "runner"
            problem = error
        if len(batch.requests) == 1:
            return [*batch.failed, _failure(batch.requests[0], reason, _one_line(problem))]
        del problem
        _free_memory()
        size = 1
        if reason == "out_of_memory":
            size = self.fitted = (len(batch.requests) + 1) // 2
        parts = [batch.requests[at : at + size] for at in range(0, len(batch.requests), size)]
        return batch.failed + [one for part in parts for one in self._decode(self.encode(part))]

    def _ready(self) -> Loaded:
        assert self._loaded is not None, "prepare comes first"
        return self._loaded

    def _conversation(self, request: Request) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = []
        if request.system is not None:
            turns.append({"role": "system", "content": self._content([TextPart(request.system)])})
        turns.append({"role": "user", "content": self._content(request.parts)})
        return turns

    def _content(self, parts: Sequence[TextPart | ImagePart]) -> Any:
        if self._text_only:
            return "".join(self._escaped(p.text) for p in parts if isinstance(p, TextPart))
        return [
            {"type": "text", "text": self._escaped(part.text)}
            if isinstance(part, TextPart)
            else {"type": "image", "image": _bounded(part.image.decode())}
            for part in parts
        ]

    def _escaped(self, text: str) -> str:
        """The text, in which no data set can write a token that steers the model."""
        for token in self._control_tokens:
            text = text.replace(token, token[0] + WORD_JOINER + token[1:])
        return text

    def _tensors(self, conversations: list[Any]) -> Any:
        loaded = self._ready()
        arguments: dict[str, Any] = (
            {"padding": True} if self._text_only else {"processor_kwargs": {"padding": True}}
        )
        with self._lock:
            return loaded.processor.apply_chat_template(
                conversations,
                chat_template=loaded.chat_template,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                **arguments,
            )

    def _encode_singly(
        self, requests: list[Request], failed: list[Response], error: Exception
    ) -> EncodedBatch:
        if len(requests) == 1:
            return EncodedBatch(
                [], None, [*failed, _failure(requests[0], "rejected", _one_line(error))]
            )
        good: list[Request] = []
        for request in requests:
            batch = self.encode([request])
            good += batch.requests
            failed += batch.failed
        if len(good) == len(requests):
            # Each one is fine alone, so it is the batch that the processor cannot take.
            raise error
        rest = self.encode(good)
        return EncodedBatch(rest.requests, rest.inputs, failed + rest.failed)

    def _without_long(self, batch: EncodedBatch) -> EncodedBatch:
        """Take out requests that the model has no positions for."""
        if not batch.requests:
            return batch
        limit = self._positions()
        lengths = batch.inputs["attention_mask"].sum(dim=1).tolist()
        room = {r.sample_id: limit - r.generation.max_new_tokens for r in batch.requests}
        pairs = list(zip(batch.requests, lengths, strict=True))
        short = [request for request, length in pairs if length <= room[request.sample_id]]
        if len(short) == len(batch.requests):
            return batch
        failed = [
            _failure(
                request,
                "too_long",
                f"{length} prompt tokens and {request.generation.max_new_tokens} for the answer "
                f"exceed the model's {limit}",
            )
            for request, length in pairs
            if length > room[request.sample_id]
        ]
        rest = self.encode(short)
        return EncodedBatch(rest.requests, rest.inputs, batch.failed + failed + rest.failed)

    def _positions(self) -> int:
        config = self._ready().model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 2**31)

    def _answers(self, batch: EncodedBatch) -> list[Response]:
        """Generate; sampled answers one by one, so that their seed means the same in any batch."""
        if batch.requests[0].generation.temperature > 0 and len(batch.requests) > 1:
            return [self._answers(self.encode([request]))[0] for request in batch.requests]
        import torch

        loaded = self._ready()
        started = time.perf_counter()
        inputs = batch.inputs.to(loaded.device)
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.to(loaded.dtype)
        with torch.inference_mode():
            output = loaded.model.generate(**inputs, **self._arguments(batch.requests[0]))
        new_tokens = output[:, inputs["input_ids"].shape[1] :].tolist()
        seconds = round(time.perf_counter() - started, 4)
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            self._response(request, tokens, prompt, seconds)
            for request, tokens, prompt in zip(
                batch.requests, new_tokens, prompt_tokens, strict=True
            )
        ]

    def _arguments(self, request: Request) -> dict[str, Any]:
        import torch

        loaded, asked = self._ready(), request.generation
        arguments: dict[str, Any] = {
            "max_new_tokens": asked.max_new_tokens,
            "do_sample": asked.temperature > 0,
            "num_beams": 1,
            "pad_token_id": loaded.tokenizer.pad_token_id,
            # The checkpoint's own sampling settings must not colour greedy answers.
            "temperature": asked.temperature or 1.0,
            "top_p": asked.top_p,
            "top_k": 0 if asked.temperature > 0 else 50,
        }
        if asked.stop:
            arguments |= {"stop_strings": list(asked.stop), "tokenizer": loaded.tokenizer}
        if asked.temperature > 0:
            torch.manual_seed(int(stable_hash([asked.seed, request.sample_id]), 16) % 2**63)
        return arguments

    def _response(
        self, request: Request, tokens: list[int], prompt_tokens: int, seconds: float
    ) -> Response:
        ends = self._end_tokens()
        length = next((at for at, token in enumerate(tokens) if token in ends), len(tokens))
        text = self._ready().tokenizer.decode(
            tokens[:length], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        cut = min((text.find(stop) for stop in request.generation.stop if stop in text), default=-1)
        stopped = length < len(tokens) or cut >= 0
        whole = length < request.generation.max_new_tokens or stopped
        return Response(
            sample_id=request.sample_id,
            key=request.key,
            text=text if cut < 0 else text[:cut],
            finish="stop" if whole else "length",
            prompt_tokens=prompt_tokens,
            output_tokens=length,
            seconds=seconds,
        )

    def _end_tokens(self) -> set[int]:
        loaded = self._ready()
        ends = loaded.model.generation_config.eos_token_id
        found = set(ends) if isinstance(ends, list) else {ends}
        return {token for token in (*found, loaded.tokenizer.eos_token_id) if token is not None}

    def _keeps_places(self) -> bool:
        """Whether an image between two texts stays there; some templates put images first."""
        loaded = self._ready()
        content = [
            {"type": "text", "text": "before"},
            {"type": "image"},
            {"type": "text", "text": "after"},
        ]
        try:
            text = loaded.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                chat_template=loaded.chat_template,
                add_generation_prompt=True,
            )
        except Exception:  # a template may refuse such a turn in any way
            return False
        between = text.partition("before")[2].partition("after")[0]
        return any(token in between for token in self._control_tokens)


def _control_tokens(loaded: Loaded) -> tuple[str, ...]:
    """Texts that tokenizer or processor would take for more than text, longest first."""
    added = loaded.tokenizer.added_tokens_decoder.values()
    found = {token.content for token in added if token.special}
    for name in ("image_token", "video_token", "audio_token", "boi_token", "eoi_token"):
        token = getattr(loaded.processor, name, None)
        if isinstance(token, str):
            found.add(token)
    return tuple(sorted((t for t in found if len(t) > 1), key=lambda t: (-len(t), t)))


def _bounded(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture, on a white ground if it is a mere strip."""
    import PIL.Image

    width, height = picture.size
    least = -(-max(width, height) // WIDEST)
    if min(width, height) >= least:
        return picture
    canvas = PIL.Image.new("RGB", (max(width, least), max(height, least)), "white")
    canvas.paste(picture)
    return canvas


def _failure(request: Request, kind: ErrorKind, message: str) -> Response:
    return Response(request.sample_id, request.key, error=ResponseError(kind, message))


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
