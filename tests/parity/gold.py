"""Reading gold files: inputs and what a reference program made of them.

A file has `inputs`, and `runs` with a value for each item (`per_item`) and for all (`corpus`).
A number may be `{"exception": ...}`, `{"nan": true}` or `{"inf": 1}`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer

SCHEMA = "vlmbench-gold/1"


@dataclass(frozen=True, slots=True)
class Case:
    """An item of a run."""

    id: str
    answer: Answer
    entry: Mapping[str, Any]
    """What the reference program made of it: `expected`, or several values."""
    corpus: str = ""
    """The corpus that it belongs to, where a file has several."""
    judged: bool = True
    """Whether a careful reader can say what is right."""


@functools.lru_cache(maxsize=4)
def read_gold(folder: Path, name: str) -> Mapping[str, Any]:
    """A gold file's content.

    Raises:
        DataError: The file is missing or is none of this schema.
    """
    path = folder / f"{name}.json"
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"The gold file {path} cannot be read ({problem}); give the folder with --gold."
        ) from None
    if content.get("schema") != SCHEMA:
        raise DataError(f"{path} is not a file of the schema {SCHEMA}; give another folder.")
    return content


def run_of(content: Mapping[str, Any], run_id: str) -> Mapping[str, Any] | None:
    """A run by its id, None where the file lacks it."""
    return next((run for run in content["runs"] if run["run_id"] == run_id), None)


def cases_of(name: str, content: Mapping[str, Any], run: Mapping[str, Any]) -> list[Case]:
    """The items of a run as answers to score, in the order of the inputs.

    Raises:
        DataError: The file has values and not the texts that they are of.
    """
    try:
        return _cases_of(name, content, run)
    except (AttributeError, KeyError, TypeError) as problem:
        raise DataError(
            f"The gold file {name}.json has no texts to score ({type(problem).__name__}: "
            f"{problem}); give a folder whose files have their inputs."
        ) from None


def _cases_of(name: str, content: Mapping[str, Any], run: Mapping[str, Any]) -> list[Case]:
    entries: Mapping[str, Any] = run["per_item"]
    readers = {
        "choice_parsing": _choices,
        "jdocqa_mixed": _documents,
        "judge": _replies,
        "ocr_cer": _pairs,
        "open_parsing": _open,
        "receipt_kie": _receipts,
        "short_answers": _short,
        "vqa_accuracy": _annotated,
    }
    if name in readers:
        found = readers[name](content["inputs"], run)
        items = {item["id"]: item for item in content["inputs"].get("items", ())}
        return [
            Case(id_, answer, entries[id_], judged=_is_judged(items.get(id_, {})))
            for id_, answer in found
            if id_ in entries
        ]
    return list(_corpora(content["inputs"]["corpora"], entries))


def _is_judged(item: Mapping[str, Any]) -> bool:
    return "?" not in (item.get("flags"), item.get("sensible_letter"))


def _choices(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    for item in inputs["items"]:
        # The first is for MathVista, the second what a careful reader takes for the answer.
        meta = {"question_type": "multi_choice", "sensible": item["sensible_letter"] or ""}
        choices = tuple(item["options"])
        yield item["id"], Answer(item["response"], (item["gold"],), choices, meta)


def _open(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    for item in inputs["items"]:
        gold = item["gold"]
        yield (
            item["id"],
            Answer(item["response"], tuple(gold if isinstance(gold, list) else [gold])),
        )


def _short(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    kinds = run["parameters"].get("answer_type", {})
    for item in inputs["items"]:
        meta = {"kind": item["kind"]}
        if item["kind"] in kinds:
            meta["answer_type"] = kinds[item["kind"]]
        elif run["run_id"].startswith("mathvista"):
            meta["answer_type"] = _form(item["gold"][0])
        yield item["id"], Answer(item["pred"], tuple(item["gold"]), meta=meta)


def _form(gold: str) -> str:
    """Whether a reference is written as a whole number, a decimal one, or text."""
    digits = gold.removeprefix("-")
    whole, point, decimals = digits.partition(".")
    if not whole.isdecimal() or (point and not decimals.isdecimal()):
        return "text"
    return "float" if point else "integer"


def _annotated(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    for item in inputs["items"]:
        yield item["id"], Answer(item["pred"], tuple(item["answers"]))


def _pairs(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    for item in inputs["items"]:
        yield item["id"], Answer(item["pred"], (item["ref"],))


def _receipts(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    for item in inputs["items"]:
        yield item["id"], Answer(item["pred"], (item["gold_json"],))


def _documents(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    for item in inputs["items"]:
        meta = {"answer_type": item["answer_type"]}
        yield item["id"], Answer(item["pred"], (item["ref"],), meta=meta)


_REPLIES = {
    "heron.parse_score": "heron_parse",
    "llm_as_a_judge.digit": "digit",
    "board_vqa.yesno": "yesno",
    "board_vqa.boxed": "boxed",
    "heron_legacy.parse_score": "legacy",
}


def _replies(inputs: Any, run: Any) -> Iterator[tuple[str, Answer]]:
    """Replies of a judge; the reference is not looked at."""
    for item in inputs.get(_REPLIES.get(run["run_id"], ""), []):
        yield item["id"], Answer(item["text"] or "", ("",), meta={"category": "conv"})
    if run["run_id"] == "heron_legacy.sample_reviews":
        for id_, entry in run["per_item"].items():
            yield id_, Answer(entry["content"], ("",), meta={"category": entry["category"]})


def _corpora(corpora: Mapping[str, Any], entries: Mapping[str, Any]) -> Iterator[Case]:
    for corpus, items in corpora.items():
        for item in items:
            # Keys name the corpus where an item's value depends on it.
            answer = Answer(item["hyp"], tuple(item["refs"]))
            keys = [(item["id"], corpus), (f"{corpus}::{item['id']}", corpus)]
            # A corpus may have a part, its items of one category, with values of its own.
            part = f"{corpus}.{item['category']}"
            for id_, within in (*keys, (f"{part}::{item['id']}", part)):
                if id_ in entries:
                    yield Case(id_, answer, entries[id_], within)
