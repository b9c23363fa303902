"""A response and its sample as a line of a journal, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from vlmbench.records import ImageRef, JournalSample, Response, ResponseError
from vlmbench.runs.shared import Shared

_RESPONSE_FIELDS = tuple(one.name for one in fields(Response))

_NUMBERS = ("prompt_tokens", "output_tokens", "seconds", "first_token_seconds")

_SAMPLE_FIELDS = tuple(one.name for one in fields(JournalSample))


def response_line(response: Response) -> dict[str, Any]:
    """The fields of a response that hold something."""
    values = {name: getattr(response, name) for name in _RESPONSE_FIELDS}
    if response.error is not None:
        values["error"] = {"kind": response.error.kind, "message": response.error.message}
    return {name: value for name, value in values.items() if value is not None}


def sample_line(sample: JournalSample) -> dict[str, Any]:
    """What was asked, images by their digests."""
    values = {name: getattr(sample, name) for name in _SAMPLE_FIELDS}
    prompt = [one if isinstance(one, str) else {"image": one.image} for one in sample.prompt]
    return {**values, "prompt": prompt}


def parse_sample(line: dict[str, Any], shared: Shared) -> JournalSample | None:
    """The sample of a response's line, of which only the response's own fields are left."""
    if "prompt" not in line:
        return None
    values: dict[str, Any] = {name: line.pop(name) for name in _SAMPLE_FIELDS}
    prompt = (one if isinstance(one, str) else ImageRef(**one) for one in values.pop("prompt"))
    lists: dict[str, Any] = {
        name: shared.value(tuple(values.pop(name))) for name in ("images", "references", "choices")
    }
    meta = shared.mapping(values.pop("meta"))
    same = values["cluster"] == line["sample_id"]  # as without an image
    cluster = line["sample_id"] if same else shared.value(values["cluster"])
    return JournalSample(values["index"], tuple(prompt), **lists, meta=meta, cluster=cluster)


def parse_response(line: dict[str, Any], shared: Shared) -> Response:
    """The response of a line of which nothing else is left."""
    error = line.pop("error", None)
    if error is not None:
        error = shared.value(ResponseError(**error))
    if not all(isinstance(line.get(name, 0), int | float) for name in _NUMBERS):
        raise TypeError("a number is none")
    for name in ("text", "finish"):
        if not isinstance(line.get(name, ""), str):
            raise TypeError(f"{name} is no text")
        if name in line:
            line[name] = shared.value(line[name])
    return Response(**line, error=error)
