"""Judges on a task's page: everything there comes out of a record, and nothing of it is markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_judge import answers_run, colors, judge_server, judged_task, verdict
from made_runs import replace_in_journal

from vlmbench.cli.main import main
from vlmbench.report.html import build_report
from vlmbench.report.judges import Judges, judges_of
from vlmbench.report.tables import build_leaderboard, plain_runs
from vlmbench.runs.directory import RunDir

HOSTILE = "</td><script>window.hacked = 1</script>"
COUNT = 8


def reply(prompt: str, earlier: int) -> str:
    """Longer answers get more, one reply is no verdict, and the first place is preferred."""
    if "better" in prompt:
        return verdict(reason="", better="1")
    answer = prompt.split(" 評価する回答\n")[1].split("\n")[0]
    return "満点" if "7" in answer else verdict(reason="", score=min(5, len(answer)))


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """The options that name a judge."""
    with judge_server(reply) as server:
        yield ["--judge", "openai:made", "--judge-base-url", server.url, "--quiet"]


@pytest.fixture
def runs(tmp_path: Path, asked: list[str]) -> list[RunDir]:
    """Two runs before a judge, by each other, and beside people's labels."""
    task = judged_task(tmp_path / "task", ["judge.rubric"], colors(COUNT))
    answers = {f"q{n}": "赤" * (1 + n % 4) + str(n) for n in range(COUNT)}
    runs = [answers_run(task, tmp_path / "runs", name, answers) for name in ("a", "b")]
    people = tmp_path / f"{HOSTILE.replace('/', '')}.jsonl"
    lines = [json.dumps({"id": f"q{n}", "label": 2 + n % 4}) for n in range(COUNT)]
    people.write_text("\n".join(lines) + "\n")
    for run in runs:
        assert main(["judge", "run", str(run.path), *asked, "--samples", "2"]) == 0
    assert main(["judge", "pairwise", *(str(run.path) for run in runs), *asked]) == 0
    assert main(["judge", "agreement", str(runs[0].path / "judge-made.jsonl"), str(people)]) == 0
    return runs


def found(runs: list[RunDir]) -> Judges:
    board = build_leaderboard(plain_runs([run.path for run in runs]))
    return judges_of(board.tasks[0], board.of_task(board.tasks[0].name))


def test_what_was_written_down_is_found(runs: list[RunDir]) -> None:
    judges = found(runs)
    assert judges.problems == [] and judges.consistency
    (_, estimate, check), _ = judges.rows
    assert (estimate.metric, estimate.unscored) == ("judge.rubric@made", 1)
    # Grades are lengths, so their ranks are the same; replies to one prompt are the same.
    assert check and check.verbosity and check.verbosity.value == 1.0
    assert check.consistency and check.consistency.value == 1.0
    ((entry, pair),) = judges.pairs
    assert pair.preference and pair.preference.value == 0.5 and entry.name == pair.first
    assert pair.first_shown and pair.first_shown.low > 0.5  # always the first one: biased
    (agreement,) = judges.agreements
    assert (agreement.n, agreement.equal) == (COUNT - 1, 1.0)


def test_the_page_shows_it_as_text(runs: list[RunDir], tmp_path: Path) -> None:
    page = build_report([tmp_path / "runs"], tmp_path / "site").parent / "tasks" / "ja-small.html"
    section = page.read_text().split('<section aria-labelledby="judges">')[1].split("</section>")[0]
    assert "<script" not in section and "&lt;script&gt;" in section
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", section))
    # Verbosity and consistency, the pair's preference, the place's, and the labels' agreement.
    assert plain.count("+1.000") >= 4 and "0.500" in plain and "1.000" in plain
    assert "scripted-a · judge.rubric@made" in plain
    assert "position bias" in plain and "ordinal scale" in plain
    # One answer of eight has no verdict; of the others' sum 24 grades, 1 or 5 more: by hand.
    grades = [min(5, 2 + n % 4) for n in range(COUNT - 1)]
    low, high = ((sum(grades) + end) / COUNT for end in (1, 5))
    assert f"possible range {low:.3f}–{high:.3f}" in plain


def test_results_about_other_answers_are_not_shown(runs: list[RunDir]) -> None:
    journal = runs[0].journal
    replace_in_journal(journal, ("赤赤3", "赤赤0"), ("赤赤1", "青青1"))
    judges = found(runs)
    assert judges.pairs == [] and judges.agreements == []
    assert [check is None for _, _, check in judges.rows] == [True, False]
    assert len(judges.problems) == 3
    assert all("about scripted-a" in problem for problem in judges.problems)


def test_a_judge_with_other_settings_since(runs: list[RunDir], asked: list[str]) -> None:
    record = runs[0].path / "judge-made.json"
    before = record.read_bytes()
    assert main(["judge", "run", str(runs[0].path), *asked]) == 0
    record.write_bytes(before)
    assert [check is None for _, _, check in found(runs).rows] == [True, False]


def test_a_page_without_judges_says_nothing_of_them(tmp_path: Path) -> None:
    task = judged_task(tmp_path / "task", [], colors(2))
    answers_run(task, tmp_path / "runs", "a", {"q0": "赤", "q1": "青"})
    page = build_report([tmp_path / "runs"], tmp_path / "site").parent / "tasks" / "ja-small.html"
    assert 'id="judges"' not in page.read_text()
