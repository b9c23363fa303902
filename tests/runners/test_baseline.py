"""Baselines: hand-made cases, the expected answers derived beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench.errors import DataError
from vlmbench.records import Sample
from vlmbench.runners.baseline import baseline_answers, scripted


def sample(number: int, *references: str, kind: str = "a", choices: tuple[str, ...] = ()) -> Sample:
    meta = {"kind": kind, "style": "x"}
    return Sample(f"q{number}", (), references, choices=choices, meta=meta)


SAMPLES = [
    sample(0, "赤", "赤色"),
    sample(1, "青"),
    sample(2, "赤"),
    sample(3, "青", kind="b"),
    sample(4, "青", kind="b"),
    sample(5, "三つ", "3つ", kind="c"),
]


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("oracle", ["赤", "青", "赤", "青", "青", "三つ"]),
        # 青 three times, 赤 twice.
        ("majority", ["青"] * 6),
        # a: 赤 twice; b: 青 twice; c: a tie, which the first form wins.
        ("blind-majority", ["赤", "赤", "赤", "青", "青", "三つ"]),
    ],
)
def test_plans(kind: str, answers: list[str]) -> None:
    assert baseline_answers(kind, SAMPLES, 0) == {f"q{n}": text for n, text in enumerate(answers)}


def test_a_majority_among_captions_is_the_most_frequent_reference() -> None:
    captions = [sample(0, "空", "海"), sample(1, "山", "海"), sample(2, "川", "空")]
    assert set(baseline_answers("majority", captions, 0).values()) == {"空"}
    captions.append(sample(3, "森", "海"))
    assert set(baseline_answers("majority", captions, 0).values()) == {"海"}


def test_random_depends_on_seed_and_id_alone() -> None:
    many = [sample(n, "赤" if n % 2 else "青") for n in range(200)]
    forward, backward = (
        baseline_answers("random", many, 3),
        baseline_answers("random", many[::-1], 3),
    )
    assert forward == backward
    assert forward != baseline_answers("random", many, 4)
    # Fair: 200 draws of probability 1/2 lie within 100 +- 35 but once in a million.
    assert 65 < list(forward.values()).count("赤") < 135


def test_random_draws_from_the_choices() -> None:
    many = [sample(n, "A", choices=("A", "B", "C")) for n in range(60)]
    assert set(baseline_answers("random", many, 0).values()) == {"A", "B", "C"}


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"id": "a", "text": null}'])
def test_scripts_that_cannot_be_read(tmp_path: Path, line: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n\n' + line + "\n")
    with pytest.raises(DataError, match="ine 3 of"):
        scripted(path)
