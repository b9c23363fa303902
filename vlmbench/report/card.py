"""A task's card on its page: what it measures, on what, with which prompt, and how it is scored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import zip_longest
from typing import Any

from vlmbench.compare.published import PublishedSource, comparable_sources
from vlmbench.errors import VlmbenchError
from vlmbench.metrics.base import load_metric
from vlmbench.records import RunRecord
from vlmbench.report.rendering import Words, words

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)

_PARAGRAPHS = ("card", "chance")


@dataclass(frozen=True, slots=True)
class TaskCard:
    """What a task says of itself, out of a run record."""

    description: Words
    chance: Words
    """What the task says of the chance level."""
    free_form: bool
    """Whether no metric reads options, so that guessing has no level."""
    flaws: tuple[Words, ...]
    facts: tuple[tuple[str, str], ...]
    """(key of strings.json, text)."""
    data: str
    """The file beside the task, or the data set with its split and commit."""
    link: str
    """Of the data set's page; empty if it has none."""
    headlines: frozenset[str]
    """Names of the headline metrics."""
    definitions: Mapping[str, Words]
    """The first paragraph of each metric's definition; empty if it is not installed here."""
    sources: tuple[PublishedSource, ...]
    """Of published scores that compare."""


def task_card(record: RunRecord) -> TaskCard:
    """The card of a run's task, as it was then."""
    spec = record.task_spec
    uses, hub = spec["metrics"], str(spec["data"].get("hub") or "")
    description, chance, *flaws = _texts(spec, spec.get("ja") or {})
    return TaskCard(
        description=description,
        chance=chance,
        free_form=not any("choice" in use["use"] for use in uses),
        flaws=tuple(flaws),
        facts=_facts(record),
        data=_data(spec["data"]),
        link=f"https://huggingface.co/datasets/{hub}" if _HUB_NAME.fullmatch(hub) else "",
        headlines=frozenset(one.metric for one in record.estimates if one.headline),
        definitions={use["use"]: _definition(use["use"]) for use in uses},
        sources=comparable_sources(
            record.task, [pair for use in uses for pair in (use.get("published") or {}).items()]
        ),
    )


def _texts(english: Mapping[str, Any], japanese: Mapping[str, Any]) -> Iterator[Words]:
    """Description, chance level and flaws, without backticks."""
    pairs = [tuple(str(one.get(name) or "") for one in (english, japanese)) for name in _PARAGRAPHS]
    pairs += zip_longest(english.get("flaws") or (), japanese.get("flaws") or (), fillvalue="")
    for pair in pairs:
        yield words(*(one.replace("`", "").strip() for one in pair))


def _facts(record: RunRecord) -> tuple[tuple[str, str], ...]:
    spec = record.task_spec
    rows = [
        ("measures", spec.get("capability")),
        ("task_language", spec.get("language")),
        ("samples", (record.part or str(record.coverage.total)).replace(" of ", " / ")),
        ("items", spec.get("items")),
        ("other_size", f"{record.available:,}" if record.other_size else None),
        ("license", spec.get("licence")),
        ("citation", spec.get("citation")),
    ]
    return tuple((key, str(value).strip()) for key, value in rows if value)


def _data(data: Mapping[str, Any]) -> str:
    parts = [data.get("hub") or data.get("path"), data.get("config"), data.get("split")]
    parts += [f"{len(data['subsets'])} subsets"] if data.get("subsets") else []
    parts += [f"@{data['revision']}"] if data.get("revision") else []
    return ", ".join(str(part) for part in parts if part)


def _definition(metric: str) -> Words:
    try:
        text = load_metric(metric).definition.definition
    except VlmbenchError:
        return words("")
    english = text.split("\n\n")[0].replace("\n", " ").replace("`", "")
    return words(english, japanese_definitions().get(metric, ""))


@cache
def japanese_definitions() -> dict[str, str]:
    """The same sentences in Japanese, of the metrics that shipped tasks use."""
    text = resources.files("vlmbench.report").joinpath("metrics_ja.json").read_text("utf-8")
    return {name: str(sentence) for name, sentence in json.loads(text).items()}
