"""A task's card on its page."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import yaml
from made_public import PUBLIC, write_public
from made_runs import make_run, make_task, question

from vlmbench.cli.main import main
from vlmbench.errors import ConfigError
from vlmbench.report.card import TaskCard, task_card
from vlmbench.report.html import build_report
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.registry import load_task

ROWS = [question(n) for n in range(2)]
HOSTILE = '"><script>window.hacked = 1</script>'


JAPANESE = {"card": "説明。", "chance": "25％。", "flaws": ["欠点。"]}


def card_of(folder: Path, **display: object) -> TaskCard:
    path = make_task(folder, ROWS)
    task = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**task, "display": {**task["display"], **display}}))
    return task_card(make_run(path, folder / "out", "baseline:oracle"))


def test_a_card_in_both_languages(tmp_path: Path) -> None:
    card = card_of(tmp_path, card="A.", chance="25 %.", flaws=["B."], ja=JAPANESE)
    texts = [card.description, card.chance, *card.flaws]
    assert [tuple(one) for one in texts] == [
        ("A.", "説明。"),
        ("25 %.", "25％。"),
        ("B.", "欠点。"),
    ]


def test_a_card_in_english_only_and_one_that_says_nothing(tmp_path: Path) -> None:
    card = card_of(tmp_path / "a", card="A.", flaws=["B.", "C."])
    assert card.free_form
    assert all(one.english == one.japanese for one in (card.description, *card.flaws))
    assert [one.english for one in card.flaws] == ["B.", "C."]
    make_run(tmp_path / "a" / "ja-small.yaml", tmp_path / "runs", "baseline:oracle")
    page = build_report([tmp_path / "runs"], tmp_path / "site").parent / "tasks" / "ja-small.html"
    assert "<li><span>B.</span></li>" in page.read_text(encoding="utf-8")
    card_of(tmp_path / "b")
    site = build_report([tmp_path / "b" / "out"], tmp_path / "bare").parent
    bare = (site / "tasks" / "ja-small.html").read_text(encoding="utf-8")
    assert '<dt><span data-t="flaws">Known flaws</span></dt><dd><span data-t="none_known">' in bare


def test_flaws_are_told_in_both_languages_or_in_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a sentence for each of 'flaws'"):
        card_of(tmp_path, flaws=["B.", "C."], ja=JAPANESE)


def test_what_a_public_task_says(tmp_path: Path) -> None:
    """The facts of tasks/cvqa-ja.yaml."""
    write_public(load_task("cvqa-ja"), tmp_path)
    command = ["run", "--model", "baseline:oracle", "--tasks", "cvqa-ja", "--quiet"]
    assert main([*command, "--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    record = RunDir.of(tmp_path / "out", "baseline-oracle", "cvqa-ja").read_record()
    task, card = load_task("cvqa-ja"), task_card(record)
    facts = dict(card.facts)
    assert (facts["items"], facts["license"]) == (str(task.display.items), task.display.licence)
    assert facts["citation"] == task.display.citation
    page = build_report([tmp_path / "out"], tmp_path / "site").parent / "tasks" / "cvqa-ja.html"
    text = html.unescape(page.read_text(encoding="utf-8").replace("<wbr>", ""))
    assert f">{task.prompt}</pre>" in text and f"<dd>{task.generation.max_new_tokens}</dd>" in text
    assert re.findall(r'<dt><code><span class="name">([^<]*)<', text) == [
        one.key for one in task.metrics
    ]
    assert card.link == f"https://huggingface.co/datasets/{task.data.hub}"
    assert card.headlines == {*task.headlines}
    assert list(card.definitions) == [one.use for one in task.metrics]
    assert all(one.english != one.japanese for one in card.definitions.values())
    assert [source.link for source in card.sources] and all(
        source.link.startswith("https://github.com/llm-jp/llm-jp-eval-mm/blob/")
        for source in card.sources
    )


def test_no_card_of_a_public_task_is_bare() -> None:
    for name in PUBLIC:
        display = load_task(name).display
        assert display.card and display.licence and display.citation, name
        assert display.ja is not None and display.ja.card, name
        assert bool(display.chance) == bool(display.ja.chance), name
    assert [name for name in PUBLIC if not load_task(name).display.flaws] == [
        "ja-business-doc-rq-bench"  # nothing is known to us, and its card says so
    ]


def test_nothing_of_a_task_is_markup(tmp_path: Path) -> None:
    path = make_task(
        tmp_path / "tasks", ROWS, title=HOSTILE, prompt=f"{{{{ row.question }}}}{HOSTILE}"
    )
    task = yaml.safe_load(path.read_text())
    fields: dict[str, object] = dict.fromkeys(
        ("capability", "licence", "citation", "card", "chance"), HOSTILE
    )
    fields["flaws"], fields["ja"] = [HOSTILE], {"card": HOSTILE, "flaws": [HOSTILE]}
    path.write_text(yaml.safe_dump({**task, "display": {**task["display"], **fields}}))
    make_run(path, tmp_path / "runs", "baseline:oracle")
    index = build_report([tmp_path / "runs"], tmp_path / "site")
    for page in (index, index.parent / "tasks" / "ja-small.html"):
        assert "<script>window" not in page.read_text(encoding="utf-8")
