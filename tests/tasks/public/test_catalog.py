"""The shipped tasks against the catalog of benchmarks, where it lies beside the checkout."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from locations import REFERENCE
from made_public import PUBLIC, SCHEMAS

from vlmbench.tasks.registry import load_task

FILE = REFERENCE / "benchmarks.json"
CATALOGUE: dict[str, Any] = (
    {one["id"]: one for one in json.loads(FILE.read_text(encoding="utf-8"))}
    if FILE.is_file()
    else {}
)
OTHER_NAMES = {"yj-captions": "yj-captions-26k", "ja-vg-vqa-500-first": "ja-vg-vqa-500"}
NOT_FROM_IT = {"mathvista": "the catalog has no data set: its Hub card is the source"}
OWN_ITEMS = {
    "ja-vg-vqa-500-first": "500 images with one question each, as the catalog's note says",
    "mtvqa-ja": "828 by the Hub card",
    "nocaps": "4,500 by it",
    "mantis-eval": "217 by it",
}
OWN_TOKENS = {
    # The catalog's 256 is a harness's default that cuts these short, as it says itself.
    "cc-ocr-ja",
    "jawildtext-board-vqa",
    "jawildtext-handwriting-ocr",
    "jawildtext-receipt-kie",
}

pytestmark = pytest.mark.skipif(not CATALOGUE, reason=f"{FILE} is not here")


def entry_of(name: str) -> dict[str, Any]:
    if name in NOT_FROM_IT:
        pytest.skip(NOT_FROM_IT[name])
    entry: dict[str, Any] = CATALOGUE[OTHER_NAMES.get(name, name)]
    return entry


def hubs_of(entry: dict[str, Any]) -> str:
    return json.dumps(entry["hub"]) if entry["hub"] else ""


@pytest.mark.parametrize("name", PUBLIC)
def test_where_the_data_is(name: str) -> None:
    entry, data = entry_of(name), load_task(name).data
    known = entry["hub"] or {}
    assert (data.hub or "") in hubs_of(entry)
    assert data.revision == known.get("revision")
    if data.manual is None:
        assert data.split == entry["split"]
    configs = known.get("configs")
    if isinstance(configs, list) and data.manual is None and configs != ["default"]:
        assert (list(data.subsets) or [data.config]) == configs


@pytest.mark.parametrize("name", PUBLIC)
def test_items(name: str) -> None:
    if name in OWN_ITEMS:
        pytest.skip(OWN_ITEMS[name])
    assert load_task(name).display.items == entry_of(name)["n_items"]


@pytest.mark.parametrize("name", PUBLIC)
def test_columns(name: str) -> None:
    entry = entry_of(name)
    if load_task(name).data.manual is not None:
        pytest.skip("its columns are those that 'tasks prepare' makes")
    published = {column for one in entry["columns"] for column in _names(one["name"])}
    assert set(SCHEMAS[name]) <= published


@pytest.mark.parametrize("name", PUBLIC)
def test_prompt_and_length(name: str) -> None:
    entry, task = entry_of(name), load_task(name)
    prompt = entry["prompt"] or {}
    instructions = prompt.get("instruction") or []
    for one in instructions if isinstance(instructions, list) else [instructions]:
        if one != "(same)":
            assert one.strip() in task.prompt
    tokens = (entry["generation"] or {}).get("max_new_tokens")
    if tokens is not None and name not in OWN_TOKENS:
        assert task.generation.max_new_tokens == tokens


def test_every_benchmark_is_a_task() -> None:
    """All but those that are no test of answers about images, or not among what was asked for."""
    left_out = {"mnist", "videomme", "the-cauldron", "coco-karpathy", "flickr30k"}
    named = {OTHER_NAMES.get(name, name) for name in PUBLIC}
    assert set(CATALOGUE) - named == left_out


def _names(text: str) -> set[str]:
    """Column names as the catalog writes them together: image_1..image_7, A/B/C/D."""
    if match := re.fullmatch(r"(\w+_)(\d)\.\.\1(\d)", text):
        return {f"{match[1]}{k}" for k in range(int(match[2]), int(match[3]) + 1)}
    return {text, *(part.strip() for part in text.split("/"))}
