"""The report for a terminal, a pull request, a CI server and GitHub."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from made_gate import color_answers, color_task, gate, save
from made_runs import answered_run, make_task, question
from rich.cells import cell_len

from vlmbench.cli.main import main
from vlmbench.compare.gate.outputs.github import annotation_lines
from vlmbench.compare.gate.outputs.junit import write_junit
from vlmbench.compare.gate.outputs.markdown import markdown_report
from vlmbench.compare.gate.outputs.table import text_report
from vlmbench.compare.gate.report import GateReport

NASTY = "<script>alert(1)</script> | [x](http://e) `q` @team #1 **b** ::error::x %0A\x00\n次の行"
LONG = "長い名前の課題についての質問がとても長いので一行には入りません" * 5


@pytest.fixture
def report(tmp_path: Path) -> GateReport:
    """A report with every kind of text in it."""
    rows = [
        question(n, text=NASTY + LONG, kind=NASTY if n % 2 else LONG, answer="赤|" + NASTY)
        for n in range(60)
    ]
    metrics = [{"use": "overlap.rouge_l", "headline": True}]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    old = {f"q{n}": "赤|" + NASTY for n in range(60)}
    new = {f"q{n}": NASTY[::-1] + LONG for n in range(60)}
    return gate(tmp_path, task, old, new)


def undecided(tmp_path: Path) -> GateReport:
    task = color_task(tmp_path / "tasks", 100)
    return gate(tmp_path, task, color_answers(70, 30), color_answers(68, 32))


def test_no_line_is_wider_than_80_columns(report: GateReport) -> None:
    text = text_report(report)
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "regressed" in text and "exit code 1" in text
    assert text.count("\n    before ") == 10


def test_every_undecided_line_ends_with_what_would_decide(tmp_path: Path) -> None:
    report = undecided(tmp_path)
    flat = " ".join(text_report(report).split())
    assert re.search(
        r"ja-small undecided: .*n = [\d,]+ instead of 100, or a margin of 0\.\d{3}", flat
    )
    cells = [line for line in markdown_report(report).splitlines() if "undecided:" in line]
    assert len(cells) == 1 and re.search(r"or a margin of 0\.\d{3} \|$", cells[0])
    (line,) = annotation_lines(report)
    assert re.match(
        r"::warning title=[^:]*%3A undecided::ja-small .* undecided: .*margin of 0\.\d{3}$", line
    )
    file = tmp_path / "gate.xml"
    write_junit(report, file)
    (failure,) = ElementTree.parse(file).getroot()[0].iter("failure")
    assert re.search(r" undecided: .*margin of 0\.\d{3}$", failure.attrib["message"])


def test_texts_of_others_do_nothing_in_markdown(report: GateReport) -> None:
    text = markdown_report(report)
    for wrong in ("<script", "](http", "@team", "**b**", "`q`", "\x00"):
        assert wrong not in text, wrong
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows if "ja" in line and "&#60;" in line} <= {6, 7}
    assert text.count("<details>") == text.count("</details>") == 2


def test_names_of_others_do_nothing_in_a_terminal(report: GateReport) -> None:
    """A baseline comes with a pull request; its model may be called anything."""
    named = dataclasses.replace(report, baseline_model="a\x1b[31m\nb", notes=("c\x1b]0;d\x07",))
    for text in (text_report(named), *annotation_lines(named)):
        assert "\x1b" not in text and "\x07" not in text
    assert "against a\\x1b[31m b" in text_report(named)


def test_annotations_are_one_line_each(report: GateReport) -> None:
    for line in annotation_lines(report):
        assert re.fullmatch(r"::(error|warning|notice) title=[^:,\n\r]*::[^\n\r]*", line)


def test_junit_fails_where_the_gate_fails(tmp_path: Path, report: GateReport) -> None:
    file = tmp_path / "gate.xml"
    write_junit(report, file)
    suite = ElementTree.parse(file).getroot()[0]
    assert int(suite.attrib["failures"]) >= 1
    names = [case.attrib["name"] for case in suite]
    assert len(names) == int(suite.attrib["tests"]) == sum(row.gated for row in report.rows)
    failed = [case for case in suite if case.find("failure") is not None]
    assert "ja-small overlap.rouge_l" in {case.attrib["name"] for case in failed}


@pytest.mark.parametrize(
    ("policy", "code", "result", "level"),
    [
        ("4", 4, "failure", "warning"),
        ("fail", 1, "failure", "warning"),
        ("pass", 0, "skipped", "notice"),
    ],
)
def test_the_command_writes_everything(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    code: int,
    result: str,
    level: str,
) -> None:
    undecided(tmp_path)
    folder = tmp_path / "gate-0"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n")
    command = ["gate", "check", str(next(folder.glob("new/*"))), "--undecided", policy]
    command += ["--baseline", str(folder / "b.json"), "--github"]
    command += ["--markdown", str(tmp_path / "m.md"), "--junit", str(tmp_path / "j.xml")]
    assert main(command) == code
    assert f"::{level} title=" in capsys.readouterr().out
    summary = (tmp_path / "summary.md").read_text()
    assert summary == "before\n" + (tmp_path / "m.md").read_text() + "\n"
    case = ElementTree.parse(tmp_path / "j.xml").getroot()[0][0]
    assert case.find(result) is not None
    assert main([*command, "--json"]) == code
    printed = capsys.readouterr()
    assert f"::{level} title=" in printed.err
    found = json.loads(printed.out)
    assert (found["exit_code"], found["verdict"]) == (code, "undecided")
    assert found["rows"][0]["text"].startswith("undecided: ")


def test_mistakes_in_options_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = color_task(tmp_path / "tasks", 3)
    run = answered_run(task, tmp_path / "runs", "m", color_answers(3))
    file = save([run], tmp_path / "b.json")
    base = ["gate", "check", str(run), "--baseline", str(file)]
    for more, said in (
        (["--margin", "2"], "'2' is not a share from 0 to 1"),
        (["--margin", "nan"], "'nan' is not a share"),
        (["--max-missing", "abc"], "'abc' is not a share"),
        (["--undecided", "maybe"], "invalid choice: 'maybe'"),
        (["--rules", str(tmp_path / "none.yaml")], "cannot be read"),
        (["--marign", "0.1"], "did you mean --margin"),
    ):
        try:
            code = main([*base, *more])
        except SystemExit as stop:
            code = int(str(stop.code))
        assert code == 2, more
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1, error
