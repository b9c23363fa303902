"""The score of a group: chance correction, weights, interval, and when there is none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from made_public import PUBLIC, write_public

from vlmbench.cli.main import main
from vlmbench.errors import UsageError
from vlmbench.metrics.base import load_metric
from vlmbench.runs.directory import RunDir
from vlmbench.scoring.groups import Headline, group_scores, macro_average, task_value
from vlmbench.tasks.groups import (
    SameQuestions,
    expand_names,
    load_groups,
    load_same_questions,
)
from vlmbench.tasks.registry import load_task, task_names


def headline(name: str, values: list[float], chance: float = 0.0) -> Headline:
    ids = tuple(f"q{number}" for number in range(len(values)))
    return Headline(
        load_metric(name), np.array(values, dtype=np.float64)[:, None], chance, ids, ids
    )


def test_a_value_by_hand() -> None:
    """Choices: 3 of 4 right at a chance of 1/4 is (0.75 - 0.25) / 0.75 = 2/3; with 2 open
    answers, 1 right, weighted by samples: (4 * 2/3 + 2 * 1/2) / 6 = 11/18. CIDEr-D 2.5 of 10 is
    0.25. Their mean is (11/18 + 1/4) / 2 = 31/72."""
    mixed = [headline("match.choice", [1, 1, 1, 0], 0.25), headline("match.states", [1, 0])]
    caption = [headline("caption.cider_d", [2.0, 3.0])]
    assert task_value(mixed) == pytest.approx(11 / 18)
    assert task_value(caption) == pytest.approx(0.25)
    found = macro_average({"a": mixed, "b": caption})
    assert found.value == pytest.approx(31 / 72)
    assert found.low < found.value < found.high
    assert found == macro_average({"a": mixed, "b": caption})


def test_worse_than_chance_is_below_zero() -> None:
    assert task_value([headline("match.choice", [0, 0], 0.25)]) == pytest.approx(-1 / 3)


def test_an_interval_that_resampling_would_close_is_wilsons() -> None:
    """10 of 10: Wilson's lower end is 1 / (1 + 1.96**2 / 10) = 0.722 (E. B. Wilson, 1927)."""
    found = macro_average({"a": [headline("match.exact", [1.0] * 10)]})
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.7225, abs=1e-3)


def test_wilsons_ends_are_corrected_as_the_value_is() -> None:
    """0 of 3: Wilson's upper end is 1.96**2 / (3 + 1.96**2) = 0.5615; at a chance of 1/4 that is
    (0.5615 - 0.25) / 0.75 = 0.4153, and 0 is -1/3. A share of errors is turned round: none of 3
    wrong lies between 1 - 0.5615 = 0.4385 and 1."""
    found = macro_average({"a": [headline("match.choice", [0, 0, 0], 0.25)]})
    assert (found.value, found.low) == (pytest.approx(-1 / 3), pytest.approx(-1 / 3))
    assert found.high == pytest.approx(0.4153, abs=1e-3)
    errors = [headline("language.repetition", [0, 0, 0])]
    assert errors[0].metric.definition.lower_is_better
    turned = macro_average({"a": errors})
    assert (turned.value, turned.high) == (1.0, 1.0)
    assert turned.low == pytest.approx(0.4385, abs=1e-3)


def test_the_interval_covers_what_it_says() -> None:
    """Tasks with known means, drawn 200 times: near 95 % of the intervals contain the true mean
    (1/2 of 0.8 and 0.5 and 0.3 = 0.5333); the binomial bounds for 200 draws are 91 to 99 %."""
    generator = np.random.Generator(np.random.PCG64(7))
    means = {"a": (0.8, 150), "b": (0.5, 80), "c": (0.3, 60)}
    truth = float(np.mean([mean for mean, _ in means.values()]))
    covered = 0
    for _ in range(200):
        tasks = {
            name: [headline("match.exact", (generator.random(n) < mean).astype(float).tolist())]
            for name, (mean, n) in means.items()
        }
        found = macro_average(tasks)
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / 200 <= 0.99


VALUES = [float(n % 2) for n in range(200)]


def width(values: dict[str, list[float]], same: tuple[SameQuestions, ...] = ()) -> float:
    found = macro_average(
        {name: [headline("match.exact", v)] for name, v in values.items()}, same=same
    )
    return found.high - found.low


def test_tasks_are_independent() -> None:
    """The mean of two is less uncertain than each, by the square root of 2."""
    ratio = width({"a": VALUES}) / width({"a": VALUES, "b": VALUES})
    assert ratio == pytest.approx(2**0.5, rel=0.01)


