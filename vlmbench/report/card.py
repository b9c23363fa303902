"""A task's card on its page: what it measures, on what, how it is asked and scored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from vlmbench.compare.published import Source, comparable_sources
from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import load_metric
from vlmbench.records import RunRecord

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class BilingualText:
    """A text of the card in both languages."""

    key: str
    """Of the page's strings."""
    english: str
    japanese: str
    """Empty where the task file has none."""


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

    description: BilingualText
    chance: BilingualText
    """What the card says of the chance level; empty in English where it says nothing."""
    free: bool
    """Whether no metric reads options, so that guessing has no level."""
    flaws: tuple[BilingualText, ...]
    """Empty: none known to us."""
    facts: tuple[tuple[str, str], ...]
    """(key of strings.json, text)."""
    data: str
    link: str
    """Of the data set's page; empty if it has none."""
    unpinned: bool
    """Whether the newest revision of a Hub data set is read."""
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

    @property
    def strings(self) -> dict[str, tuple[str, str]]:
        """What the page's language button turns: English and Japanese by key."""
        said = (self.description, self.chance, *self.flaws)
        return {one.key: (one.english, one.japanese) for one in said if one.japanese}


def task_card(record: RunRecord) -> TaskCard:
    """The card of the task that a run answered, as it was then."""
    known = record.task_spec
    data, generation = known.get("data") or {}, known.get("generation") or {}
    metrics = tuple(_metric(use, record) for use in known.get("metrics") or ())
    japanese = known.get("ja") or {}
    flaws = zip_longest(known.get("flaws") or (), japanese.get("flaws") or (), fillvalue="")
    hub = str(data.get("hub") or "")
    return TaskCard(
        description=_said("card", known, japanese),
        chance=_said("chance", known, japanese),
        free=not any("choice" in use["use"] for use in known.get("metrics") or ()),
        flaws=tuple(BilingualText(f"card.flaws.{n}", *pair) for n, pair in enumerate(flaws)),
        facts=_facts(record),
        data=_data(data),
        link=f"https://huggingface.co/datasets/{hub}" if _HUB_NAME.fullmatch(hub) else "",
        unpinned=bool(hub) and not data.get("revision"),
        prompt=str(known.get("prompt") or ""),
        system=str(known.get("system") or ""),
        tokens=generation.get("max_new_tokens"),
        images_first=known.get("image_order") == "reference",
        metrics=metrics,
        sources=comparable_sources(record.task, [p for one in metrics for p in one.published]),
    )


def _said(name: str, known: Mapping[str, Any], japanese: Mapping[str, Any]) -> BilingualText:
    texts = (str(one.get(name) or "").strip() for one in (known, japanese))
    return BilingualText(f"card.{name}", *texts)


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
        text = load_metric(metric).definition.definition
    except VlmbenchError:
        return ""
    return text.split("\n\n")[0].replace("\n", " ")
