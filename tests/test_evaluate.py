"""The whole pipeline: oracle, resume, limits, re-scoring and violent deaths."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_tasks import color_rows, picture, write_task

from vlmbench.cli.main import main
from vlmbench.derive import score
from vlmbench.environment import Memory
from vlmbench.errors import JournalError
from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.records import RunRecord
from vlmbench.report.html import build_report
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples

BYTES_A_SAMPLE = 3200
"""What a sample may add to memory: its texts, response and scores, and room to write them."""


def evaluate(model: str, task: Path, out: Path, **arguments: Any) -> RunRecord:
    """Run in this process, without a progress bar."""
    executor = LocalExecutor(batch_size=arguments.pop("batch_size", 4))
    try:
        spec = resolve_model(model, seed=arguments.get("seed", 0))
        return run(spec, load_task(str(task)), executor=executor, out=out, **arguments)
    finally:
        executor.close()


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task", color_rows(24))


def script(folder: Path, answers: dict[str, str]) -> str:
    path = folder / "answers.jsonl"
    lines = [json.dumps({"id": key, "text": text}) for key, text in answers.items()]
    path.write_text("\n".join(lines) + "\n")
    return f"baseline:scripted:{path}"


def test_the_oracle_is_right(task: Path, tmp_path: Path) -> None:
    record = evaluate("baseline:oracle", task, tmp_path / "out")
    overall = record.estimates[0]
    assert (overall.metric, overall.slice, overall.value, overall.n) == ("match.exact", None, 1, 24)
    slices = [(e.slice, e.n) for e in record.estimates if e.metric == "match.exact" and e.slice]
    assert slices == [({"kind": "colour"}, 16), ({"kind": "what"}, 8), ({"style": "seen"}, 12)]
    assert record.coverage.complete
    assert RunDir.of(tmp_path / "out", record.model, record.task).read_record() == record


def test_scores_do_not_depend_on_batches_or_order(
    checkpoint: Path, task: Path, tmp_path: Path
) -> None:
    files = []
    for size in (1, 5, 24):
        evaluate(str(checkpoint), task, tmp_path / str(size), batch_size=size)
        run_dir = RunDir.of(tmp_path / str(size), checkpoint.name, "colors")
        files.append(run_dir.scores.read_bytes())
    assert files[0] == files[1] == files[2]


def test_scoring_again_gives_the_same_bytes(task: Path, tmp_path: Path) -> None:
    record = evaluate("baseline:majority", task, tmp_path, limit=10, seed=3)
    run_dir = RunDir.of(tmp_path, record.model, record.task)
    before = run_dir.scores.read_bytes(), run_dir.record.read_bytes()
    run_dir.scores.unlink()
    run_dir.record.unlink()
    score(run_dir)
    assert (run_dir.scores.read_bytes(), run_dir.record.read_bytes()) == before


def test_a_limited_run_is_part_of_the_whole_one(task: Path, tmp_path: Path) -> None:
    limited = evaluate("baseline:majority", task, tmp_path / "a", limit=5)
    assert (limited.limit, limited.coverage.total, limited.part) == (5, 5, "5 of 24")
    run_dir = RunDir.of(tmp_path / "a", limited.model, limited.task)
    first = run_dir.scores.read_bytes()
    kinds = Counter(row.slices["kind"] for row in run_dir.read_scores())
    assert kinds in (Counter(colour=3, what=2), Counter(colour=4, what=1))  # of 16 and 8 in all
    whole = evaluate("baseline:majority", task, tmp_path / "a")
    assert (whole.limit, whole.coverage.total) == (None, 24)
    lines = run_dir.journal.read_text().splitlines()
    assert sum('"type":"response"' in line for line in lines) == 24
    assert {*first.splitlines()} < {*run_dir.scores.read_bytes().splitlines()}
    assert whole.part is None and whole.drawn is None
    again = evaluate("baseline:majority", task, tmp_path / "a", limit=5)
    assert again.estimates == limited.estimates
    assert run_dir.scores.read_bytes() == first
    other = evaluate("baseline:majority", task, tmp_path / "b", limit=5, seed=1)
    assert other.drawn != limited.drawn == again.drawn
    everything = evaluate("baseline:majority", task, tmp_path / "b", limit=24, seed=1)
    assert everything.limit is None


def test_errors_are_no_zeros_and_are_asked_again(task: Path, tmp_path: Path) -> None:
    answers = {f"q{n:03}": "赤" for n in range(20)}
    record = evaluate(script(tmp_path, answers), task, tmp_path / "out")
    overall = record.estimates[0]
    # 5 of 20 answers are right; the 4 that are missing allow 5/24 to 9/24.
    assert (overall.value, overall.n) == (0.25, 20)
    assert overall.bounds == pytest.approx((5 / 24, 9 / 24))
    assert record.coverage.errors == {"runner": 4}
    calls: list[tuple[int, int, int]] = []
    evaluate(
        script(tmp_path, answers),
        task,
        tmp_path / "out",
        progress=lambda *numbers: calls.append(numbers),
    )
    assert calls[-1] == (24, 24, 4)
    assert len(calls) == 1 + 4


def test_nothing_left_to_ask_loads_no_model(checkpoint: Path, task: Path, tmp_path: Path) -> None:
    first = evaluate(str(checkpoint), task, tmp_path, limit=4)
    weights = checkpoint / "model.safetensors"
    journal = RunDir.of(tmp_path, first.model, "colors").journal
    size = journal.stat().st_size

    class Unused:
        def map(self, spec: object, requests: object) -> Generator[Any, None, None]:
            raise AssertionError("there was nothing to ask")

        def describe(self) -> dict[str, Any]:
            return {}

        def memory(self) -> Memory:
            return Memory()

        def close(self) -> None: ...

    second = run(
        resolve_model(str(checkpoint)),
        load_task(str(task)),
        executor=Unused(),
        out=tmp_path,
        limit=4,
    )
    assert second == first
    assert journal.stat().st_size == size
    assert weights.is_file()


def test_metrics_see_the_references_of_the_whole_task(tmp_path: Path) -> None:
    metrics = [{"use": "caption.cider_d"}]
    rows = color_rows(24)
    for number, row in enumerate(rows):
        row["references"] = [f"赤い車が{number}台あります", f"車が{number}台"]
    task = write_task(tmp_path / "task", rows, metrics=metrics)
    whole = evaluate("baseline:oracle", task, tmp_path / "whole")
    limited = evaluate("baseline:oracle", task, tmp_path / "limited", limit=5)
    all_rows = RunDir.of(tmp_path / "whole", whole.model, whole.task).read_scores()
    part = RunDir.of(tmp_path / "limited", limited.model, limited.task).read_scores()
    assert len(part) == 5
    assert part == [row for row in all_rows if row.id in {one.id for one in part}]


def test_memory_grows_with_the_texts_of_the_samples_only(tmp_path: Path) -> None:
    # A share, and a value whose interval is resampled.
    metrics = [{"use": "match.exact"}, {"use": "overlap.chrf"}]
    peaks = {}
    for count in (100, 400, 2400):  # the first one imports
        task = write_task(tmp_path / str(count), color_rows(count), metrics=metrics)
        tracemalloc.start()
        evaluate("baseline:majority", task, tmp_path / "out" / str(count))
        _, peaks[count] = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (peaks[2400] - peaks[400]) / 2000 < BYTES_A_SAMPLE, peaks


def without(folder: Path) -> None:
    """Move a task and its data away."""
    folder.rename(folder.with_name("moved"))


def test_a_run_stands_alone(task: Path, tmp_path: Path) -> None:
    """Scored again, judged, gated and reported when task and data are gone."""
    out = tmp_path / "out"
    record = evaluate("baseline:majority", task, out)
    run_dir = RunDir.of(out, record.model, record.task)
    before = run_dir.scores.read_bytes(), run_dir.record.read_bytes()
    without(task.parent)
    assert score(run_dir) == record
    assert (run_dir.scores.read_bytes(), run_dir.record.read_bytes()) == before
    site = build_report([out], tmp_path / "site")
    page = (site.parent / "tasks" / "colors.html").read_text(encoding="utf-8")
    assert "何色ですか" in page and "Images cannot be shown" in page


def test_a_run_that_was_killed_before_its_first_answer_is_not_scored(
    task: Path, tmp_path: Path
) -> None:
    record = evaluate("baseline:majority", task, tmp_path)
    run_dir = RunDir.of(tmp_path, record.model, record.task)
    header = run_dir.journal.read_bytes().partition(b"\n")[0]
    run_dir.journal.write_bytes(header + b"\n")
    with pytest.raises(JournalError, match="before its first answer"):
        score(run_dir)
    assert evaluate("baseline:majority", task, tmp_path).estimates == record.estimates


def test_kept_images_are_shown_without_the_data(task: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate("baseline:majority", task, out, keep_images=True)
    kept = {path.name for path in (out / "images").iterdir()}
    without(task.parent)
    site = build_report([out], tmp_path / "site").parent
    assert {path.stem for path in (site / "images").iterdir()} == kept
    for name in kept:  # what another put there under that name is not taken for it
        (out / "images" / name).write_bytes(picture("黄色", size=(9, 9)))
    again = build_report([out], tmp_path / "again").parent
    assert not (again / "images").exists()


def test_other_metrics_keep_the_answers(task: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", list[str]()
    record = evaluate("baseline:majority", task, out)
    journal = RunDir.of(out, record.model, record.task).journal
    count = responses(journal)
    other = [{"use": "match.exact"}, {"use": "caption.cider_d"}]
    write_task(task.parent, color_rows(24), metrics=other, slices=["style"])
    second = evaluate("baseline:majority", task, out, notify=said.append)
    assert [sentence.partition(" since")[0] for sentence in said] == [
        "The task's metrics, slices changed"
    ]
    assert responses(journal) == count
    assert {one.metric for one in second.estimates} >= {"match.exact", "caption.cider_d"}
    # The same as if the task had always been so, and nothing is said twice.
    fresh = evaluate("baseline:majority", task, tmp_path / "fresh")
    assert second.estimates == fresh.estimates
    evaluate("baseline:majority", task, out, notify=said.append)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": "{{ row.question }}詳しく。"}, r"another prompt \(prompt: .*there, .*詳しく"),
        ({"generation": {"max_new_tokens": 9}}, r"generation.max_new_tokens: 4 there, 9 now"),
        ({"cluster": "style"}, r'other fields of the task \(cluster: null there, "style" now\)'),
    ],
)
def test_another_question_is_refused(
    task: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    evaluate("baseline:majority", task, tmp_path / "out")
    write_task(task.parent, color_rows(24), **changes)
    with pytest.raises(JournalError, match=message):
        evaluate("baseline:majority", task, tmp_path / "out")


def test_other_data_is_refused(task: Path, tmp_path: Path) -> None:
    evaluate("baseline:oracle", task, tmp_path / "out")
    write_task(task.parent, color_rows(25))
    with pytest.raises(JournalError, match="holds answers for other data"):
        evaluate("baseline:oracle", task, tmp_path / "out")


def test_samples_of_one_image_are_one_cluster(tmp_path: Path) -> None:
    rows_of_task = color_rows(24)
    for number, row in enumerate(rows_of_task):  # two questions an image
        row["images"] = rows_of_task[number - number % 2]["images"]
    task = write_task(tmp_path / "task", rows_of_task)
    record = evaluate("baseline:majority", task, tmp_path / "out")
    rows = RunDir.of(tmp_path / "out", record.model, record.task).read_scores()
    samples = {sample.id: sample for sample in read_samples(load_task(str(task)))}
    assert [row.cluster for row in rows] == [samples[row.id].images[0].digest for row in rows]
    assert 1 < len({row.cluster for row in rows}) < len(rows)  # some questions share an image
    write_task(task.parent, color_rows(24), cluster="kind")
    record = evaluate("baseline:majority", task, tmp_path / "other")
    rows = RunDir.of(tmp_path / "other", record.model, record.task).read_scores()
    assert {row.cluster for row in rows} == {"colour", "what"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vlmbench", "run", "--quiet", *arguments]


def kill_repeatedly(arguments: Sequence[str], journal: Path, *, times: int, seed: int) -> int:
    """Kill the command again and again while it writes its journal; how often that worked."""
    draw = random.Random(seed)
    killed = 0
    for _ in range(times * 3):
        before = responses(journal)
        process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL)
        while process.poll() is None and responses(journal) <= before:
            time.sleep(0.001)
        time.sleep(draw.random() * 0.04)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        if killed == times:
            break
    return killed


def responses(journal: Path) -> int:
    return journal.read_bytes().count(b'"type":"response"') if journal.exists() else 0


def test_killed_ten_times(tmp_path: Path) -> None:
    """The scores of a run killed at random moments equal those of one that never was."""
    count = 6000
    task = write_task(tmp_path / "task", color_rows(count))
    model = script(tmp_path, {f"q{n:03}": random.Random(n).choice("赤青緑") for n in range(count)})
    arguments = ("--model", model, "--tasks", str(task), "--batch-size", "8")
    undisturbed, disturbed = (
        RunDir.of(tmp_path / name, "scripted-answers", "colors") for name in ("a", "b")
    )
    assert main(["run", "--quiet", *arguments, "--out", str(tmp_path / "a")]) == 0
    out = ("--out", str(tmp_path / "b"))
    assert kill_repeatedly((*arguments, *out), disturbed.journal, times=10, seed=1) == 10
    assert responses(disturbed.journal) > 0
    subprocess.run(command(*arguments, *out), check=True, stdout=subprocess.DEVNULL)
    assert disturbed.scores.read_bytes() == undisturbed.scores.read_bytes()


def test_a_model_killed_while_it_answers(checkpoint: Path, tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", color_rows(400), generation={"max_new_tokens": 32})
    arguments: tuple[str, ...] = (
        "--model",
        str(checkpoint),
        "--tasks",
        str(task),
        "--batch-size",
        "4",
    )
    arguments = (*arguments, "--no-cache", "--replicas", "2")
    undisturbed, disturbed = (
        RunDir.of(tmp_path / name, checkpoint.name, "colors") for name in ("a", "b")
    )
    assert main(["run", "--quiet", *arguments, "--out", str(tmp_path / "a")]) == 0
    out = ("--out", str(tmp_path / "b"))
    assert kill_repeatedly((*arguments, *out), disturbed.journal, times=1, seed=2) == 1
    assert 0 < responses(disturbed.journal) < 400
    assert main(["run", "--quiet", *arguments, *out]) == 0
    assert disturbed.scores.read_bytes() == undisturbed.scores.read_bytes()


def test_interrupted_by_the_keyboard(tmp_path: Path) -> None:
    count = 6000
    task = write_task(tmp_path / "task", color_rows(count))
    journal = RunDir.of(tmp_path, "baseline-oracle", "colors").journal
    arguments = ("--model", "baseline:oracle", "--tasks", str(task), "--out", str(tmp_path))
    process = subprocess.Popen(
        command(*arguments),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
        # A shell that runs the tests in the background has SIGINT ignored for all below it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while process.poll() is None and not responses(journal):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate()
    assert process.returncode == 130
    assert message == "vlmbench: Stopped; the same command continues from here.\n"
    assert 0 < responses(journal) < count
