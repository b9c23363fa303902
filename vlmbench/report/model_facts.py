"""What is known of a model beside its scores: size, license, family, and what it was trained from.

From run records, models.yaml and, where a checkpoint still lies where it was evaluated, what the
trainer wrote beside its weights. Nothing is guessed: what is not known is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from vlmbench.models.resolve import known_models
from vlmbench.models.training_data import CHECKPOINT_FACTS
from vlmbench.records import RunRecord

_OWN_WEIGHTS = ("hf", "remote_code", "baseline", "served")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model."""

    parameters: int | None = None
    family: str | None = None
    license: str | None = None
    open: bool | None = None
    """Whether its weights were loaded here; False for a service of the Internet, None where
    neither is known."""
    evaluated: str = ""
    """The day of its last run."""
    identity: tuple[str, ...] = ()
    """Its fingerprint, and where it was loaded from at which revision."""
    base: tuple[str, ...] = ()
    """The same of the model that a checkpoint was trained from."""
    base_name: str | None = None
    series: str | None = None
    """Name of the training that it is a checkpoint of."""
    step: int | None = None
    parent: str | None = None
    """Name of the entry that it was trained from, where that was evaluated, too."""


def model_facts(records: Sequence[RunRecord]) -> ModelFacts:
    """What the records of one model tell; its parent is not among it."""
    newest = max(records, key=lambda one: one.created)
    spec, environment = newest.model_spec, newest.environment
    location = str(spec.get("location", ""))
    trained = _checkpoint(spec)
    overlap = newest.overlap
    base = trained.get("base") or {"location": overlap.parent if overlap else None}
    counts = [one.environment.get("parameters") for one in records]
    family = environment.get("family")
    runner = str(spec.get("runner", ""))
    return ModelFacts(
        parameters=next((int(one) for one in counts if isinstance(one, int | float)), None),
        family=str(family) if family else None,
        license=_licenses().get(location),
        open=_open(runner, str(environment.get("endpoint", ""))),
        evaluated=newest.created[:10],
        identity=_identity(newest.fingerprints.get("model"), spec),
        base=_identity(base.get("fingerprint"), base),
        base_name=PurePath(str(base["location"])).name if base.get("location") else None,
        series=trained.get("name"),
        step=trained.get("step"),
    )


def _open(runner: str, endpoint: str) -> bool | None:
    """A server of one's own, as on a cluster, and old predictions say nothing of the weights."""
    if runner in _OWN_WEIGHTS:
        return True
    return False if runner == "openai_api" and endpoint.startswith("https://") else None


def _identity(fingerprint: Any, place: Mapping[str, Any]) -> tuple[str, ...]:
    """Two ways to know a model again: its precision is part of the first, not of the second."""
    at = f"{place['location']}@{place.get('revision')}" if place.get("location") else ""
    return tuple(one for one in (str(fingerprint or ""), at) if one)


@cache
def _licenses() -> dict[str, str]:
    """By the place of the model."""
    return {
        alias.hub: alias.licence
        for alias in known_models().values()
        if alias.hub is not None and alias.licence is not None
    }


def _checkpoint(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the trainer wrote beside the weights; empty if it is not there, or is no such thing."""
    adapter = (spec.get("options") or {}).get("adapter")
    folder = Path(str(adapter or spec.get("location", "")))
    try:
        facts = json.loads((folder / CHECKPOINT_FACTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(facts, dict) and isinstance(facts.get("base"), dict)
    return facts if known else {}
