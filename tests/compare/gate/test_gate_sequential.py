"""`vlmbench run --sequential`: stops when its verdict is safe, and says what it saved."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_gate import color_answers, color_task, save
from made_runs import answered_run, make_task, question

from vlmbench.cli.main import main
from vlmbench.runs.directory import RunDir

N = 400


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return color_task(tmp_path / "tasks", N)


def sequential(
    folder: Path, task: Path, baseline: Path, answers: dict[str, str], name: str, *more: str
) -> int:
    """The exit code of a watched run with these answers."""
    script = folder / f"{name}.jsonl"
    script.write_text("\n".join(json.dumps({"id": k, "text": v}) for k, v in answers.items()))
    command = ["run", "--model", f"baseline:scripted:{script}", "--tasks", str(task), "--quiet"]
    out = ["--out", str(folder / "seq"), "--sequential", "--baseline", str(baseline)]
    return main([*command, *out, *more])


def saved_samples(text: str) -> tuple[str, int, int]:
    """Verdict, samples asked, samples saved."""
    (found,) = re.findall(r"ja-small: ([\w ]+) after (\d+) of 400 samples(?:; (\d+) saved)?", text)
    return found[0], int(found[1]), int(found[2] or 0)


def baseline(folder: Path, task: Path, right: int) -> Path:
    run = answered_run(task, folder / "old", "old", color_answers(right, N - right))
    return save([run], folder / "b.json")


def test_a_bad_model_is_stopped_soon(
    tmp_path: Path, task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = baseline(tmp_path, task, 300)
    assert sequential(tmp_path, task, file, color_answers(100, 300), "bad") == 1
    verdict, asked, saved = saved_samples(capsys.readouterr().err)
    assert (verdict, asked + saved) == ("regressed", N)
    assert 20 < asked < 200
    record = RunDir(tmp_path / "seq" / "scripted-bad" / "ja-small").read_record()
    assert not record.coverage.complete and record.coverage.total == N
    # Without --sequential the rest is answered.
    script = tmp_path / "bad.jsonl"
    command = ["run", "--model", f"baseline:scripted:{script}", "--tasks", str(task), "--quiet"]
    assert main([*command, "--out", str(tmp_path / "seq")]) == 0


def test_an_equal_model_goes_to_the_end_and_passes(
    tmp_path: Path, task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = baseline(tmp_path, task, 300)
    assert sequential(tmp_path, task, file, color_answers(300, 100, other="緑"), "same") == 0
    assert saved_samples(capsys.readouterr().err) == ("no worse", N, 0)


def test_a_much_better_model_is_stopped_too(
    tmp_path: Path, task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = baseline(tmp_path, task, 100)
    assert sequential(tmp_path, task, file, color_answers(390, 10), "good") == 0
    verdict, asked, _ = saved_samples(capsys.readouterr().err)
    assert verdict in ("better", "no worse") and asked < 300


def test_the_same_command_again_asks_nothing_more(
    tmp_path: Path, task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = baseline(tmp_path, task, 300)
    answers = color_answers(100, 300)
    assert sequential(tmp_path, task, file, answers, "bad") == 1
    first = saved_samples(capsys.readouterr().err)
    journal = tmp_path / "seq" / "scripted-bad" / "ja-small" / "journal.jsonl"
    lines = journal.read_text().count('"type":"response"')
    assert sequential(tmp_path, task, file, answers, "bad") == 1
    assert saved_samples(capsys.readouterr().err) == first
    assert journal.read_text().count('"type":"response"') == lines


def test_the_same_answers_are_unchanged_however_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = color_task(tmp_path / "tasks", 30)
    answers = color_answers(20, 10)
    file = save([answered_run(task, tmp_path / "old", "old", answers)], tmp_path / "b.json")
    assert sequential(tmp_path, task, file, answers, "same") == 0
    assert "ja-small: unchanged after 30 of 30 samples, all of them\n" in capsys.readouterr().err
    assert sequential(tmp_path, task, file, color_answers(20, 10, other="緑"), "other") == 4
    error = capsys.readouterr().err
    # Where none of n differs, the interval reaches to z^2 / (n + z^2), z^2 = chi2.ppf(0.975, 1) =
    # 5.024: 0.02 from n = 247 on.
    (needed,) = re.findall(r"all of them: n = (\d+) instead of 30, or a margin of 0\.\d{3}", error)
    assert int(needed) == 247


@pytest.mark.parametrize(
    ("answered", "code", "said"),
    [
        (300, 3, r"incomplete .*: 100 have no answer \(first reason: no answer is given for 'q3"),
        (398, 3, r"incomplete .*: 2 have no answer"),
        (400, 0, r"no worse after 400 of 400 samples, all of them$"),
    ],
)
def test_samples_without_an_answer_are_no_regression(
    tmp_path: Path,
    task: Path,
    capsys: pytest.CaptureFixture[str],
    answered: int,
    code: int,
    said: str,
) -> None:
    file = baseline(tmp_path, task, 300)
    answers = dict(list(color_answers(300, 100, other="緑").items())[:answered])
    assert sequential(tmp_path, task, file, answers, "part") == code
    assert re.search(said, capsys.readouterr().err, flags=re.MULTILINE)


def test_a_tolerated_share_of_them_counts_as_the_worst(
    tmp_path: Path, task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = baseline(tmp_path, task, 300)
    rules = tmp_path / "gate.yaml"
    answers = dict(list(color_answers(300, 100, other="緑").items())[6:])
    # 6 losses of 400 at worst: Tango's 97.5 % interval goes down to -0.036.
    for margin, code in ((0.04, 0), (0.03, 4)):
        rules.write_text(f"margin: {margin}\nmax_missing: 0.02\n")
        name = f"m{code}"
        assert sequential(tmp_path, task, file, answers, name, "--rules", str(rules)) == code
    assert "a margin of 0.03" in capsys.readouterr().err


def test_a_corpus_metric_tolerates_no_missing_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [question(number, answer=f"赤い花が{number}本咲いている") for number in range(20)]
    metrics = [{"use": "overlap.bleu", "headline": True}]
    task = make_task(tmp_path / "tasks", rows, metrics=metrics)
    answers = {row["id"]: row["references"][0] for row in rows}
    file = save([answered_run(task, tmp_path / "old", "old", answers)], tmp_path / "b.json")
    rules = tmp_path / "gate.yaml"
    rules.write_text("max_missing: 0.5\n")
    del answers["q3"]
    assert sequential(tmp_path, task, file, answers, "less", "--rules", str(rules)) == 3
    assert "incomplete after 20 of 20 samples" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tasks", "ja-vqa"], "has no task 'ja-vqa'"),
        (["--image-mode", "blind"], "one model on whole tasks"),
        (["--model", "baseline:oracle"], "one model"),
        (["--limit", "30"], "whole tasks"),
        (["--rules", "none.yaml"], "none.yaml cannot be read"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    tmp_path: Path, task: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    file = baseline(tmp_path, task, 300)
    assert sequential(tmp_path, task, file, color_answers(N), "m", *more) == 2
    assert said in capsys.readouterr().err


def test_one_option_needs_the_other(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--model", "baseline:oracle", "--tasks", str(task)]
    assert main([*command, "--sequential"]) == 2
    assert "--sequential needs --baseline FILE" in capsys.readouterr().err
    assert main([*command, "--baseline", "b.json"]) == 2
    assert "--baseline needs --sequential" in capsys.readouterr().err


def test_equal_models_are_hardly_ever_stopped_as_regressed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 30 equally good models none should exit with 1: the chance of each is at most 2.5 %."""
    small = color_task(tmp_path / "small", N)
    draw = np.random.default_rng(0)
    file = baseline(tmp_path, small, 200)
    wrong = 0
    for number in range(30):
        right = draw.random(N) < np.where(np.arange(N) < 200, 0.9, 0.1)
        answers = {f"q{n}": "赤" if right[n] else "青" for n in range(N)}
        wrong += sequential(tmp_path, small, file, answers, f"m{number}") == 1
        capsys.readouterr()
    assert wrong <= 3  # P(X > 3) < 0.01 for a binomial of 30 and 0.025
