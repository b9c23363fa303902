"""One code path for every vision-language model that transformers loads.

    encode   requests -> tensors, see inputs          any thread
    decode   generate, cut the prompt off, count         one thread

A request that cannot be answered costs only itself: a batch that fails is tried again one by
one, a batch that does not fit into memory in halves.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vlmbench.errors import ModelError
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import ErrorKind, Request, Response, Scalar
from vlmbench.runners.hf.adapters import prompt_files
from vlmbench.runners.hf.generation import (
    NOT_NUMBERS,
    NumberWatch,
    cut_at_stops,
    generation_arguments,
)
from vlmbench.runners.hf.inputs import EncodedBatch, Encoder, PackedBatch, failure, one_line
from vlmbench.runners.hf.load import Loaded, check_checkpoint, load, load_input_pipeline
from vlmbench.runners.hf.prompt_digest import prompt_digest, trained_digest

NEEDED = {"adapter": "peft", "quantization": "bitsandbytes"}
"""Packages on which answers depend where such an option is given."""

NAN_ANSWERS = 8
"""After so many answers that are no numbers, and none that is, nothing more is asked."""


class HFRunner:
    """See the module."""

    def __init__(self) -> None:
        self.largest_batch_that_fit: int | None = None
        self._loaded: Loaded | None = None
        self._encoder: Encoder | None = None
        self._options: Mapping[str, Any] = {}
        self._asked_as_trained: bool | None = None
        self._numbers = False
        """Whether any answer was made of numbers."""
        self._nan = 0
        """How many were not."""

    def prepare(self, spec: ModelSpec) -> None:
        """See `Runner.prepare`."""
        self._loaded = load(spec)
        self._encoder = Encoder(self._loaded, spec.options)
        self._options = spec.options
        trained = trained_digest(spec)
        if trained is not None:
            self._asked_as_trained = prompt_digest(self._loaded, self._encoder) == trained

    def check(self, spec: ModelSpec) -> None:
        """See `CheckingRunner.check`."""
        check_checkpoint(spec)

    def describe(self) -> Mapping[str, Scalar]:
        """Device, number format, size, and what the family's kind and template make of prompts."""
        import torch

        loaded = self._ready()
        assert self._encoder is not None
        return {
            "device": str(loaded.device),
            "gpu": torch.cuda.get_device_name() if loaded.device.type == "cuda" else None,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "attention": getattr(loaded.model.config, "_attn_implementation", None),
            "parameters": sum(p.numel() for p in loaded.model.parameters()),
            "torch_threads": torch.get_num_threads(),
            "family": loaded.family.title or loaded.model.config.model_type,
            "quirks": json.dumps(loaded.family.quirks(), ensure_ascii=False),
            "sees_images": not loaded.family.text_only,
            "images_in_place": self._encoder.images_in_place,
            "system_prompt": self._encoder.system_place,
            "prompt_form": "completion" if loaded.is_completion else "chat",
            "asked_as_trained": self._asked_as_trained,
            **self._adapter_files(),
            **({"unset_generation": ", ".join(loaded.unset)} if loaded.unset else {}),
            **{
                package: importlib.metadata.version(package)
                for option, package in NEEDED.items()
                if option in self._options
            },
        }

    def _adapter_files(self) -> dict[str, Scalar]:
        """The adapter's own files that prompts are made with, if it has any."""
        names = prompt_files(self._options["adapter"]) if "adapter" in self._options else []
        return {"adapter_files": ", ".join(names)} if names else {}

    def close(self) -> None:
        """See `Runner.close`."""
        self._loaded = self._encoder = None
        _free_memory()

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """See `Runner.generate`."""
        responses = {one.sample_id: one for one in self.decode(self.encode(requests))}
        return [responses[request.sample_id] for request in requests]

    def encode(self, requests: Sequence[Request]) -> EncodedBatch:
        """See `StagedRunner.encode`."""
        assert self._encoder is not None, "prepare comes first"
        return self._encoder.encode(requests)

    def packer(self, spec: ModelSpec) -> Callable[[Sequence[Request]], PackedBatch]:
        """See `SplitRunner.packer`."""
        encoder = Encoder(load_input_pipeline(spec), spec.options)
        return lambda requests: encoder.encode(requests).packed()

    def unpack(self, requests: Sequence[Request], packed: PackedBatch) -> EncodedBatch:
        """See `SplitRunner.unpack`."""
        return packed.unpacked(requests)

    def decode(self, batch: EncodedBatch) -> list[Response]:
        """See `StagedRunner.decode`."""
        self.largest_batch_that_fit = None
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
        except ModelError:
            raise  # nothing more is to be asked
        except Exception as error:  # a model's forward raises anything on an odd input
            if "CUDA error" in str(error):
                # The device is lost for this process: nothing asked after this would be true.
                raise ModelError(
                    f"The GPU failed ({one_line(error)}); run the same command again."
                ) from error
            reason = "out_of_memory" if "can't allocate memory" in str(error) else "runner"
            problem = error
        if len(batch.requests) == 1:
            return [*batch.failed, failure(batch.requests[0], reason, one_line(problem))]
        del problem
        _free_memory()
        size = 1
        if reason == "out_of_memory":
            size = self.largest_batch_that_fit = (len(batch.requests) + 1) // 2
        parts = [batch.requests[at : at + size] for at in range(0, len(batch.requests), size)]
        return batch.failed + [one for part in parts for one in self._decode(self.encode(part))]

    def _ready(self) -> Loaded:
        assert self._loaded is not None, "prepare comes first"
        return self._loaded

    def _answers(self, batch: EncodedBatch) -> list[Response]:
        """Generate; sampled answers one by one, so that their seed means the same in any batch."""
        asked = {request.generation for request in batch.requests}
        sampled = any(generation.temperature > 0 for generation in asked)
        if len(batch.requests) > 1 and (sampled or len(asked) > 1):
            return [self._answers(self.encode([request]))[0] for request in batch.requests]
        import torch
        import transformers

        loaded = self._ready()
        started = time.perf_counter()
        inputs = batch.inputs.to(loaded.device)
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.to(loaded.dtype)
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        assert self._encoder is not None
        rooms = [
            self._encoder.room(request, length)
            for request, length in zip(batch.requests, prompt_tokens, strict=True)
        ]
        watch = NumberWatch(sampled=sampled)
        with torch.inference_mode():
            output = loaded.model.generate(
                **inputs,
                **self._arguments(batch.requests[0], tokens=max(rooms)),
                logits_processor=transformers.LogitsProcessorList([watch]),
            )
        new_tokens = output[:, inputs["input_ids"].shape[1] :].tolist()
        seconds = round(time.perf_counter() - started, 4)
        responses = [
            # What a request has room for is its own affair, whatever batch it is in.
            self._response(request, tokens[:room], prompt, seconds, room=room)
            for request, tokens, prompt, room in zip(
                batch.requests, new_tokens, prompt_tokens, rooms, strict=True
            )
        ]
        return self._without_nan(batch.requests, responses, watch.first_steps(len(responses)))

    def _without_nan(
        self, requests: Sequence[Request], responses: list[Response], steps: Sequence[float]
    ) -> list[Response]:
        """The responses, an error where a token was chosen from what is no number.

        Raises:
            ModelError: None of the first answers is one.
        """
        found = [
            # An answer of n tokens was ended by the choice after them.
            failure(request, "runner", NOT_NUMBERS)
            if step <= (response.output_tokens or 0)
            else response
            for request, response, step in zip(requests, responses, steps, strict=True)
        ]
        self._nan += sum(one.error is not None for one in found)
        self._numbers = self._numbers or any(one.error is None for one in found)
        if not self._numbers and self._nan >= NAN_ANSWERS:
            raise ModelError(
                f"The checkpoint has answered nothing: {NOT_NUMBERS}. None of its first "
                f"{self._nan} answers could be used."
            )
        return found

    def _arguments(self, request: Request, *, tokens: int) -> dict[str, Any]:
        tokenizer, stop = self._ready().tokenizer, self._stops(request)
        return {
            **generation_arguments(request),
            "max_new_tokens": tokens,
            **self._options.get("generation", {}),
            "pad_token_id": tokenizer.pad_token_id,
            **({"stop_strings": stop, "tokenizer": tokenizer} if stop else {}),
        }

    def _stops(self, request: Request) -> list[str]:
        """Strings that end an answer: the task's, and the checkpoint's own."""
        return [*request.generation.stop, *self._ready().stops]

    def _response(
        self,
        request: Request,
        tokens: list[int],
        prompt_tokens: int,
        seconds: float,
        *,
        room: int,
    ) -> Response:
        ends = self._end_tokens()
        length = next((at for at, token in enumerate(tokens) if token in ends), len(tokens))
        assert self._encoder is not None
        text, cut = cut_at_stops(self._encoder.text(tokens[:length]), self._stops(request))
        stopped = length < len(tokens) or cut
        whole = length < room or stopped
        return Response(
            sample_id=request.sample_id,
            key=request.key,
            text=text,
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


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
