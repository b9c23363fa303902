"""What a baseline keeps, how its file is written, and what is refused."""

from __future__ import annotations

import json
import math
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_gate import color_answers, color_task, gate, save
from made_runs import answered_run, make_run, make_task, question

from vlmbench.cli.main import main
from vlmbench.compare.gate.baseline import make_baseline
from vlmbench.compare.gate.baseline_file import read_baseline
from vlmbench.compare.gate.check import check
from vlmbench.errors import ConfigError, IncompleteError, JournalError, UsageError
from vlmbench.runs.directory import RunDir

N = 150


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The directory of a model's run: right on 100 of 150 questions."""
    task = color_task(tmp_path / "tasks", N)
    return answered_run(task, tmp_path / "runs", "old", color_answers(100, 50))


def test_the_file_is_exact_and_reproducible(tmp_path: Path) -> None:
    metrics = [{"use": "overlap.rouge_l", "headline": True}]
    rows = [question(number, answer="赤い花が咲いている。") for number in range(3)]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    texts = {"q0": "赤い花", "q1": "白い鳥が空を飛んでいる。", "q2": "赤い花が咲いている。"}
    model = answered_run(task, tmp_path / "runs", "m", texts)
    save([model], tmp_path / "a.json")
    save([model / "ja-small"], tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_baseline(tmp_path / "a.json") == make_baseline([model])
    saved = read_baseline(tmp_path / "a.json").tasks["ja-small"]
    scores = {row.id: row for row in RunDir(model / "ja-small").read_scores()}
    assert {one.id: one.vectors[0] for one in saved.samples} == {
        name: row.scores["overlap.rouge_l"].vector for name, row in scores.items()
    }
    assert [one.excerpt for one in saved.samples] == [texts[f"q{n}"] for n in range(3)]


def test_a_changed_answer_changes_its_line_and_the_metrics(tmp_path: Path, run: Path) -> None:
    before = save([run], tmp_path / "a.json").read_text().splitlines()
    task = tmp_path / "tasks" / "ja-small.yaml"
    other = answered_run(task, tmp_path / "other", "old", color_answers(99, 51))
    after = save([other], tmp_path / "b.json").read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    (old, new), block = changed[-2:]
    assert [json.loads(line.rstrip(","))["value"] for line in (old, new)] == [100 / 150, 99 / 150]
    assert block[0].startswith('"') and len(changed) <= 3  # the first is the head with the speed
    assert len(before) == 1 + 1 + 3 + math.ceil(N / 64)


def test_the_file_is_small_text_without_images(tmp_path: Path, run: Path) -> None:
    text = save([run], tmp_path / "b.json").read_text(encoding="ascii")
    assert len(text) < 40 * N
    assert all(len(line) < 4000 for line in text.splitlines())


def damaged(file: Path, change: Callable[[dict[str, Any], list[list[Any]]], None]) -> None:
    """Change what the file says, and the rows of its first line of samples."""
    data = json.loads(file.read_text())
    lines = data["tasks"]["ja-small"]["samples"]
    rows = json.loads(zlib.decompress(b64decode(lines[0])))
    change(data, rows)
    lines = data.get("tasks", {}).get("ja-small", {}).get("samples", None)
    if lines:
        lines[0] = b64encode(zlib.compress(json.dumps(rows).encode())).decode()
    file.write_text(json.dumps(data))


def small(data: dict[str, Any]) -> dict[str, Any]:
    task: dict[str, Any] = data["tasks"]["ja-small"]
    return task


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data, rows: data.update(tasks={}), "no task"),
        (lambda data, rows: small(data).update(metrics=[]), "no headline metric"),
        (lambda data, rows: small(data).update(samples=[]), "no sample"),
        (lambda data, rows: data.update(schema_version=1), "schema version 1"),
        (lambda data, rows: data.update(schema_version=99), "schema version 99"),
        (lambda data, rows: small(data).pop("samples"), "damaged"),
        (lambda data, rows: small(data).pop("total"), "'tasks.ja-small.total'"),
        (lambda data, rows: small(data)["samples"].append("AAAA"), "damaged"),
        (lambda data, rows: small(data)["samples"].append("?"), "damaged"),
        (lambda data, rows: small(data).update(total=10), "more samples"),
        (lambda data, rows: rows.append(rows[3]), r"1 samples .* twice, such as 'q100'"),
        (lambda data, rows: rows.extend(rows[:1] * 200), "too many samples"),
        (lambda data, rows: rows[0].append("more"), "damaged"),
        (lambda data, rows: rows[0][5].__setitem__(0, [math.nan]), "no number"),
        (lambda data, rows: rows[0][5].__setitem__(0, [math.inf]), "no number"),
        (lambda data, rows: rows[0][5].__setitem__(0, [7]), "of 7, out of its range from 0 to 1"),
        (lambda data, rows: rows[0][5].__setitem__(0, [-1e300]), "out of its range"),
        (lambda data, rows: rows[0][5].__setitem__(0, [1, 2]), "of 2 numbers instead of 1"),
        (lambda data, rows: rows[0][5].__setitem__(0, []), "of 0 numbers instead of 1"),
        (lambda data, rows: small(data)["samples"].pop(), "holds 128 of the 150 scores of match"),
        (lambda data, rows: rows[0][5].clear(), "no score of match.exact for sample 'q0'"),
        (lambda data, rows: rows[0].__setitem__(1, "0" * 10), "sample 'q0' has another prompt"),
        (
            lambda data, rows: small(data)["metrics"][0].update(signature="match.exact|v:0"),
            "'metric signature of match.exact'",
        ),
        (lambda data, rows: small(data)["fingerprints"].update(data="other"), "'data'"),
    ],
)
def test_a_baseline_that_cannot_be_right_is_refused(
    tmp_path: Path,
    run: Path,
    change: Callable[[dict[str, Any], list[list[Any]]], None],
    message: str,
) -> None:
    file = save([run], tmp_path / "b.json")
    damaged(file, change)
    with pytest.raises(ConfigError, match=message):
        check([run], file)


