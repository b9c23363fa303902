from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_tasks import color_rows, write_task

from vlmbench.compare.paired_runs import read_scored
from vlmbench.compare.rotation_bias import RotationBias, rotation_biases
from vlmbench.derive import load_texts
from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Sample
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.variants.choose import Wanted, choose_variants
from vlmbench.tasks.variants.variant import Variant

N = 40
COUNT = 4
OPTIONS = ["赤", "青", "緑", "黄色"]


def choice_task(folder: Path, *, options: Callable[[int], list[str]] = lambda n: OPTIONS) -> Path:
    """A question of four options each; the right one is the first."""
    rows = [
        {**row, "options": options(number), "references": [options(number)[0]]}
        for number, row in enumerate(color_rows(N))
    ]
    return write_task(
        folder,
        rows,
        fields={
            "id": "{{ row.id }}",
            "images": ["images"],
            "references": {"column": "references"},
            "choices": {"column": "options"},
        },
        slices=[],
        prompt="{{ row.question | interleave }}\n{{ choices | lettered }}",
        metrics=[{"use": "match.choice", "headline": True}],
    )


def biases(folder: Path, task_file: Path, say: Callable[[Sample], str]) -> RotationBias:
    """What comes of a model that says this to each sample as it was asked."""
    task = load_task(str(task_file))
    variants = choose_variants(task, Wanted(rotate=True)).variants
    runs = []
    for variant in (None, *variants):
        script = folder / f"{variant.label if variant else 'plain'}.jsonl"
        samples = load_texts(task, variant)
        script.write_text("".join(json.dumps({"id": s.id, "text": say(s)}) + "\n" for s in samples))
        model = resolve_model(f"baseline:scripted:{script}")
        record = run(model, task, executor=LocalExecutor(batch_size=8), out=folder, variant=variant)
        runs.append(read_scored(RunDir.of(folder, record.model, record.task, record.variant)))
    (found,) = rotation_biases(runs)
    return found


def test_one_who_knows(tmp_path: Path) -> None:
    found = biases(tmp_path, choice_task(tmp_path), lambda sample: sample.references[0])
    assert (found.rotations, found.n, found.left_out, found.unread) == (COUNT, N, 0, 0.0)
    assert found.accuracy and found.consistency
    # statsmodels: proportion_confint(40, 40, method="wilson") is (0.91238, 1.0).
    assert found.consistency.value == found.accuracy.value == 1.0
    assert (found.consistency.low, found.accuracy.low) == pytest.approx(
        (0.91238, 0.91238), abs=1e-5
    )
    assert [(place.letter, place.chosen, place.right) for place in found.places] == [
        (letter, 0.25, 0.25) for letter in "ABCD"
    ]
    assert not any(place.biased for place in found.places)


def test_one_who_always_says_b(tmp_path: Path) -> None:
    found = biases(tmp_path, choice_task(tmp_path), lambda sample: "B")
    assert found.accuracy and found.consistency
    assert (found.accuracy.value, found.consistency.value) == (0.25, 0.0)
    excess = {place.letter: place.excess for place in found.places}
    assert excess == {"A": -0.25, "B": 0.75, "C": -0.25, "D": -0.25}
    assert all(place.biased for place in found.places)


def test_one_who_is_wrong_in_the_same_way(tmp_path: Path) -> None:
    found = biases(tmp_path, choice_task(tmp_path), lambda sample: "緑")
    assert found.accuracy and found.consistency
    assert (found.accuracy.value, found.consistency.value) == (0.0, 1.0)


def test_unreadable_answers_are_counted_and_never_consistent(tmp_path: Path) -> None:
    found = biases(tmp_path, choice_task(tmp_path), lambda sample: "紫です")
    assert found.consistency
    assert (found.unread, found.consistency.value, found.places) == (1.0, 0.0, ())


def test_questions_with_fewer_options_have_fewer_rotations(tmp_path: Path) -> None:
    task = choice_task(tmp_path, options=lambda n: OPTIONS[: 2 + n % 3])
    found = biases(tmp_path, task, lambda sample: "A")
    assert (found.rotations, found.n) == (4, N)
    # 14, 13 and 13 questions with 2, 3 and 4 options: A is right once in each question.
    shares = {place.letter: place.right for place in found.places}
    assert shares == pytest.approx({"A": 40 / 119, "B": 40 / 119, "C": 26 / 119, "D": 13 / 119})
    assert found.accuracy
    assert found.accuracy.value == pytest.approx((14 / 2 + 13 / 3 + 13 / 4) / N)


def test_a_variant_is_a_rotation_of_so_many() -> None:
    assert Variant("options", "2-of-4").label == "rotate-2-of-4"
