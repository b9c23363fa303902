"""What there is to see while a training goes on, and what its checkpoint says afterwards."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import math
import re
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import PIL.Image
import pytest
from made_colors import color_rows, data_recipe, write_rows

from vlmbench.errors import ConfigError, DependencyError, ModelError, UsageError
from vlmbench.report.training import write_training_page
from vlmbench.train.card import checkpoint_facts
from vlmbench.train.checkpoint import Progress
from vlmbench.train.prepare import prepare
from vlmbench.train.progress import StepLog
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import train_by_recipe
from vlmbench.train.step_report import StepReport
from vlmbench.train.trackers import Trackers, check_trackers
from vlmbench.train.watching import MOST_OF_THE_TIME, REFRESH_SECONDS, PageUpdates

SEEN = "scene-where-23"
"""A sample of ja-vqa whose picture is among the rows, and one of the four that are drawn."""


class Watched(NamedTuple):
    """A training, and its page whenever that was written."""

    out: Path
    pages: list[str]


@pytest.fixture(scope="module")
def watched(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Eight updates with a check after four and eight, one row with a picture of ja-vqa."""
    from vlmbench.tasks.registry import load_task
    from vlmbench.tasks.samples import read_samples

    folder = tmp_path_factory.mktemp("watched")
    rows = color_rows(24)
    sample = next(one for one in read_samples(load_task("ja-vqa")) if one.id == SEEN)
    rows[1]["images"] = [{"bytes": sample.images[0].data, "path": None}]
    write_rows(folder / "rows.parquet", rows)
    write_rows(folder / "more.parquet", color_rows(8))
    path = data_recipe(
        folder,
        seedling,
        method="full",
        data=[{"path": "rows.parquet", "name": "rows"}, {"path": "more.parquet", "name": "more"}],
        learning_rate={"vision": 1e-3, "connector": 2e-3, "language": 3e-3},
        max_steps=8,
        validation={"rows": 6, "by": "row"},
        evaluate={"every_steps": 4, "tasks": {"ja-vqa": 4}, "best": "validation.loss"},
        guard={"on_hit": "warn", "same_picture": "warn"},
        report_to=["tensorboard"],
    )
    pages: list[str] = []

    def watch(target: Path) -> None:
        pages.append(write_training_page(target).read_text(encoding="utf-8"))

    # What a training that was killed was told there, by weights that are gone.
    (folder / "out" / "checks" / "step-4" / "killed").mkdir(parents=True)
    (folder / "out" / "checks" / "step-9").mkdir()
    out = train_by_recipe(path, out=folder / "out", quiet=True, watch=watch)
    return Watched(out, pages)


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_checks_of_an_earlier_training_are_gone(watched: Watched) -> None:
    checks = watched.out / "checks"
    assert {path.name for path in checks.iterdir()} == {"step-0", "step-4", "step-8"}
    assert not (checks / "step-4" / "killed").exists()


def test_names_are_those_of_transformers_and_trl(watched: Watched) -> None:
    updates = [row for row in log_of(watched.out) if "train/loss" in row]
    assert [row["train/global_step"] for row in updates] == [*range(1, 9)]
    learned = [row["train/learned_tokens"] for row in updates]
    tokens = [row["train/num_tokens"] for row in updates]
    assert tokens == sorted(tokens) and tokens[-1] > sum(learned)
    for row in updates:
        # Of independent parts the whole norm is the root of the squares' sum.
        squares = sum(one**2 for one in row["train/grad_norm_by_part"].values())
        assert row["train/grad_norm"] == pytest.approx(math.sqrt(squares))
        assert row["train/learning_rate"] == row["train/learning_rate_by_part"]["language"]
        assert row["train/epoch"] == pytest.approx(row["step"] / 7, abs=1e-4)  # 26 rows by 4
    checks = [row for row in log_of(watched.out) if "eval/loss" in row]
    assert [row["step"] for row in checks] == [0, 4, 8]
    assert all(row["eval/ja-vqa"]["n"] == 4 for row in checks)


