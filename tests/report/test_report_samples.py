"""Answers of variants with the plain answer on a task's page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_site import answers, index
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main
from vlmbench.report.answers import LONGEST_VARIANT, in_order, option_read, shortened
from vlmbench.report.html import build_report

CHOICES = ["赤", "青", "緑", "黄色"]
HOSTILE = "</script><script>window.hacked = 1</script>"


def test_variants_come_in_one_order() -> None:
    labels = ["rotate-10-of-12", "prompt-terse", "noise", "rotate-2-of-12", "prompt-plain", "blind"]
    assert in_order(labels) == [
        "blind",
        "noise",
        "prompt-plain",
        "prompt-terse",
        "rotate-2-of-12",
        "rotate-10-of-12",
    ]


# By hand: moved by one place, 赤 青 緑 黄色 is shown as 青 緑 黄色 赤.
@pytest.mark.parametrize(
    ("letter", "label", "expected"),
    [
        ("A", "rotate-1-of-4", "青"),
        ("D", "rotate-1-of-4", "赤"),
        ("B", "rotate-3-of-4", "赤"),
        ("E", "rotate-1-of-4", None),
        (None, "rotate-1-of-4", None),
        ("A", "blind", None),
    ],
)
def test_the_option_behind_a_letter(letter: str | None, label: str, expected: str | None) -> None:
    assert option_read(letter, label, CHOICES) == expected


def test_long_answers_are_cut() -> None:
    assert shortened(None, 5) is None and shortened("短い", 5) == "短い"
    assert shortened("あ" * 10_000, 5) == "あああああ…"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    rows = [{**row, "options": CHOICES} for row in color_rows(3)]
    task = write_task(
        tmp_path / "task",
        rows,
        fields={
            "id": "{{ row.id }}",
            "images": ["images"],
            "references": {"column": "references"},
            "choices": {"column": "options"},
        },
        slices=[],
        prompt="{{ row.question | interleave }}\n{{ choices | lettered }}",
        paraphrases={"terse": "何色\n{{ choices | lettered }}"},
        metrics=[{"use": "match.choice"}],
    )
    said = ["B", HOSTILE * 20, "A"]
    script = tmp_path / "said.jsonl"
    lines = [json.dumps({"id": row["id"], "text": t}) for row, t in zip(rows, said, strict=True)]
    script.write_text("\n".join(lines) + "\n")
    command = ["run", "--quiet", "--model", f"baseline:scripted:{script}", "--tasks", str(task)]
    options = ["--image-mode", "blind", "--prompts", "1", "--options", "rotate"]
    assert main([*command, *options, "--out", str(tmp_path / "runs")]) == 0
    return build_report([tmp_path / "runs"], tmp_path / "site").parent


def test_variant_answers_stand_with_the_sample(site: Path) -> None:
    script = next((site / "samples" / "colors").glob("*.0.js")).read_text(encoding="utf-8")
    assert "<script>window" not in script
    (model,) = [one["name"] for one in index(site, "colors")["models"]]
    first, second, _ = answers(site, "colors", model).values()
    found: list[dict[str, Any]] = first["variants"]
    names = [(one["kind"], one["name"]) for one in found]
    moved = [("options", str(places)) for places in (1, 2, 3)]
    assert names == [("image", "blind"), ("prompt", "terse"), *moved]
    # The script always says B, and the right option is 赤.
    assert [one["option"] for one in found] == [None, None, "緑", "黄色", "赤"]
    assert [one["outcome"] for one in found] == ["wrong"] * 4 + ["right"]
    assert all(len(one["text"]) == LONGEST_VARIANT + 1 for one in second["variants"])
