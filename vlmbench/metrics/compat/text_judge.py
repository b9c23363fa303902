"""How other harnesses read a judge's reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_DIGIT = re.compile(r"\d")
_CORRECT = re.compile(r"correct\s*+:\s*+(yes|no)", re.IGNORECASE)


class ScorePair(NamedTuple):
    """What a judge gave the model and the reference answer."""

    model: float
    reference: float


def json_scores(reply: str) -> ScorePair | None:
    """Heron-Bench scores as llm-jp-eval-mm reads them, None where it would put -1.

    The first JSON object with both `score` and `score_gpt`: of those in ```json fences if there
    is any such fence, else of the texts from a { to the next }, so that a nested object or a
    brace inside a string is not read. Where JSON fails it is tried again without control
    characters. Values are cut to whole numbers, of any size.

    Raises:
        ValueError, TypeError, OverflowError, RecursionError: As in the original, where they end
            the run: a score such as null, "8/10", NaN or Infinity, or JSON nested too deeply.
    """
    for text in list(_between(reply, "```json", "```")) or _braced(reply):
        parsed = _json(text.strip())
        if isinstance(parsed, dict) and "score" in parsed and "score_gpt" in parsed:
            return ScorePair(int(parsed["score"]), int(parsed["score_gpt"]))
    return None


def pair_of_numbers(reply: str) -> ScorePair | None:
    """The two numbers of a reply's first line as heron's script reads them, else None.

    A comma counts as a space; there must be exactly one space, and nothing else on the line. The
    first number is the reference's.
    """
    parts = reply.partition("\n")[0].replace(",", " ").split(" ")
    if len(parts) != 2:
        return None
    try:
        return ScorePair(model=float(parts[1]), reference=float(parts[0]))
    except ValueError:
        return None


def first_digit(reply: str) -> int | None:
    """The first decimal digit of any script, as llm-jp-eval-mm reads a grade from 1 to 5."""
    found = _DIGIT.search(reply)
    return int(found[0]) if found else None


def says_correct(reply: str) -> bool | None:
    """What follows the first "correct:", even inside "incorrect:"; None without yes or no."""
    found = _CORRECT.search(reply)
    return found[1].lower() == "yes" if found else None


def closing_brace(text: str, start: int) -> int | None:
    """Where the brace that is open at `start` is closed; strings are not recognized."""
    depth = 1
    for match in re.compile("[{}]").finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return None


def _between(text: str, opening: str, closing: str) -> Iterator[str]:
    """The texts from each opening to the next closing, one after the other."""
    end = 0
    while (start := text.find(opening, end)) >= 0:
        start += len(opening)
        end = text.find(closing, start)
        if end < 0:
            return
        yield text[start:end]
        end += len(closing)


def _braced(text: str) -> Iterator[str]:
    return (f"{{{inside}}}" for inside in _between(text, "{", "}"))


def _json(text: str) -> object:
    """The value of JSON, at the second try without control characters; None if it is none."""
    for attempt in (text, _CONTROLS.sub("", text)):
        try:
            return json.loads(attempt)
        except json.JSONDecodeError:
            continue
    return None
