"""The command line: what it prints, and one sentence for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main

ORACLE = "run --quiet --model baseline:oracle"


def call(command: str) -> int:
    """The exit code of a command."""
    try:
        return main(command.split())
    except SystemExit as way_out:  # argparse's own
        return int(way_out.code or 0)


@pytest.fixture
def place(tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with good and bad things in it."""
    monkeypatch.chdir(tmp_path)
    good = color_rows(6)
    write_task(tmp_path / "good", good)
    write_task(tmp_path / "key", good, prompts="x")
    write_task(tmp_path / "column", good, fields={**FIELDS, "images": ["image"]})
    write_task(tmp_path / "template", good, prompt="{{ row.qestion }}")
    write_task(tmp_path / "metric", good, metrics=[{"use": "match.exat"}])
    write_task(tmp_path / "option", good, metrics=[{"use": "match.exact", "options": {"x": 1}}])
    write_task(tmp_path / "field", [{k: v for k, v in row.items() if k != "kind"} for row in good])
    unknown = [{"use": "match.exact", "where": "meta.kid == 'a'"}]
    write_task(tmp_path / "where", good, metrics=unknown)
    write_task(tmp_path / "empty", [good[0]], data={"path": "none.jsonl"})
    (tmp_path / "empty" / "none.jsonl").touch()
    write_task(tmp_path / "twice", [*good, good[0]])
    write_task(tmp_path / "hub", data={"hub": "org/name", "split": "test"})
    write_task(tmp_path / "other", good, prompt="別の質問です。")
    broken = {"bytes": b"no image", "path": None}
    write_task(tmp_path / "image", [{**good[0], "images": [broken]}, *good[1:]])
    (tmp_path / "file").write_text("x")
    (tmp_path / "checkpoint").symlink_to(checkpoint)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).symlink_to(checkpoint / name)
    return tmp_path


FIELDS: dict[str, Any] = {
    "id": "{{ row.id }}",
    "images": ["images"],
    "references": {"column": "references"},
    "meta": ["kind", "style"],
}


