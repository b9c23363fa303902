"""docs/training.md, "From a folder to the leaderboard": its recipe and its commands, as they stand.

They run one after the other in a folder with the data that the page describes. What the page shows
of their output must be printed again, numbers and times apart.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from locations import ROOT
from made_shop import write_shop

HEADING = "## From a folder to the leaderboard\n"
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
WALK = PAGE.partition(HEADING)[2].partition("\n## ")[0]
BLOCKS = [
    re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip("\n")
    for block in re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", f"{WALK}\n", flags=re.MULTILINE)
]
RECIPE = next(block for block in BLOCKS if block.startswith("name: "))
SHOWN = [
    tuple(part.split("\n"))
    for block in BLOCKS
    if block.startswith("$ ")
    for part in block.removeprefix("$ ").split("\n$ ")
]
"""Each command with the lines that the page shows of its output."""
ELLIPSIS = "..."


def pattern(line: str) -> str:
    """A line without what may differ: numbers, widths of columns, lengths of bars."""
    return " ".join(
        re.sub(r"[+-]?\d[\d.:,]*\d|[+-]?\d", "#", re.sub(r"[━╸╺]+|─+", "", line)).split()
    )


def vlmbench(command: str, folder: Path) -> tuple[str, str]:
    """What `vlmbench ...` prints on stdout and on stderr in that folder."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command, comments=True)],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout, done.stderr


def test_the_walk_is_whole() -> None:
    """Otherwise a changed page might be followed without being tested."""
    walked = [" ".join(command.split()[:3]) for command, *_ in SHOWN if "vlmbench" in command]
    assert walked == [
        "vlmbench train preview",
        "vlmbench train check",
        "vlmbench train run",
        "vlmbench run --model",
        "vlmbench compare runs/tiny-ja",
        "vlmbench report runs",
    ]
    assert all(shown for _, *shown in SHOWN)


@pytest.mark.parametrize(
    ("line", "other", "alike"),
    [
        ("Time: 0.2 minutes", "Time: 11.7 minutes", True),
        ("  a   0.1   [+0.2, -0.3] ", " a 5   [-1.25, +0.30]", True),
        ("training ━━━╸  8/20", "training ━━━━━━  20/20", True),
        ("3 rows", "3 files", False),
    ],
)
def test_numbers_may_differ_and_words_may_not(line: str, other: str, alike: bool) -> None:
    assert (pattern(line) == pattern(other)) == alike


def test_the_walk(tmp_path: Path) -> None:
    write_shop(tmp_path / "shop")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    printed = {}
    for command, *shown in SHOWN:
        if command.startswith("head -n 1 "):
            file = tmp_path / command.removeprefix("head -n 1 ")
            assert file.read_text(encoding="utf-8").split("\n")[:1] == shown
            continue
        output, progress = vlmbench(command, tmp_path)
        lines = {pattern(line) for line in re.split(r"[\n\r]", output + progress)}
        missing = [one for one in shown if one != ELLIPSIS and pattern(one) not in lines]
        assert not missing, f"{command} printed {output}{progress}"
        printed[command.split()[1]] = output
    row = next(line for line in printed["compare"].split("\n") if line.split()[:1] == ["ja-chart"])
    high = float(row.partition(",")[2].partition("]")[0])
    assert high > 0, row  # what was trained on did no harm
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    rows = re.findall(r'<th scope="row" data-sort="([^"]+)"', page)
    assert sorted(set(rows)) == ["my-lora", "tiny-ja"]
