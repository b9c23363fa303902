"""Answers beside a careful reader's verdicts, which lie beside the checkout where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from locations import CASES

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.text.choices import read_choice
from vlmbench.text.option_mentions import LETTERS

pytestmark = pytest.mark.reference

KNOWN = {
    "pr/067": "the reading of an option (キヨミズデラ for 清水寺) is in no dictionary here",
    "pr/306": "a name without its first name is not completed",
    "pr/356": "a long vowel at the end of a word of two kana makes another word",
}

FOLDERS = {
    "choice-explained-1": ["match.choice"],
    "latex-1": ["match.numeric", "match.states"],
    "answer-then-reason-1": ["match.states", "match.numeric"],
    "think-other-marks": ["match.choice"],
}

PERFECT = {
    **dict.fromkeys(("overlap.rouge_l", "ocr.similarity", "ocr.character_f1", "match.anls"), 1.0),
    **dict.fromkeys(("overlap.bleu", "overlap.chrf"), 1.0),
    "caption.cider_d": 10.0,
    "ocr.cer": 0.0,
}
"""Values of a set of perfect answers."""


def lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        pytest.skip("the reference cases (../shared/reference/cases) are not here")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_choices() -> None:
    wrong, none = set(), set()
    for case in lines(CASES / "answers.jsonl"):
        if case["kind"] == "choice" and case.get("confidence") != "opinion":
            position = read_choice(case["prediction"], case["choices"])
            letter = None if position is None else LETTERS[position]
            if letter != case["verdict"]:
                (none if letter is None else wrong).add(case["id"])
    assert wrong == set()
    assert none <= KNOWN.keys()


def test_short_answers() -> None:
    differing = set()
    for case in lines(CASES / "answers.jsonl"):
        if case["kind"] == "short" and case.get("confidence") != "opinion":
            answer = Answer(case["prediction"], tuple(case["references"]))
            if load_metric(case["metric"]).score(answer).vector != (
                pytest.approx(case["verdict"]),
            ):
                differing.add(case["id"])
    assert differing <= KNOWN.keys()


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders(folder: str) -> None:
    for case in lines(CASES / folder / "p.jsonl"):
        answer = Answer(
            case["prediction"], tuple(case["references"]), tuple(case.get("choices", ()))
        )
        for name in FOLDERS[folder]:
            assert load_metric(name).score(answer).vector == (case["expected"],), case["id"]


@pytest.mark.parametrize("name", PERFECT)
def test_reasoning_is_no_part_of_a_perfect_answer(name: str) -> None:
    cases = lines(CASES / "think-open-metrics-1" / "p.jsonl")
    answers = [Answer(case["prediction"], tuple(case["references"])) for case in cases]
    metric = load_metric(name).prepare([answer.references for answer in answers])
    vectors = [score.vector for score in metric.score_all(answers)]
    total = np.array(vectors).sum(axis=0)
    assert metric.combine(total, len(answers)) == pytest.approx(PERFECT[name])