def test_an_empty_baseline_exits_with_2(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save([run], tmp_path / "b.json")
    damaged(file, lambda data, rows: data.update(tasks={}))
    assert main(["gate", "check", str(run), "--baseline", str(file)]) == 2
    assert "holds no task" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[]", "not JSON of the gate"),
        ("{", "not JSON"),
        ('{"schema_version": 2}', "damaged"),
        ("\xff", "UTF-8"),
        (
            '{"schema_version": 2, "model": "m", "tasks": {"a": {}, "a": {}}}',
            "'a' stands there twice",
        ),
        ("{\n<<<<<<< HEAD\n}", "unresolved merge"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(
    tmp_path: Path, run: Path, content: str, message: str
) -> None:
    (tmp_path / "b.json").write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match=rf"b\.json .*{message}"):
        check([run], tmp_path / "b.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        check([run], tmp_path / "none.json")


def with_score(lines: list[str], score: str) -> list[str]:
    """The lines with another score of match.exact in the first."""
    changed, count = re.subn(r'("match.exact":{[^}]*"vector":)\[1.0\]', rf"\1[{score}]", lines[0])
    assert count == 1
    return [changed, *lines[1:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:100], "holds 100 of the 150 samples"),
        (lambda lines: [*lines, lines[3]], "holds 1 samples twice"),
        (lambda lines: [*lines[:-1], lines[-1][:-10]], "holds 149 of the 150"),
        (lambda lines: [], "holds 0 of the 150"),
        (lambda lines: [*lines, lines[0].replace('"id":"q0"', '"id":"z"')], "and 1 others"),
        (
            lambda lines: [lines[0].replace('"key":"q0#', '"key":"q0#f'), *lines[1:]],
            "other answers",
        ),
        (lambda lines: with_score(lines, "NaN"), "damaged at line 1"),
        (lambda lines: with_score(lines, "-Infinity"), "damaged at line 1"),
        (lambda lines: with_score(lines, "7"), "for sample 'q0' of 7, out of its range"),
        (lambda lines: with_score(lines, "1,0"), "'q0' of 2 numbers instead of 1"),
    ],
)
def test_scores_that_do_not_fit_their_journal_are_refused(
    tmp_path: Path, run: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    file = save([run], tmp_path / "b.json")
    scores = RunDir(run / "ja-small").scores
    lines = scores.read_text().splitlines(keepends=True)
    scores.write_text("".join(change(lines)))
    for action in (lambda: make_baseline([run]), lambda: check([run], file)):
        with pytest.raises(JournalError, match=f"{message}.*vlmbench score"):
            action()


def test_an_incomplete_run_is_no_baseline_unless_that_is_tolerated(tmp_path: Path) -> None:
    task = color_task(tmp_path / "tasks", 100)
    run = answered_run(task, tmp_path / "runs", "m", color_answers(98))
    with pytest.raises(IncompleteError, match=r"98 of 100.*--max-missing"):
        make_baseline([run], max_missing=0.01)
    saved = make_baseline([run], max_missing=0.02).tasks["ja-small"]
    assert sum(one.answer is None for one in saved.samples) == 2


def test_a_part_is_named_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = color_task(tmp_path / "tasks", 40)
    part = answered_run(task, tmp_path / "part", "m", color_answers(40), limit=30)
    whole = answered_run(task, tmp_path / "whole", "m", color_answers(40))
    file = tmp_path / "b.json"
    assert main(["gate", "save", str(part), "-o", str(file)]) == 0
    assert "ja-small: 30 samples, a part of the task (--limit 30)" in capsys.readouterr().out
    assert main(["gate", "check", str(whole), "--baseline", str(file)]) == 0
    assert "a part of the task: 30 samples (--limit 30)" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_new_version_of_vlmbench_breaks_no_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = color_task(tmp_path / "tasks", 20)
    file = save([answered_run(task, tmp_path / "old", "m", color_answers(20))], tmp_path / "b.json")
    for module in ("vlmbench", "vlmbench.evaluate", "vlmbench.environment"):
        monkeypatch.setattr(f"{module}.__version__", "99.0.0")
    new = answered_run(task, tmp_path / "new", "m", color_answers(20))
    assert "99.0.0" in (new / "ja-small" / "run.json").read_text()
    assert check([new], file).exit_code == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": "色は？ {{ row.question }}"}, "'prompt'"),
        ({"metrics": [{"use": "match.exact", "headline": True}]}, "'task'"),
        ({"rows": [question(number, text="色は？") for number in range(5)]}, "'data'"),
    ],
)
def test_runs_of_another_task_are_refused(
    tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    rows = [question(number) for number in range(5)]
    make_run(make_task(tmp_path / "a", rows), tmp_path / "old", "baseline:oracle")
    file = save([tmp_path / "old"], tmp_path / "b.json")
    changed = make_task(tmp_path / "b", change.pop("rows", rows), **change)
    make_run(changed, tmp_path / "new", "baseline:oracle")
    with pytest.raises(ConfigError, match=f"{field}.*ja-small"):
        check([tmp_path / "new"], file)


def test_one_model_at_a_time(tmp_path: Path) -> None:
    task = color_task(tmp_path / "tasks", 3)
    for model in ("baseline:oracle", "baseline:random"):
        make_run(task, tmp_path / "runs", model, limit=2)
    with pytest.raises(UsageError, match="baseline-oracle, baseline-random"):
        make_baseline([tmp_path / "runs"])


def test_reasoning_is_no_part_of_the_excerpt_and_an_error_has_no_hash(tmp_path: Path) -> None:
    task = color_task(tmp_path / "tasks", 3)
    answers = {"q0": "<think>青かな</think>赤", "q1": "赤" * 500}
    run = answered_run(task, tmp_path / "runs", "m", answers)
    first, second, third = make_baseline([run], max_missing=0.5).tasks["ja-small"].samples
    assert (first.excerpt, len(second.excerpt)) == ("赤", 160)
    assert (third.answer, third.excerpt) == (None, "")
    assert first.answer != second.answer
    gate(tmp_path, task, color_answers(3), color_answers(3))