def test_tensorboard_is_told_what_the_log_says(watched: Watched) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(watched.out / "tensorboard" / "colors"))
    events.Reload()
    rows = log_of(watched.out)
    for name in ("train/loss", "train/grad_norm", "train/num_tokens", "eval/loss"):
        told = [(one.step, one.value) for one in events.Scalars(name)]
        logged = [(row["step"], row[name]) for row in rows if name in row]
        assert [step for step, _ in told] == [step for step, _ in logged]
        assert [value for _, value in told] == pytest.approx([value for _, value in logged])
    names = set(events.Tags()["scalars"])
    assert {"train/learning_rate_by_part/vision", "eval/ja-vqa/value"} <= names


def test_the_page_reloads_until_the_end_and_can_be_made_again(watched: Watched) -> None:
    reload = 'http-equiv="refresh"'
    assert [reload in page for page in watched.pages] == [
        *[True] * (len(watched.pages) - 1),
        False,
    ]
    # At the start, after each check and at the end; updates are too quick to count.
    assert 5 <= len(watched.pages) <= 6
    written = (watched.out / "training.html").read_text(encoding="utf-8")
    again = write_training_page(watched.out).read_text(encoding="utf-8")
    written_at = re.compile(r"20\d\d-<wbr>.*? UTC")
    assert written_at.sub("", again) == written_at.sub("", written)


def test_samples_have_small_pictures_and_an_answer_at_every_check(watched: Watched) -> None:
    start = log_of(watched.out)[0]["start"]
    assert [one["held_out"] for one in start["samples"]] == [True] * 6 + [False] * 2
    for one in start["samples"]:
        (image,) = one["images"]
        kind, _, data = image.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert max(PIL.Image.open(io.BytesIO(base64.b64decode(data))).size) <= 160
    for row in log_of(watched.out):
        if "samples" in row:
            assert [one["id"] for one in row["samples"]] == [one["id"] for one in start["samples"]]
    (hit,) = start["guard"]["hits"]
    assert (hit["sample"], hit["example"].rpartition("#")[2]) == (SEEN, "1")
    assert len(hit["images"]) == 1


def test_the_readme_is_a_card_that_the_hub_reads(watched: Watched) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(watched.out / "README.md")
    facts = json.loads((watched.out / "checkpoint.json").read_text())
    results = [
        (one.dataset_type, one.metric_type, one.metric_value) for one in card.data.eval_results
    ]
    assert results == [("ja-vqa", one["metric"], one["value"]) for one in facts["tasks"]["ja-vqa"]]
    assert [one["n"] for one in facts["tasks"]["ja-vqa"]] == [4, 3]  # one of four was trained on
    assert card.data.model_name == "colors"
    assert card.data.base_model is None  # a folder is nothing that the Hub knows
    assert card.data.library_name == "transformers"
    best = min(
        (row["eval/loss"], row["step"]) for row in log_of(watched.out) if row.get("best_step")
    )
    assert facts["best_step"] == facts["step"] == best[1]
    assert (
        f"Chosen by validation.loss on the 6 validation rows, {best[0]:.4f} at step {best[1]}"
        in card.text
    )
    assert "rows (" in card.text and "more (" in card.text


def test_a_run_of_the_checkpoint_knows_what_it_was_trained_on(
    watched: Watched, tmp_path: Path
) -> None:
    from vlmbench.derive import load_texts
    from vlmbench.evaluate import run
    from vlmbench.executors.local import LocalExecutor
    from vlmbench.models.resolve import resolve_model
    from vlmbench.tasks.draw import drawn_positions
    from vlmbench.tasks.registry import load_task

    spec, task = resolve_model(str(watched.out)), load_task("ja-vqa")
    samples = load_texts(task)
    position = next(at for at, one in enumerate(samples) if one.id == SEEN)
    seed = next(
        seed
        for seed in range(1000)
        if position in (drawn_positions(task, samples, limit=4, seed=seed) or ())
    )
    executor = LocalExecutor(batch_size=4)
    record = run(spec, task, executor=executor, out=tmp_path, limit=4, seed=seed)
    assert record.overlap is not None
    assert record.overlap.compared
    assert SEEN in record.overlap.seen
    assert record.overlap.rows == {"picture": 1}
    assert [one.n for one in record.clean] == [3]


