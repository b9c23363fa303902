"""Pages that are followed literally, and no command on any page that nobody answers for."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
import yaml
from docs_walk import Block, blocks_of, shape, words
from locations import ROOT

from vlmbench.cli.main import main
from vlmbench.cli.options import make_parser
from vlmbench.schema import parse
from vlmbench.tasks.spec import TaskSpec

PAGES = sorted({ROOT / "README.md", *ROOT.glob("README.ja.md"), *ROOT.glob("docs/**/*.md")})
OWN_TESTS = {"docs/gate.md": "tests/docs/test_gate_page.py"}
"""Pages that a test of their own follows as a whole."""
WALKED = [page for page in PAGES if any(block.kind == "walk" for block in blocks_of(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WALKED, ids=name_of)
def test_a_page_is_followed(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    for name, color in (("sign", (200, 30, 30)), ("menu", (240, 230, 200)), ("room", (9, 9, 9))):
        PIL.Image.new("RGB", (96, 64), color).save(tmp_path / "shop" / f"{name}.png")
    for block in blocks_of(page):
        if block.kind == "file":
            Path(block.value).parent.mkdir(parents=True, exist_ok=True)
            Path(block.value).write_text(block.text + "\n", encoding="utf-8")
        elif block.kind == "wrote":
            assert Path(block.value).read_text(encoding="utf-8").strip() == block.text.strip()
        elif block.kind == "walk":
            follow(block, capsys)


def follow(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    """Type the commands of a block; what is shown of their output must come, in that order."""
    for command, shown in block.commands:
        capsys.readouterr()
        code = main(words(command))
        said = capsys.readouterr()
        wanted = 0
        if shown and shown[-1].startswith("exit code "):
            wanted = int(shown.pop().split()[2])
        assert code == wanted, f"{command}: {said.err}"
        printed = [shape(line) for line in (said.out + said.err).splitlines()]
        place = 0
        for line in shown:
            text = shape(line)
            if not text or text == "...":
                continue
            start = text.removesuffix(" ...")
            same = [n for n in range(place, len(printed)) if printed[n].startswith(start)]
            assert same, f"{command} does not print: {text}"
            place = same[0] + 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    if own := OWN_TESTS.get(name_of(page)):
        assert (ROOT / own).is_file()
        return
    for block in blocks_of(page):
        for command, _ in block.commands:
            assert block.kind in ("walk", "run by", "not run"), f"{command}: who runs it?"
            if block.kind == "run by":
                assert (ROOT / block.value.split(",")[0].strip()).is_file(), block.value
            if "a list of the commands" not in block.value and "test_parser" not in block.value:
                make_parser().parse_args(words(command))


def test_the_tasks_of_the_page_on_tasks() -> None:
    """Whole ones are tasks, and parts are parts of one."""
    base = None
    count = 0
    for block in blocks_of(ROOT / "docs" / "tasks.md"):
        if not block.text.startswith(("name:", "fields:")):
            continue
        data = yaml.safe_load(block.text)
        base = base or data
        task = parse(
            TaskSpec, data if "name" in data else {**base, "slices": [], **data}, location=""
        )
        assert task.metrics
        count += 1
    assert count == 5


def test_the_page_on_tasks_names_every_key() -> None:
    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    for name, field in TaskSpec.model_fields.items():
        assert f"`{name}" in text, name
        if field.is_required():
            assert f"**`{name}" in text, f"{name} is required"
