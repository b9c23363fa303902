"""Heron-Bench by a judge on 127.0.0.1 that gives recorded reviews and grades, end to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from locations import GOLD
from made_judge import answers_run, ask, judge_server, judged_task, verdict
from made_runs import question
from made_server import said

from vlmbench.cli.main import main
from vlmbench.records import Estimate
from vlmbench.runs.directory import RunDir

GOLD_FILE = GOLD / "judge.json"


def heron_run(folder: Path, categories: Sequence[str], metrics: Sequence[str]) -> RunDir:
    """A run with an answer "答え<n>。" to each question."""
    rows = [
        question(n, category=category, context=f"写真{n}の説明")
        for n, category in enumerate(categories)
    ]
    path = judged_task(folder / "task", metrics, rows)
    task = yaml.safe_load(path.read_text())
    task["fields"]["meta"], task["slices"] = ["category", "context"], ["category"]
    path.write_text(yaml.safe_dump(task, allow_unicode=True))
    answers = {f"q{n}": f"答え{n}。" for n in range(len(rows))}
    return answers_run(path, folder / "out", "m", answers)


def number(prompt: str) -> int:
    """Which sample a prompt is about."""
    return int(prompt.split("評価する回答\n答え")[1].split("。")[0])


def values(run: RunDir, metric: str) -> dict[str | None, Estimate]:
    """Estimates by category; None: the whole."""
    return {
        None if one.slice is None else str(one.slice["category"]): one
        for one in run.read_record().estimates
        if one.metric == metric
    }


@pytest.mark.skipif(
    not GOLD_FILE.is_file(), reason="needs ../shared/reference/gold beside the checkout"
)
def test_the_recorded_reviews_give_the_recorded_scores(tmp_path: Path) -> None:
    """45 reviews of turingmotors/heron's sample_reviews.json, in its own script's form."""
    runs = json.loads(GOLD_FILE.read_text(encoding="utf-8"))["runs"]
    recorded = next(one for one in runs if one["run_id"] == "heron_legacy.sample_reviews")
    reviews: list[dict[str, Any]] = list(recorded["per_item"].values())
    categories = [one["category"] for one in reviews]
    run = heron_run(tmp_path, categories, ["compat_heron.relative"])
    with judge_server(lambda prompt, earlier: reviews[number(prompt)]["content"]) as server:
        ask(server, run)
        assert len(server.bodies) == 45
        assert all("response_format" not in body for body in server.bodies)
        assert "画像の説明\n写真0の説明\n" in "".join(map(said, server.bodies))
    found = values(run, "compat_heron.relative@made-judge")
    shown = [round(found[name].value or 0, 2) for name in ("conv", "detail", "complex", None)]
    assert shown == [98.13, 98.06, 106.73, 100.97]


def test_own_and_compat_form_share_replies_and_differ_in_failures(tmp_path: Path) -> None:
    """By hand. Grades (model / reference): conv 6/8 and one lost, detail 9/6, complex 5/10.

    Own: 75, 150 and 50, mean 91.67; the lost one could be 1/10 to 10/1. llm-jp-eval-mm puts -1
    into both conv means: 100 * (5/2) / (7/2) = 71.43, and the mean is 90.48.
    """
    own, compat = "judge.heron", "compat_evalmm_judge.heron_overall_rel"
    run = heron_run(tmp_path, ["conv", "conv", "detail", "complex"], [own, compat])
    grades = [(6, 8), None, (9, 6), (5, 10)]

    def reply(prompt: str, earlier: int) -> str:
        found = grades[number(prompt)]
        return verdict(score=found[0], score_gpt=found[1]) if found else "10点満点です"

    with judge_server(reply) as server:
        ask(server, run)
        assert len(server.bodies) == 5
    found = values(run, f"{own}@made-judge")
    whole = found[None]
    assert whole.value == pytest.approx((75 + 150 + 50) / 3)
    assert (whole.n, whole.unscored) == (3, 1)
    low, high = 100 * 7 / 18, 100 * 16 / 9
    assert found["conv"].value == 75 and found["conv"].bounds == pytest.approx((low, high))
    assert whole.bounds == pytest.approx(((low + 200) / 3, (high + 200) / 3))
    assert found["detail"].bounds is None
    theirs = values(run, f"{compat}@made-judge")[None]
    assert theirs.value == pytest.approx((500 / 7 + 150 + 50) / 3)
    assert (theirs.n, theirs.unscored) == (4, 0)


@pytest.mark.skipif(
    not GOLD_FILE.is_file(), reason="needs ../shared/reference/gold beside the checkout"
)
@pytest.mark.parametrize(
    ("metric", "kind", "readable"),
    [
        ("judge.heron", "heron_parse", ("judge/008", "judge/010", "judge/060")),
        ("judge.heron", "legacy", ()),
        ("judge.rubric", "digit", ()),
        ("judge.correct", "yesno", ()),
    ],
)
def test_every_malformed_verdict_ends_unscored(
    metric: str,
    kind: str,
    readable: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The recorded replies of the gold set, from a server, through the command line.

    Of those for Heron-Bench the clean ones are read, and three that are whole objects in a fence
    or with a tab; the other three kinds are in forms that we do not ask for. All the rest is asked
    for once more, counted, and bounded.
    """
    recorded = json.loads(GOLD_FILE.read_text(encoding="utf-8"))["inputs"][kind]
    items = [one for one in recorded if one["text"] is not None]
    clean = {one["id"] for one in items if "clean" in one["tags"] and kind == "heron_parse"}
    good = {*readable, *clean}
    bad = [one for one in items if one["id"] not in good]
    run = heron_run(tmp_path, ["conv"] * len(items), [metric])
    with judge_server(lambda prompt, earlier: items[number(prompt)]["text"]) as server:
        command = ["judge", "run", str(run.path), "--quiet", "--json", "--judge", "openai:made"]
        assert main([*command, "--judge-base-url", server.url]) == 0
        assert len(server.bodies) == len(items) + len(bad)
    estimate = values(run, f"{metric}@made")[None]
    assert (estimate.n, estimate.unscored) == (len(items) - len(bad), len(bad))
    assert len(bad) > 0 and estimate.bounds is not None
    told = {row.id: row.scores[f"{metric}@made"] for row in run.read_scores()}
    for place, one in enumerate(items):
        assert (told[f"q{place}"].vector is None) == (one["id"] not in good)
    assert json.loads(capsys.readouterr().out)["judge"][0]["unscored"] == len(bad)