@pytest.mark.parametrize(
    ("command", "fragment"),
    [
        ("run --quiet --model qwen2-vl-2 --tasks good/colors.yaml", "Did you mean 'qwen2-vl-2b'"),
        ("run --quiet --model ./gone --tasks good/colors.yaml", "There is no directory './gone'"),
        ("run --quiet --model bare --tasks good/colors.yaml", "has no image processor"),
        ("run --quiet --model good --tasks good/colors.yaml", "There is no config.json in good"),
        (
            "run --quiet --model qwen2-vl-2b --tasks good/colors.yaml",
            "The Hugging Face Hub can't be reached (HF_HUB_OFFLINE is set), so model "
            "'Qwen/Qwen2-VL-2B-Instruct' cannot be loaded; pass the directory of a downloaded "
            "checkpoint, as in '--model ./dir'.",
        ),
        (
            "run --quiet --model checkpoint --tasks good/colors.yaml --generation top_k=5",
            "In task 'colors', --generation top_k means nothing to greedy answers",
        ),
        (
            "run --quiet --model checkpoint --tasks good/colors.yaml --generation num_beam=5",
            "Did you mean 'num_beams'",
        ),
        (
            "run --quiet --model checkpoint --tasks good/colors.yaml --quantization 3bit",
            "input should be '4bit' or '8bit'",
        ),
        (
            "run --quiet --model checkpoint --tasks good/colors.yaml --adapter good",
            "there is no adapter_config.json in good",
        ),
        (
            "run --quiet --model asagi-14b --tasks good/colors.yaml",
            "needs the Python code of MIL-UT/Asagi-14B",
        ),
        ("models show checkpoint --dtype float23", "Did you mean 'float32'"),
        (f"{ORACLE} --tasks ja-vq", "Did you mean 'ja-vqa'"),
        (f"{ORACLE} --tasks gone.yaml", "There is no task file gone.yaml"),
        (f"{ORACLE} --tasks key/colors.yaml", "did you mean 'prompt'?"),
        (f"{ORACLE} --tasks column/colors.yaml", "There is no column 'image' in row 0 of"),
        (f"{ORACLE} --tasks template/colors.yaml", "did you mean 'question'?"),
        (f"{ORACLE} --tasks field/colors.yaml", "There is no column 'kind' in row 0 of"),
        (f"{ORACLE} --tasks metric/colors.yaml", "Did you mean 'match.exact'"),
        (f"{ORACLE} --tasks option/colors.yaml", "Unknown option of match.exact"),
        (f"{ORACLE} --tasks where/colors.yaml", "Did you mean 'meta.kind'"),
        (f"{ORACLE} --tasks empty/colors.yaml", "There are no rows in"),
        (f"{ORACLE} --tasks twice/colors.yaml", "The id 'q000' stands twice in"),
        (f"{ORACLE} --tasks hub/colors.yaml", "The Hugging Face Hub can't be reached"),
        (f"{ORACLE} --tasks good/colors.yaml --limit 0", "'0' is not a whole number from 1 up"),
        (f"{ORACLE} --tasks good/colors.yaml --limit x", "'x' is not a whole number from 1 up"),
        (f"{ORACLE} --tasks good/colors.yaml --out file", "cannot be written"),
        (f"{ORACLE} --tasks good/colors.yaml --out file/x", "cannot be written"),
        (f"{ORACLE} --tasks good/colors.yaml --dtype float3", "Did you mean 'float32'"),
        (f"{ORACLE} --tasks good/colors.yaml --device gpu", "Unknown device 'gpu'"),
        (
            f"{ORACLE} --tasks good/colors.yaml --modle x",
            "no option --modle (did you mean --model",
        ),
        (f"{ORACLE} --tasks good/colors.yaml --executor rya", "Did you mean 'ray'"),
        (f"{ORACLE} --tasks good/colors.yaml --ray-address x", "add '--executor ray'"),
        (f"{ORACLE} --tasks good/colors.yaml --batch-size 0", "'0' is not a whole number from 1"),
        (f"{ORACLE} --tasks good/colors.yaml --replicas x", "'x' is not a whole number from 1"),
        (f"{ORACLE} --tasks good/colors.yaml --max-errors=-1", "'-1' is not a whole number from"),
        ("run --quiet --tasks good/colors.yaml", "required: --model"),
        (
            "run --quiet --model checkpoint --tasks image/colors.yaml",
            "first reason: The image in column 'images' of row 0 of",
        ),
        ("tasks check image/colors.yaml", "The image in column 'images' of row 0 of"),
        ("tasks show ja-vq", "Did you mean 'ja-vqa'"),
        ("models show tiny-jp", "Did you mean 'tiny-ja'"),
        ("metrics show overlap.bleuu", "Did you mean 'overlap.bleu'"),
        ("score gone", "There is no directory gone"),
        ("score good", "There is no run in good"),
        ("report gone", "There is no directory gone"),
        ("gate check gone", "required: --baseline"),
        ("gate save gone", "required: -o"),
        ("gate check gone --baseline file", "file is not JSON of the gate"),
        ("train run gone.yaml", "There is no recipe file gone.yaml"),
    ],
)
def test_mistakes(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, fragment: str
) -> None:
    code = call(command)
    message = capsys.readouterr().err
    assert code == 2
    assert fragment in message
    assert message.startswith("vlmbench: ")
    assert message.count("\n") == 1, "one sentence"
    assert "Traceback" not in message


def test_a_bad_image_loses_no_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "run --quiet --json --model checkpoint --tasks image/colors.yaml --out out"
    assert call(command) == 2
    captured = capsys.readouterr()
    assert "no answer to 1 of 6 samples of colors" in captured.err
    (record,) = json.loads(captured.out)["runs"]
    assert record["coverage"] == {"total": 6, "answered": 5, "errors": {"image": 1}}
    assert record["estimates"][0]["n"] == 5
    assert record["estimates"][0]["bounds"] is not None


def test_missing_answers_make_a_run_incomplete(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "answers.jsonl").write_text('{"id": "q000", "text": "赤"}\n')
    command = "run --quiet --model baseline:scripted:answers.jsonl --tasks good/colors.yaml"
    assert call(command) == 3
    captured = capsys.readouterr()
    assert "no answer to 5 of 6 samples" in captured.err
    assert "possible" in captured.out


def test_a_run_that_has_not_begun_leaves_nothing(place: Path) -> None:
    assert call("run --quiet --model bare --tasks good/colors.yaml --out out") == 2
    assert not list((place / "out").iterdir())


