from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_task, question

from vlmbench.compare.paired_runs import Scored, read_scored
from vlmbench.compare.visual_gain import VisualGain, gain_verdict, visual_gains
from vlmbench.evaluate import run
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import resolve_model
from vlmbench.runs.directory import RunDir
from vlmbench.stats.score_pairs import score_limits
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.variants.variant import Variant

N = 100
BLIND = Variant("image", "blind")


def answered(task: Path, out: Path, answers: dict[str, str], variant: Variant | None) -> Scored:
    """A run of the real pipeline with given answers."""
    out.mkdir(parents=True, exist_ok=True)
    script = out / "script.jsonl"
    script.write_text("".join(json.dumps({"id": k, "text": v}) + "\n" for k, v in answers.items()))
    model = resolve_model(f"baseline:scripted:{script}")
    executor = LocalExecutor(batch_size=8)
    record = run(model, load_task(str(task)), executor=executor, out=out, variant=variant)
    return read_scored(RunDir.of(out, record.model, record.task, record.variant))


def right(count: int) -> dict[str, str]:
    return {f"q{number}": "赤" if number < count else "青" for number in range(N)}


def gain(
    tmp_path: Path, seen: dict[str, str], unseen: dict[str, str], **changes: Any
) -> VisualGain:
    rows = [question(number) for number in range(N)]
    task = make_task(tmp_path / "task", rows, **changes)
    plain = answered(task, tmp_path / "a", seen, None)
    (found,) = visual_gains(plain, answered(task, tmp_path / "b", unseen, BLIND), "blind")
    return found


# 20 or 12 samples are right on one side only.
@pytest.mark.parametrize(
    ("seen", "unseen", "verdict"),
    [
        (70, 50, "looks"),
        (62, 50, "looks"),
        (50, 70, "better without"),
        (50, 50, "no gain shown"),
        (0, 0, "no gain shown"),
    ],
)
def test_the_gain_is_paired(tmp_path: Path, seen: int, unseen: int, verdict: str) -> None:
    found = gain(tmp_path, right(seen), right(unseen))
    assert (found.plain, found.other, found.n) == (seen / N, unseen / N, N)
    assert found.gain == pytest.approx((seen - unseen) / N)
    # tests/stats/test_paired.py holds these to published values.
    low, high = score_limits(max(seen - unseen, 0), max(unseen - seen, 0), N, 1.959964)
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), abs=1e-6)
    assert found.verdict == verdict


def test_samples_that_one_side_lacks_are_left_out(tmp_path: Path) -> None:
    unseen = {key: text for key, text in right(50).items() if key not in ("q0", "q1")}
    found = gain(tmp_path, right(70), unseen)
    assert (found.n, found.left_out) == (N - 2, 2)
    assert found.gain == pytest.approx(20 / (N - 2))


def test_lower_is_better_turns_the_gain(tmp_path: Path) -> None:
    metrics = [{"use": "ocr.cer", "headline": True}]
    found = gain(tmp_path, right(70), right(50), metrics=metrics)
    assert found.plain is not None and found.other is not None
    assert found.plain < found.other
    assert found.gain == pytest.approx(found.other - found.plain)
    assert found.verdict == "looks"


def test_samples_without_an_image_say_nothing(tmp_path: Path) -> None:
    rows = [question(number, images=[] if number % 2 else [f"{number}.png"]) for number in range(N)]
    task = make_task(tmp_path / "task", rows)
    plain = answered(task, tmp_path / "a", right(70), None)
    (found,) = visual_gains(plain, answered(task, tmp_path / "b", right(70), BLIND), "blind")
    assert (found.n, found.left_out) == (N // 2, 0)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "looks"),
        (0.0, 0.2, "no gain shown"),
        (-0.1, 0.0, "no gain shown"),
        (-0.2, -0.1, "better without"),
    ],
)
def test_verdict(low: float, high: float, verdict: str) -> None:
    assert gain_verdict(low, high) == verdict


@pytest.mark.parametrize("n", [1, 3, 9])
def test_few_samples_are_not_called(tmp_path: Path, n: int) -> None:
    """Every answer right with the image and wrong without, on one to nine images."""
    task = make_task(tmp_path / "task", [question(number) for number in range(n)])
    plain = answered(task, tmp_path / "a", right(n), None)
    (found,) = visual_gains(plain, answered(task, tmp_path / "b", right(0), BLIND), "blind")
    assert (found.n, found.gain, found.verdict) == (n, 1.0, "too few samples")
    assert found.low is not None and found.low < 0.9
