"""A response and its sample as a line of a journal, and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from vlmbench.records import ImageRef, JournalSample, Response, ResponseError, Scalar

_RESPONSE_FIELDS = tuple(one.name for one in fields(Response))

_SAMPLE_FIELDS = tuple(one.name for one in fields(JournalSample))

_REMEMBERED = 4096
"""Values that are looked for among those to come; what is rare is soon forgotten."""

_Value = TypeVar("_Value", bound=Hashable)


class Shared:
    """Makes equal values of a journal's lines one object: a million lines have few references."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self._metas: dict[Hashable, Mapping[str, Scalar]] = {}

    def value(self, value: _Value) -> _Value:
        """An equal value that came before, or this one."""
        if len(self._values) >= _REMEMBERED:
            self._values.clear()
        known: _Value = self._values.setdefault(value, value)
        return known

    def meta(self, meta: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        """The same for a mapping; 1, 1.0 and True are not equal here."""
        if len(self._metas) >= _REMEMBERED:
            self._metas.clear()
        return self._metas.setdefault((*meta.items(), *map(type, meta.values())), meta)


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
    meta = shared.meta(values.pop("meta"))
    same = values["cluster"] == line["sample_id"]  # as without an image
    cluster = line["sample_id"] if same else shared.value(values["cluster"])
    return JournalSample(values["index"], tuple(prompt), **lists, meta=meta, cluster=cluster)


def parse_response(line: dict[str, Any], shared: Shared) -> Response:
    """The response of a line of which nothing else is left."""
    error = line.pop("error", None)
    if error is not None:
        error = shared.value(ResponseError(**error))
    for name in ("text", "finish"):
        if name in line:
            line[name] = shared.value(line[name])
    return Response(**line, error=error)
