"""A task's card on its page: what it measures, on what, how it is asked and scored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import load_metric
from vlmbench.published import Source, comparable_sources
from vlmbench.records import RunRecord

_LABEL = r"(Known flaws|Chance level)(?: \(([^)]*)\))?: "

_LABELLED = re.compile(rf"(?<=[.。]) (?={_LABEL})")
"""Where a card's text goes on to what has a label of its own."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class CardMetric:
    """A metric as the task uses it."""

    name: str
    """What it is called in results."""
    headline: bool
    notes: tuple[str, ...]
    """The metric's own name where the task gives it another, its options and its condition."""
    definition: str
    """The first sentence of its definition; empty if it is not installed here."""
    published: tuple[tuple[str, str], ...]
    """(harness, what that calls it), where its published scores compare."""


@dataclass(frozen=True, slots=True)
class TaskCard:
    """What a task says of itself, out of a run record."""

    description: str
    chance: str
    """What the card says of the chance level."""
    flaws: str
    facts: tuple[tuple[str, str], ...]
    """(key of strings.json, text)."""
    data: str
    link: str
    """Of the data set's page; empty if it has none."""
    prompt: str
    """The template."""
    system: str
    tokens: int | None
    """At most so many in an answer."""
    images_first: bool
    """Whether all images stand before the text whatever the question marks."""
    metrics: tuple[CardMetric, ...]
    sources: tuple[Source, ...]
    """Of published scores that compare."""


def task_card(record: RunRecord) -> TaskCard:
    """The card of the task that a run answered, as it was then."""
    known = record.task_spec
    data, generation = known.get("data") or {}, known.get("generation") or {}
    metrics = tuple(_metric(use, record) for use in known.get("metrics") or ())
    text = _paragraphs(str(known.get("card") or "").strip())
    hub = str(data.get("hub") or "")
    return TaskCard(
        description=text[""],
        chance=text["Chance level"],
        flaws=text["Known flaws"],
        facts=_facts(record),
        data=_data(data),
        link=f"https://huggingface.co/datasets/{hub}" if _HUB_NAME.fullmatch(hub) else "",
        prompt=str(known.get("prompt") or ""),
        system=str(known.get("system") or ""),
        tokens=generation.get("max_new_tokens"),
        images_first=known.get("image_order") == "reference",
        metrics=metrics,
        sources=comparable_sources(record.task, [p for one in metrics for p in one.published]),
    )


def _paragraphs(card: str) -> dict[str, str]:
    """The card's text by label; what has none is under the empty one.

    Known flaws go on to the next label, the chance level is one sentence.
    """
    found = {"": "", "Chance level": "", "Known flaws": ""}
    starts = [0, *(match.end() for match in _LABELLED.finditer(card)), len(card)]
    for start, end in pairwise(starts):
        part = card[start:end].strip()
        match = re.match(_LABEL, part)
        label, rest = (match[1], part[match.end() :]) if match else ("", part)
        if label == "Chance level":
            sentence, stop, others = rest.partition(". ")
            found[""] += f" {others}"
            rest = sentence + stop.strip()
        if match and match[2]:
            rest = f"{match[2]}: {rest}"
        found[label] += rest[:1].upper() + rest[1:]
    return {label: text.strip() for label, text in found.items()}


def _facts(record: RunRecord) -> tuple[tuple[str, str], ...]:
    known = record.task_spec
    rows = [
        ("measures", known.get("capability")),
        ("task_language", known.get("language")),
        ("samples", record.coverage.total),
        ("items", known.get("items")),
        ("licence", known.get("licence")),
        ("citation", known.get("citation")),
    ]
    return tuple((key, str(value).strip()) for key, value in rows if value)


def _data(data: Mapping[str, Any]) -> str:
    """Where the rows are: a file beside the task, or a data set with split and commit."""
    parts = [data.get("hub") or data.get("path")]
    parts += [data.get("config"), data.get("split")]
    parts += [f"{len(data['subsets'])} subsets"] if data.get("subsets") else []
    parts += [f"@{data['revision']}"] if data.get("revision") else []
    return ", ".join(str(part) for part in parts if part)


def _metric(use: Mapping[str, Any], record: RunRecord) -> CardMetric:
    name = use["id"] or use["use"]
    notes = [use["use"]] if name != use["use"] else []
    notes += [f"{key}={value}" for key, value in (use.get("options") or {}).items()]
    notes += [str(use["where"])] if use.get("where") else []
    return CardMetric(
        name=name,
        headline=any(one.metric == name and one.headline for one in record.estimates),
        notes=tuple(notes),
        definition=_definition(use["use"]),
        published=tuple(sorted((use.get("published") or {}).items())),
    )


def _definition(metric: str) -> str:
    try:
        text = load_metric(metric).kind.definition
    except VlmbenchError:
        return ""
    return text.split("\n\n")[0].replace("\n", " ")