@pytest.mark.parametrize("by", ["id", "image"])
def test_tasks_that_ask_the_same_questions_are_not(by: Literal["id", "image"]) -> None:
    """Equal answers: as uncertain as one task. Every other answer the other way: correlation 0."""
    same = (SameQuestions(tasks=("a", "b"), by=by),)
    assert width({"a": VALUES, "b": VALUES}, same) == pytest.approx(width({"a": VALUES}), rel=1e-6)
    other = [float(n // 2 % 2) for n in range(200)]
    apart = width({"a": VALUES, "b": other})
    assert width({"a": VALUES, "b": other}, same) == pytest.approx(apart, rel=1e-6)
    assert width({"a": VALUES, "c": VALUES}, same) == pytest.approx(apart, rel=1e-6)


def test_what_an_image_does_to_its_questions_goes_together_too() -> None:
    """Two questions an image; the other task has right what is wrong here, image by image.

    Question by question the tasks are opposites; each image has as many right in both, so the sums
    that vary, those of images, are the same: the mean of both is as uncertain as one of them.
    """
    images = tuple(f"i{n // 2}" for n in range(200))
    swapped = [VALUES[n + 1 - 2 * (n % 2)] for n in range(200)]
    mixed = [*VALUES[:100], *[1.0] * 50, *[0.0] * 50]
    turned = [*swapped[:100], *mixed[100:]]
    one, other = (
        dataclasses.replace(headline("match.exact", some), clusters=images)
        for some in (mixed, turned)
    )
    same = (SameQuestions(tasks=("a", "b"), by="id"),)
    both, alone = macro_average({"a": [one], "b": [other]}, same=same), macro_average({"a": [one]})
    assert both.high - both.low == pytest.approx(alone.high - alone.low, rel=1e-6)


def test_questions_that_cannot_be_found_again_are_taken_to_err_together() -> None:
    one, other = headline("match.exact", VALUES), headline("match.exact", VALUES[::-1])
    renamed = dataclasses.replace(other, ids=tuple(f"x{name}" for name in other.ids))
    same = (SameQuestions(tasks=("a", "b"), by="id"),)
    found = macro_average({"a": [one], "b": [renamed]}, same=same)
    assert found.high - found.low == pytest.approx(width({"a": VALUES}), rel=1e-6)


def test_what_asks_the_same_questions_is_declared() -> None:
    sets = [set(one.tasks) for one in load_same_questions()]
    assert {"jmmmu", "jmmmu-pro-standard", "jmmmu-pro-vision"} in sets
    refined = {name for name in task_names() if name.startswith("jammeval-")}
    assert refined == {name for one in sets for name in one if name.startswith("jammeval-")}
    assert all(len(one) > 1 for one in sets)


def test_names_of_groups_are_names_of_tasks() -> None:
    names = expand_names(["ja-chart-all", "jgraphqa", "mine.yaml"])
    assert names == ["ja-chart", "jammeval-jgraphqa", "jgraphqa", "mine.yaml"]
    with pytest.raises(UsageError, match="Did you mean 'ja-core'"):
        expand_names(["ja-cor"])


def test_the_groups_hold_what_they_promise() -> None:
    groups = load_groups()
    japanese = {name for name in task_names() if load_task(name).display.language == "ja"}
    # The first questions of a set that is there as a whole would count it twice.
    assert set(groups["ja-all"].tasks) == japanese - {"ja-vg-vqa-500-first"}
    for kind in ("caption", "chart", "multi-image"):
        members = {name for name in japanese if load_task(name).display.capability == kind}
        assert set(groups[f"ja-{kind}-all"].tasks) == members
    for name in groups["ja-core"].tasks:
        assert load_task(name).data.manual is None
    for name in groups["en-core"].tasks:
        assert load_task(name).display.language == "en"
    assert set(PUBLIC) >= set(groups["ja-core"].tasks)


def test_a_group_is_run_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in load_groups()["ja-chart-all"].tasks:
        write_public(load_task(name), tmp_path / "data") if name in PUBLIC else None
    out = tmp_path / "out"
    command = ["run", "--model", "baseline:oracle", "--tasks", "ja-chart-all", "--limit", "3"]
    command += ["--out", str(out), "--data-dir", str(tmp_path / "data"), "--quiet"]
    assert main([*command, "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert (group["group"], group["value"], group["high"]) == ("ja-chart-all", 1.0, 1.0)
    assert group["reason"].startswith("only 3 of 315 samples of ja-chart")
    assert set(group["parts"].values()) == {1.0}
    assert main(["score", str(out)]) == 0
    assert "ja-chart-all" in capsys.readouterr().out

    runs = [RunDir.of(out, "baseline:oracle", name) for name in load_groups()["ja-chart-all"].tasks]
    records = [run.read_record() for run in runs]
    by_task = {record.task: run for record, run in zip(records, runs, strict=True)}
    assert group_scores(records[1:], lambda one: by_task[one.task].read_scores()) == []
    coverage = dataclasses.replace(records[0].coverage, answered=2)
    broken = [dataclasses.replace(records[0], coverage=coverage), *records[1:]]
    (found,) = group_scores(broken, lambda one: by_task[one.task].read_scores())
    assert (found.value, found.reason) == (None, "ja-chart is incomplete")
