"""Judges and judged runs: a real server on 127.0.0.1 that gives recorded verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from made_runs import answered_run, make_task, question
from made_server import MadeServer, Reply, completion, said

from vlmbench.derive import score
from vlmbench.executors.local import LocalExecutor
from vlmbench.judges.judging import Judging, judge_run
from vlmbench.judges.requests import JudgeSettings
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Estimate
from vlmbench.runs.directory import RunDir


def verdict(**values: Any) -> str:
    """A judge's reply in JSON."""
    return json.dumps(values, ensure_ascii=False)


def judge_server(reply: Callable[[str, int], str]) -> MadeServer:
    """A judge that says what `reply` makes of a prompt and of how often it came before."""
    return MadeServer(lambda body, earlier: Reply(completion(reply(said(body), earlier))))


def judged_task(
    folder: Path,
    metrics: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    headline: str = "match.exact",
) -> Path:
    """A task that has these metrics besides match.exact."""
    names = ["match.exact", *metrics]
    return make_task(
        folder, rows, metrics=[{"use": name, "headline": name == headline} for name in names]
    )


def answers_run(task: Path, out: Path, name: str, answers: Mapping[str, str]) -> RunDir:
    """The run directory of answers by sample id."""
    return RunDir(answered_run(task, out, name, answers) / "ja-small")


def overall(run: RunDir, metric: str) -> Estimate:
    """The one estimate of a metric over the whole task."""
    found = [e for e in run.read_record().estimates if e.metric == metric and e.slice is None]
    assert len(found) == 1
    return found[0]


def colors(count: int = 4) -> list[dict[str, Any]]:
    """Questions whose reference is 赤."""
    return [question(number) for number in range(count)]


def ask(
    server: MadeServer,
    run: RunDir,
    *,
    name: str = "made-judge",
    settings: JudgeSettings | None = None,
    metrics: Sequence[str] = (),
    fresh: bool = False,
    **options: Any,
) -> Judging:
    """Let the server judge a run."""
    patient = {"retries": 0, "patience": 1.0, "base_url": server.url}
    spec = resolve_model(f"openai:{name}", options={**patient, **options})
    executor = LocalExecutor(batch_size=None)
    try:
        return judge_run(
            run,
            spec,
            executor=executor,
            settings=settings or JudgeSettings(),
            score=score,
            metrics=metrics,
            fresh=fresh,
        )
    finally:
        executor.close()
