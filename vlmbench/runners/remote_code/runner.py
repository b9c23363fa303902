"""Runs models that bring their own Python code, one request at a time, by a recipe.

Such a ModelSpec is made only where `--trust-remote-code` allows it, with a Hub model's commit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.errors import DataError, ModelError
from vlmbench.models.families import ImageLimits
from vlmbench.models.hf_options import contradiction
from vlmbench.models.load_errors import as_model_error
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar, TextPart
from vlmbench.runners.hf.generation import cut_at_stops, generation_arguments
from vlmbench.runners.hf.inputs import bounded, failure, one_line
from vlmbench.runners.hf.load import pick_device, pick_dtype, prepare_libraries, source_of
from vlmbench.runners.remote_code.recipes import CODE_RECIPES, Code, CodeInput, CodeSource


class CodeRunner:
    """See the module."""

    def __init__(self) -> None:
        self._code: Code | None = None
        self._spec: ModelSpec | None = None

    def prepare(self, spec: ModelSpec) -> None:
        """See `Runner.prepare`."""
        prepare_libraries(spec)
        device = pick_device(spec.device)
        placed: dict[str, Any] = {"dtype": pick_dtype(spec.dtype, device)}
        if "device_map" in spec.options:
            placed["device_map"] = spec.options["device_map"]
        recipe = CODE_RECIPES[spec.options["recipe"]]
        with as_model_error(spec):
            code = recipe.load(CodeSource(source_of(spec), spec.revision), placed)
        model = code.model if "device_map" in placed else code.model.to(device)
        self._spec, self._code = spec, Code(model.eval(), code.processor)

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """See `Runner.generate`."""
        return [self._respond(request) for request in requests]

    def describe(self) -> Mapping[str, Scalar]:
        """Device, number format, size and whose code it is."""
        spec, code = self._ready()
        return {
            "device": str(getattr(code.model, "device", spec.device)),
            "dtype": str(getattr(code.model, "dtype", None)).removeprefix("torch."),
            "parameters": sum(p.numel() for p in code.model.parameters()),
            "recipe": spec.options["recipe"],
            "code": f"{spec.location}@{spec.revision}" if spec.revision else spec.location,
            "system_prompt": "before the question",
        }

    def close(self) -> None:
        """See `Runner.close`."""
        self._spec = self._code = None

    def _ready(self) -> tuple[ModelSpec, Code]:
        assert self._spec is not None and self._code is not None, "prepare comes first"
        return self._spec, self._code

    def _respond(self, request: Request) -> Response:
        spec, code = self._ready()
        if problem := contradiction(spec.options, request.generation):
            raise ModelError(f"{problem}; leave one of them out.")
        try:
            question = self._question(request)
        except DataError as error:
            return failure(request, "image", str(error))
        import torch

        started = time.perf_counter()
        try:
            with torch.inference_mode():
                answer = CODE_RECIPES[spec.options["recipe"]].ask(code, question)
        except torch.OutOfMemoryError as error:
            return failure(request, "out_of_memory", one_line(error))
        except Exception as error:  # the model's own code raises anything
            return failure(request, "runner", one_line(error))
        text, stopped = cut_at_stops(answer.text, request.generation.stop)
        most = request.generation.max_new_tokens
        whole = stopped or answer.output_tokens is None or answer.output_tokens < most
        return Response(
            sample_id=request.sample_id,
            key=request.key,
            text=text,
            finish=None if answer.output_tokens is None else "stop" if whole else "length",
            prompt_tokens=answer.prompt_tokens,
            output_tokens=answer.output_tokens,
            seconds=round(time.perf_counter() - started, 4),
        )

    def _question(self, request: Request) -> CodeInput:
        spec, _ = self._ready()
        system = request.system_after(spec.options.get("system"))
        parts = [
            part.text if isinstance(part, TextPart) else bounded(part.image.decode(), ImageLimits())
            for part in request.parts
        ]
        if system:
            parts.insert(0, f"{system}\n\n")
        arguments = generation_arguments(request) | spec.options.get("generation", {})
        return CodeInput(tuple(parts), arguments)
