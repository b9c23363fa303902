"""A task's card on its page."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from made_public import PUBLIC, write_public
from made_runs import make_run, make_task, question

from vlmbench.cli import main
from vlmbench.report.card import task_card
from vlmbench.report.html import build_report
from vlmbench.runs import RunDir
from vlmbench.task import load_task

ROWS = [question(n) for n in range(2)]
HOSTILE = '"><script>window.hacked = 1</script>'


@pytest.mark.parametrize(
    ("card", "description", "chance", "flaws"),
    [
        ("Plain. Two sentences.", "Plain. Two sentences.", "", ""),
        (
            "A. Chance level: 25 %, four options. B. Known flaws: c. D.",
            *("A. B.", "25 %, four options.", "C. D."),
        ),
        ("A. Known flaws of others: b.", "A. Known flaws of others: b.", "", ""),
        ("Known flaws: b.", "", "", "B."),
        ("A. Chance level (blind): CIDEr 0.2 basic. B.", "A. B.", "Blind: CIDEr 0.2 basic.", ""),
        ("", "", "", ""),
    ],
)
def test_parts_of_the_text(
    tmp_path: Path, card: str, description: str, chance: str, flaws: str
) -> None:
    path = make_task(tmp_path, ROWS)
    task = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**task, "display": {**task["display"], "card": card}}))
    found = task_card(make_run(path, tmp_path / "out", "baseline:oracle"))
    assert (found.description, found.chance, found.flaws) == (description, chance, flaws)


def test_what_a_public_task_says(tmp_path: Path) -> None:
    """The facts of tasks/cvqa-ja.yaml."""
    write_public(load_task("cvqa-ja"), tmp_path)
    command = ["run", "--model", "baseline:oracle", "--tasks", "cvqa-ja", "--quiet"]
    assert main([*command, "--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    record = RunDir.of(tmp_path / "out", "baseline-oracle", "cvqa-ja").read_record()
    task, card = load_task("cvqa-ja"), task_card(record)
    facts = dict(card.facts)
    assert (facts["items"], facts["licence"]) == (str(task.display.items), task.display.licence)
    assert facts["citation"] == task.display.citation
    assert card.prompt == task.prompt and card.tokens == task.generation.max_new_tokens
    assert card.link == f"https://huggingface.co/datasets/{task.data.hub}"
    assert [one.name for one in card.metrics] == [one.key for one in task.metrics]
    assert [one.name for one in card.metrics if one.headline] == list(task.headlines)
    assert all(one.definition for one in card.metrics)
    assert [source.link for source in card.sources] and all(
        source.link.startswith("https://github.com/llm-jp/llm-jp-eval-mm/blob/")
        for source in card.sources
    )


def test_no_card_of_a_public_task_is_bare() -> None:
    for name in PUBLIC:
        display = load_task(name).display
        assert display.card and display.licence and display.citation, name


def test_nothing_of_a_task_is_markup(tmp_path: Path) -> None:
    path = make_task(
        tmp_path / "tasks", ROWS, title=HOSTILE, prompt=f"{{{{ row.question }}}}{HOSTILE}"
    )
    task = yaml.safe_load(path.read_text())
    fields = dict.fromkeys(("capability", "licence", "citation", "card"), HOSTILE)
    path.write_text(yaml.safe_dump({**task, "display": {**task["display"], **fields}}))
    make_run(path, tmp_path / "runs", "baseline:oracle")
    index = build_report([tmp_path / "runs"], tmp_path / "site")
    for page in (index, index.parent / "tasks" / "ja-small.html"):
        assert "<script>window" not in page.read_text(encoding="utf-8")