def test_a_training_goes_on_with_what_the_one_before_it_saw(
    watched: Watched, tmp_path: Path
) -> None:
    from vlmbench.models.training_data import training_overlap

    write_rows(tmp_path / "rows.parquet", color_rows(8))
    path = data_recipe(tmp_path, watched.out, guard={"against": ["ja-vqa"]})
    ready = prepare(parse_recipe(read_recipe(path), path).stages[0], tmp_path)
    overlap = training_overlap(ready.live.guards, "ja-vqa")
    assert overlap is not None and SEEN in overlap.seen
    facts = checkpoint_facts(ready, Progress(0, None, 0, 0, {}, 0.0, 0.0), [])
    assert facts["guard"]["seen"] == {}
    assert SEEN in facts["earlier_guards"][0]["seen"]["ja-vqa"]


def test_a_stopped_training_says_why_until_it_is_resumed(tmp_path: Path) -> None:
    report = StepReport(1, 2.0, {"a": 2.0}, {"language": 1.0}, {"language": 0.1}, 40, 4, 0.5, 0.1)
    start: dict[str, Any] = {"name": "stopped"}
    with (
        pytest.raises(ModelError),
        StepLog(tmp_path, 5, of_epoch=None, quiet=True) as log,
    ):
        log.begin(0, start)
        log.step(report)
        raise ModelError("The loss of step 2 is nan.")
    *_, last = log_of(tmp_path)
    assert (last["end"], last["reason"]) == ("stopped", "The loss of step 2 is nan.")
    with StepLog(tmp_path, 5, of_epoch=None, quiet=True) as log:
        log.begin(1, start)
        log.step(StepReport(2, 1.0, {}, {"language": 1.0}, {"language": 0.1}, 60, 4, 0.5, 0.1))
    rows = log_of(tmp_path)
    assert [row.get("train/num_tokens", row.get("end")) for row in rows[1:]] == [
        40,
        100,
        "finished",
    ]
    elapsed = [row["elapsed"] for row in rows]
    assert elapsed == sorted(elapsed)


def test_the_page_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("vlmbench.train.watching.time.monotonic", lambda: now[0])
    written: list[float] = []

    def write() -> None:
        written.append(now[0])
        now[0] += 1.0  # a second to write it

    updates = PageUpdates(write)
    for _ in range(200):
        updates({"train/loss": 1.0})
        now[0] += 1.0
    assert written == [100.0, 151.0, 202.0, 253.0]  # 1 / 0.02 = 50 seconds between two
    assert MOST_OF_THE_TIME == 0.02 and REFRESH_SECONDS == 10.0
    updates({"eval/loss": 1.0})
    assert len(written) == 5  # a check is shown at once


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed")
def test_a_missing_library_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    path = data_recipe(tmp_path, "no-such-model", report_to="wandb")
    with pytest.raises(DependencyError, match=r"report_to: wandb.*pip install wandb"):
        train_by_recipe(path, out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "names"),
    [("none", ()), ("tensorboard", ("tensorboard",)), (["wandb", "trackio"], ("wandb", "trackio"))],
)
def test_report_to_is_a_name_or_a_list(value: Any, names: tuple[str, ...], tmp_path: Path) -> None:
    path = data_recipe(tmp_path, "tiny-ja", report_to=value)
    assert parse_recipe(read_recipe(path), path).stages[0].trackers == names
    wrong = data_recipe(tmp_path, "tiny-ja", report_to="mlflow")
    with pytest.raises(ConfigError, match="report_to"):
        parse_recipe(read_recipe(wrong), wrong)


def test_a_library_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("a file where its folder should be")
    with pytest.raises(UsageError, match="report_to: tensorboard' cannot begin") as caught:
        Trackers(["tensorboard"], "run", tmp_path)
    assert "\n" not in str(caught.value)


def test_trackio_keeps_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trackio = pytest.importorskip("trackio")
    monkeypatch.setattr(trackio.sqlite_storage, "TRACKIO_DIR", tmp_path)
    check_trackers(["trackio"])
    told = Trackers(["trackio"], "run", tmp_path)
    told({"step": 1, "train/loss": 0.5, "train/loss_by_source": {"a": 0.25}, "elapsed": 9.0})
    told({"step": 1, "end": "finished", "elapsed": 9.0})
    with sqlite3.connect(tmp_path / "vlmbench.db") as database:
        ((values,),) = database.execute("select metrics from metrics").fetchall()
    assert json.loads(values) == {"train/loss": 0.5, "train/loss_by_source/a": 0.25}
