"""Hostile files of runs and baselines, and names that a terminal or a table would obey."""

from __future__ import annotations

import base64
import csv
import json
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attack.data_cases import ROWS, task, write
from attack.harness import Attack, Case
from attack.runs import FINE, REFUSED, here, run

RUN = Path("runs", "baseline-oracle", "t")
DEEP = "[" * 100_000
ESCAPES = "\x1b]0;x\x07\x1b[31m\u202e"
GATE = ("gate", "check", str(RUN.parent), "--baseline", "b.json")
CODES = frozenset({0, 1, 3, 4})


def _case(
    name: str,
    about: str,
    change: Callable[[Path], object],
    arguments: tuple[str, ...],
    *,
    codes: frozenset[int] = REFUSED,
    quick: bool = False,
    secret: str = "",
    after: Callable[[Path], str] = lambda directory: "",
) -> Case:
    """A run and a baseline of it, of which something is changed."""

    def setup(directory: Path, stack: ExitStack) -> Attack:
        rows = [{**ROWS[0], "id": f"q{number}"} for number in range(30)]
        write(directory, task(slices=["kind"]), rows)
        assert here(run(directory)) == 0
        saved = directory / "b.json"
        assert here(["gate", "save", str(directory / RUN.parent), "-o", str(saved)]) == 0
        change(directory)
        return Attack(arguments, codes, secret=secret, after=lambda: after(directory))

    return Case("run files", name, about, setup, seconds=45, mebibytes=1000, quick=quick)


def _written(name: str, text: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        (directory / RUN / name).write_text(text, encoding="utf-8")

    return change


def _pipe(path: Path) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        (directory / path).unlink()
        os.mkfifo(directory / path)

    return change


def _journal(kind: str, **values: Any) -> Callable[[Path], None]:
    """Other values in lines of a kind, all without checksums, as in older journals."""

    def change(directory: Path) -> None:
        path = directory / RUN / "journal.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            del line["~crc"]
            line.update(values if line["type"] == kind else {})
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        path.write_text(text, encoding="utf-8")

    return change


def _named(directory: Path, name: str) -> None:
    """The run's model is called so."""
    path = directory / RUN / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["model"] = name
    path.write_text(json.dumps(record), encoding="utf-8")


def _baseline(change: Callable[[list[Mapping[str, Any]]], bytes], lines: int) -> Any:
    """So many lines of samples, made of those of the baseline."""

    def changed(directory: Path) -> None:
        path = directory / "b.json"
        baseline = json.loads(path.read_text(encoding="utf-8"))
        saved = baseline["tasks"]["t"]
        rows = json.loads(zlib.decompress(base64.b64decode(saved["samples"][0])))
        line = base64.b64encode(zlib.compress(change(rows), 9)).decode()
        saved["samples"] = [line] * lines
        path.write_text(json.dumps(baseline), encoding="utf-8")

    return changed


def _many(rows: list[Mapping[str, Any]]) -> bytes:
    text = json.dumps(rows[0])
    return f"[{','.join([text] * (15 * 2**20 // len(text)))}]".encode()


def _formulas(directory: Path) -> str:
    printed = (directory / "stdout.txt").read_text(encoding="utf-8").splitlines()
    found = [cell for row in csv.reader(printed) for cell in row if cell.startswith("=")]
    return f"a formula: {found[0]}" if found else ""


def _commands(directory: Path) -> str:
    printed = (directory / "stdout.txt").read_text(encoding="utf-8").splitlines()
    return "a command" if any(line.lstrip().startswith("::") for line in printed) else ""


CASES = [
    _case("record_deep", "a record of lists 100,000 deep", _written("run.json", DEEP), GATE),
    _case(
        "scores_deep",
        "scores of lists 100,000 deep",
        _written("scores.jsonl", DEEP + "\n"),
        GATE,
    ),
    _case(
        "record_nan",
        "a record with a value that is none",
        lambda directory: _written(
            "run.json",
            (directory / RUN / "run.json").read_text().replace('"value": 1.0', '"value": NaN'),
        )(directory),
        ("report", "runs", "--out", "pages"),
    ),
    _case(
        "header_types",
        "a header whose task is a number",
        _journal("header", task=5),
        ("score", "runs"),
    ),
    _case(
        "answer_types",
        "answers that took a text",
        _journal("response", seconds="x"),
        ("score", "runs"),
        codes=CODES,
    ),
    _case(
        "journal_pipe",
        "a pipe in the journal's place",
        _pipe(RUN / "journal.jsonl"),
        ("score", "runs"),
        quick=True,
    ),
    _case("baseline_pipe", "a pipe in the baseline's place", _pipe(Path("b.json")), GATE),
    _case(
        "baseline_deep",
        "samples of a baseline 100,000 lists deep",
        _baseline(lambda rows: DEEP.encode(), 1),
        GATE,
    ),
    _case("baseline_bomb", "60 lines of 15 MB each in a baseline", _baseline(_many, 60), GATE),
    _case(
        "escapes",
        "a model's name that a terminal would obey",
        lambda directory: _named(directory, ESCAPES),
        ("export", "runs", "--format", "markdown"),
        codes=FINE,
        secret="\x1b",
    ),
    _case(
        "escapes_gate",
        "the same at the gate",
        lambda directory: _named(directory, ESCAPES),
        GATE,
        codes=CODES,
        secret="\x1b",
        quick=True,
    ),
    _case(
        "command",
        "a model's name that is a command to the CI's log",
        lambda directory: _named(directory, "\n::stop-commands::x"),
        GATE,
        codes=CODES,
        after=_commands,
    ),
    _case(
        "formula",
        "a model's name that is a formula of tables",
        lambda directory: _named(directory, "=HYPERLINK(A1)"),
        ("export", "runs", "--format", "csv"),
        codes=FINE,
        after=_formulas,
    ),
]
