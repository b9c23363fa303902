"""Which sample a prediction is for: verdicts written down before the code was run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_runs import EXACT, make_task, picture, question

from vlmbench.cli.main import main
from vlmbench.errors import DataError
from vlmbench.imports.journal import ImportedRun, write_run
from vlmbench.imports.jsonl import read
from vlmbench.tasks.registry import load_task

ROWS = [
    question(0, "看板の色は何色ですか。", "赤"),
    question(1, "看板には何と書いてありますか。", "山田屋"),
    question(2, "何人いますか。", "3"),
    question(3, "何人いますか。", "5"),
    question(4, "この写真に写っている人は全部で何人いますか。", "3"),
]


def choices_task(folder: Path) -> Path:
    """Two questions with the same options in another order."""
    rows = [
        question(0, "正しいものを選んでください。", "A", options=["犬", "猫", "鳥"]),
        question(1, "誤りを選んでください。", "B", options=["犬", "猫", "鳥"]),
    ]
    path = make_task(folder, rows, prompt="{{ row.question }}\n{{ choices | lettered }}")
    text = path.read_text(encoding="utf-8")
    return _write(path, text.replace("fields:\n", "fields:\n  choices: {column: options}\n"))


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def imported(task: Path, lines: list[dict[str, Any]]) -> ImportedRun:
    file = task.parent / "predictions.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return write_run(read([file]), load_task(str(task)), name="m", out=task.parent / "runs")


def answers(run: ImportedRun) -> dict[str, str | None]:
    return {name: one.text for name, one in run.matches.found.items()}


@pytest.mark.parametrize(
    ("lines", "found", "ambiguous", "unknown"),
    [
        # By id, in any order, with nothing else to go by.
        ([{"id": "q2", "prediction": "x"}, {"id": "q0"}], {"q2": "x", "q0": "p"}, 0, 0),
        # An id that is another sample's, by the question: the question counts.
        ([{"id": "q0", "question": "看板には何と書いてありますか。"}], {"q1": "p"}, 0, 0),
        # The same by the reference, where there is no question: nothing fits.
        ([{"id": "q1"}, {"id": "q0", "reference": "青"}], {"q1": "p"}, 0, 1),
        # By the question, written with other white space, width and marks of images.
        ([{"question": "<image>\n看板の 色は何色ですか｡"}], {"q0": "p"}, 0, 0),
        # Inside of a longer prompt of another harness.
        ([{"question": "画像を見て。看板の色は何色ですか。一語で。"}], {"q0": "p"}, 0, 0),
        # Two samples ask the same of other images.
        ([{"id": "q0"}, {"question": "何人いますか。"}], {"q0": "p"}, 1, 0),
        # The image tells them apart, by its file's name or, in a folder, by its bytes.
        ([{"question": "何人いますか。", "image": "/elsewhere/3.png"}], {"q3": "p"}, 0, 0),
        ([{"question": "何人いますか。", "image": "copy.png"}], {"q2": "p"}, 0, 0),
        # So does the reference.
        ([{"question": "何人いますか。", "reference": "5"}], {"q3": "p"}, 0, 0),
        # The longer question, of which the shorter one is a part.
        ([{"question": "この写真に写っている人は全部で何人いますか。"}], {"q4": "p"}, 0, 0),
        # An id with another image is another sample.
        ([{"id": "q0"}, {"id": "q3", "image": "copy.png"}], {"q0": "p"}, 0, 1),
        # Twice the same sample: neither counts.
        ([{"id": "q0"}, {"id": "q1"}, {"id": "q1"}], {"q0": "p"}, 0, 2),
        (
            [{"id": "q0"}, {"question": "看板の色は何色ですか。"}, {"id": "q1"}],
            {"q1": "p"},
            2,
            0,
        ),
        # Nobody's.
        ([{"id": "q0"}, {"id": "z9"}, {"question": "天気は？"}], {"q0": "p"}, 0, 2),
    ],
)
def test_matching(
    tmp_path: Path,
    lines: list[dict[str, Any]],
    found: dict[str, str],
    ambiguous: int,
    unknown: int,
) -> None:
    task = make_task(tmp_path, ROWS)
    (tmp_path / "copy.png").write_bytes(picture(2))
    run = imported(task, [{"prediction": "p", **line} for line in lines])
    assert answers(run) == found
    assert (len(run.matches.ambiguous), len(run.matches.unknown)) == (ambiguous, unknown)
    assert run.missing == len(ROWS) - len(found)


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ({"question": "正しいものを選んでください。", "choices": ["犬", "猫", "鳥"]}, True),
        ({"question": "正しいものを選んでください。", "choices": ["猫", "犬", "鳥"]}, False),
        ({"question": "正しいものを選んでください。A. 犬 B. 猫 C. 鳥"}, True),
        ({"question": "正しいものを選んでください。A. 猫 B. 鳥 C. 犬"}, False),
        ({"question": "正しいものを選んでください。A. 犬 B. 猫"}, False),
        # The right option has another letter there: its options were in another order.
        ({"question": "正しいものを選んでください。", "reference": "C"}, False),
        ({"id": "q0", "reference": "C"}, False),
        ({"id": "q0", "reference": "A"}, True),
    ],
)
def test_options_in_another_order_are_another_question(
    tmp_path: Path, line: dict[str, Any], fits: bool
) -> None:
    task = choices_task(tmp_path)
    # The second line keeps the import from being refused for fitting nothing.
    run = imported(task, [{"prediction": "A", **line}, {"id": "q1", "prediction": "B"}])
    assert ("q0" in run.matches.found) == fits


def test_nothing_that_fits_is_one_sentence(tmp_path: Path) -> None:
    task = make_task(tmp_path, ROWS)
    with pytest.raises(DataError, match="None of the 1 predictions fits a sample of task"):
        imported(task, [{"id": "7", "question": "天気は？", "prediction": "晴れ"}])
    assert not (tmp_path / "runs").exists()


def test_an_imported_run_is_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Score, compare, gate, report and the refusal to mix answers, as on our own."""
    task = make_task(tmp_path, ROWS, metrics=EXACT)
    out = tmp_path / "runs"
    right = {"q0": "赤", "q1": "山田屋", "q2": "3", "q3": "5", "q4": "3"}

    def bring(name: str, texts: dict[str, str], *more: str) -> int:
        lines = [json.dumps({"id": key, "prediction": text}) for key, text in texts.items()]
        (tmp_path / "old.jsonl").write_text("\n".join(lines) + "\n")
        file = str(tmp_path / "old.jsonl")
        command = ["import", "jsonl", file, "--task", str(task), "--name", name]
        return main([*command, "--out", str(out), *more])

    assert bring("old", right) == 0
    assert bring("part", {"q0": "赤", "q1": "川田屋"}) == 3
    shown = capsys.readouterr().out
    assert "2 predictions, 2 matched by id, 0 by question and image, 0 ambiguous" in shown
    assert "3 of 5 samples have none" in shown
    assert bring("old", {**right, "q0": "青"}) == 2
    assert "holds answers for another model" in capsys.readouterr().err
    assert bring("old", {**right, "q0": "青"}, "--fresh") == 0
    assert bring("new", right) == 0
    assert main(["score", str(out / "old"), "--json"]) == 0
    assert main(["compare", str(out / "old"), str(out / "new")]) == 0
    baseline = str(tmp_path / "baseline.json")
    assert main(["gate", "save", str(out / "old"), "-o", baseline]) == 0
    capsys.readouterr()
    assert main(["gate", "check", str(out / "new"), "--baseline", baseline, "--json"]) in (0, 4)
    # A run of our own was asked in another way, which the gate names.
    own = ["run", "--quiet", "--model", "baseline:oracle", "--tasks", str(task), "--out", str(out)]
    assert main(own) == 0
    capsys.readouterr()
    assert main(["gate", "check", str(out / "baseline-oracle"), "--baseline", baseline]) == 2
    assert "The field 'prompt' of task 'ja-small' differs" in capsys.readouterr().err
    assert main(["report", str(out), "--out", str(tmp_path / "site")]) == 0
