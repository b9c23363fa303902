"""What is typed wrongly: one sentence, with the name that was meant, whatever else is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from locations import ROOT

from vlmbench.cli.main import main
from vlmbench.cli.options import make_parser
from vlmbench.cli.parser import Parser


def call(command: str) -> int:
    """The exit code of a command."""
    try:
        return main(command.split())
    except SystemExit as way_out:  # argparse's own
        return int(way_out.code or 0)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("gat", "there is no command gat (did you mean gate?); see 'vlmbench --help'."),
        ("--verson", "there is no option --verson (did you mean --version?)"),
        ("gate chek runs", "there is no command chek (did you mean check?)"),
        (
            "tasks lsit",
            "no command lsit (did you mean list?); see 'vlmbench tasks --help'.",
        ),
        # Required options are missing in the next ones.
        ("run --modle tiny-ja", "there is no option --modle (did you mean --model"),
        (
            "run --models tiny-ja --tasks ja-vqa",
            "no option --models (did you mean --model",
        ),
        ("run --model=tiny-ja --taks=ja-vqa", "there is no option --taks (did you mean --tasks"),
        ("gate check runs --basline b.json", "(did you mean --baseline?)"),
        ("judge run runs --jugde openai:x", "(did you mean --judge"),
        ("run -m tiny-ja", "there is no option -m; see 'vlmbench run --help'."),
        ("run --tasks ja-vqa", "the following arguments are required: --model"),
        (
            "report runs --out site other",
            "unexpected argument 'other'; see 'vlmbench report",
        ),
        # Spellings of earlier versions.
        ("gate runs --baseline b.json", "the gate is 'vlmbench gate check RUNS --baseline FILE'"),
        ("gate --baseline b.json runs", "the gate is 'vlmbench gate check RUNS --baseline FILE'"),
        ("judge runs --judge openai:x", "graded by 'vlmbench judge run RUNS --judge MODEL'"),
        ("train tiny-ja-tune --out x", "a model is trained by 'vlmbench train run RECIPE'"),
    ],
)
def test_a_wrong_name(capsys: pytest.CaptureFixture[str], command: str, sentence: str) -> None:
    assert call(command) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.startswith("vlmbench: ") and printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.mark.parametrize(
    "command", ["", "gate", "judge", "train", "data", "tasks", "models", "metrics"]
)
def test_a_command_without_its_subcommand_prints_help(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert call(command) == 2
    printed = capsys.readouterr()
    assert f"usage: {' '.join(['vlmbench', *command.split()])} [-h]" in printed.out
    assert printed.err == ""


def test_values_that_look_like_options_or_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value with a space, a number below 0, an abbreviation, and a directory called "save"."""
    monkeypatch.chdir(tmp_path)
    model = ["models", "show", "served:vllm:org/name", "--json", "--server-args", "--port 80 --x"]
    assert main(model) == 0
    assert json.loads(capsys.readouterr().out)["options"]["server_args"] == ["--port", "80", "--x"]
    assert call("run --model baseline:oracle --task ja-vqa --limit 2 --quiet") == 0
    for name in ("save", "check"):
        Path("runs").rename(name)
        assert call(f"gate save {name} -o base.json") == 0
        assert call(f"gate check {name} --baseline base.json") == 0
        Path(name).rename("runs")
    capsys.readouterr()
    assert call("gate check runs --baseline base.json --margin -1") == 2
    assert "'-1' is not a share from 0 to 1" in capsys.readouterr().err


def leaves(parser: Parser) -> Iterator[Parser]:
    """The commands that do something."""
    if parser.commands is None:
        yield parser
    else:
        for choice in parser.commands.choices.values():
            yield from leaves(choice)


def test_every_command_is_whole_and_every_option_is_documented() -> None:
    commands = list(leaves(make_parser()))
    assert len(commands) == 30
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for one in commands:
        assert one.prog in text, f"no page shows {one.prog}"
        module, _, function = one.get_default("function").partition(".")
        assert callable(getattr(import_module(f"vlmbench.cli.{module}"), function))
        assert one.epilog or one.prog.endswith(("list", "doctor", "demo"))
        for action in one._actions:
            assert action.help, f"{one.prog}: {action.dest} has no help"
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert f"{option}`" in text or f"{option} " in text, f"no page names {option}"


def test_help_is_plain_english() -> None:
    for leaf in leaves(make_parser()):
        text = leaf.format_help()
        assert max(map(len, text.splitlines())) <= 110
        for word in ("asked", "otherwise", "told", "whoever", "said"):
            assert f" {word} " not in text, f"'{word}' in the help of {leaf.prog}"