def test_too_many_errors_stop_a_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "answers.jsonl").write_text('{"id": "q000", "text": "赤"}\n')
    command = "run --quiet --model baseline:scripted:answers.jsonl --tasks good/colors.yaml"
    assert call(f"{command} --max-errors 2") == 3
    message = capsys.readouterr().err
    assert "failed on 3 samples, more than --max-errors allows (the last reason: " in message
    assert message.count("\n") == 1
    journal = next((place / "runs").rglob("journal.jsonl"))
    assert journal.read_text().count('"type":"response"') == 4  # the answer is kept
    assert call(f"{command} --max-errors 5") == 3  # five samples fail, as many as are allowed
    assert "no answer to 5 of 6 samples" in capsys.readouterr().err


def test_answers_are_found_in_the_cache(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(place / "cache"))  # without other tests' answers
    command = "run --quiet --json --replicas 1 --model checkpoint --tasks good/colors.yaml"
    records = []
    for more in ("--out a --no-cache", "--out b", "--out c", "--out d --no-cache"):
        assert call(f"{command} {more}") == 0
        records += json.loads(capsys.readouterr().out)["runs"]
    assert [record["performance"]["cached"] for record in records] == [0, 0, 6, 0]
    assert records[2]["performance"]["samples_per_second"] is None  # nothing was generated
    scores = [next((place / name).rglob("scores.jsonl")).read_bytes() for name in "abcd"]
    assert len(set(scores)) == 1


def test_another_configuration_keeps_the_journal(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(f"{ORACLE} --tasks good/colors.yaml --out out") == 0
    journal = next((place / "out").rglob("journal.jsonl"))
    before = journal.read_bytes()
    assert call(f"{ORACLE} --tasks other/colors.yaml --out out") == 2
    message = capsys.readouterr().err
    assert "holds answers for another prompt (prompt: " in message
    assert "--fresh" in message
    assert journal.read_bytes() == before
    assert call(f"{ORACLE} --tasks other/colors.yaml --out out --fresh") == 0


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory that nobody can write, root neither."""
    folder = tmp_path / "ro"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    mounted = False
    if os.geteuid() == 0:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        if not mounted:
            pytest.skip("root may write anywhere, and cannot mount here")
    folder.chmod(0o500) if not mounted else None
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)
    else:
        folder.chmod(0o700)


def test_a_read_only_output_directory(
    place: Path, read_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(f"{ORACLE} --tasks good/colors.yaml --out {read_only}/out") == 2
    message = capsys.readouterr().err
    assert "cannot be written (" in message and message.count("\n") == 1


def test_run_prints_a_table_and_what_comes_next(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "run --model baseline:oracle,baseline:majority --tasks good/colors.yaml --limit 4"
    assert call(command) == 0
    captured = capsys.readouterr()
    assert "match.exact *" in captured.out
    assert "[0.510, 1.000]" in captured.out  # Wilson's interval of 4 out of 4
    assert "too few independent samples to call a gain or loss on: colors (4)" in captured.out
    assert "vlmbench report runs" in captured.out
    assert "baseline-majority · colors" in captured.err
    assert call("score runs") == 0
    assert "baseline-oracle" in capsys.readouterr().out


def test_report_and_gate(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("run --quiet --model baseline:oracle,baseline:majority --tasks good/colors.yaml")
    assert call("report runs --out site") == 0
    assert (place / "site" / "index.html").is_file()
    assert call("gate save runs/baseline-oracle -o base.json") == 0
    assert call("gate check runs/baseline-oracle --baseline base.json") == 0
    capsys.readouterr()
    # Six samples are too few to call anything.
    assert call("gate check runs/baseline-majority --baseline base.json --json") == 4
    assert json.loads(capsys.readouterr().out)["exit_code"] == 4


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("tasks list", "ja-vqa"),
        ("tasks show good/colors.yaml", "title: 色"),
        ("tasks check good/colors.yaml", "6 samples and 6 images of"),
        ("models list", "qwen2-vl-2b"),
        ("models show baseline:oracle", "runner: baseline"),
        ("metrics list", "overlap.rouge_l"),
        ("metrics show match.exact", "signature: match.exact"),
    ],
)
def test_catalogs(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, expected: str
) -> None:
    assert call(command) == 0
    assert expected in capsys.readouterr().out
    assert call(f"{command} --json") == 0
    assert json.loads(capsys.readouterr().out)


def test_a_card_leaves_no_place_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "show", "ja-business-doc-rq-bench"]) == 0
    shown = capsys.readouterr().out
    assert "flaws: none known to us" in shown and "published: none known to us" in shown
    assert "revision: 'not pinned: the newest is read'" in shown
    assert main(["tasks", "show", "ja-vqa"]) == 0
    assert "items: 332" in capsys.readouterr().out
