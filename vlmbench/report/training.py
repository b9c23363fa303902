"""The page of a training: one file, beside the checkpoint, that needs nothing else.

It is made from the log alone, so it can be written again at any time. While the training goes on
it loads itself anew; it asks for nothing, so it works from the file system.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from markupsafe import Markup

from vlmbench.report.charts import Chart, Point, chart
from vlmbench.report.rendering import environment
from vlmbench.report.site import safe_json
from vlmbench.report.training_log import StageLog, read_stages
from vlmbench.runs.directory import replace_file

T = TypeVar("T")

PAGE = "training.html"
REFRESH_SECONDS = 10
MOST_ROWS = 25
"""Checks in the table, and answers of a sample; of more, these are spread evenly."""

_PACKAGE = resources.files("vlmbench.report")
_STRINGS = (
    "skip",
    "language_button",
    "theme_auto",
    "theme_light",
    "theme_dark",
    "pages",
    "scroll_table",
)
"""Words that the page shares with the report."""


class NamedChart(NamedTuple):
    """A chart with its heading, a key of training_strings.json."""

    key: str
    chart: Chart


class TaskChart(NamedTuple):
    """What is seen of an evaluated task."""

    name: str
    metric: str
    n: int
    trained: bool
    """Whether its own training split is among the data."""
    chart: Chart


class AnswerRun(NamedTuple):
    """Checks in a row at which a sample got the same answer."""

    first: int
    last: int
    answer: str


class SampleView(NamedTuple):
    """One of the fixed samples."""

    facts: Mapping[str, Any]
    answers: Sequence[AnswerRun]


@dataclass(frozen=True, slots=True)
class StageView:
    """What the page shows of a stage."""

    log: StageLog
    charts: tuple[NamedChart, ...]
    validation: Chart | None
    """Of the value that the best checkpoint is chosen by, that one marked."""
    tasks: tuple[TaskChart, ...]
    samples: tuple[SampleView, ...]
    checks: tuple[Mapping[str, Any], ...]
    """Rows of the table."""

    @property
    def other_best(self) -> str | None:
        """The value that the best checkpoint is chosen by, if it is not the loss."""
        name: str | None = self.log.start["best"]
        return None if name == "validation.loss" else name


def write_training_page(folder: Path) -> Path:
    """Replaces the page of a training, which is `training.html` in its directory.

    Nothing is written before a stage has begun.

    Raises:
        JournalError: The directory cannot be written.
    """
    path = folder / PAGE
    stages = read_stages(folder)
    if stages:
        page = training_page(stages, now=datetime.now(UTC))
        # Texts may hold lone surrogates, which no page can show.
        replace_file(path, [page.encode("utf-8", "replace")])
    return path


def training_page(stages: Sequence[StageLog], *, now: datetime) -> str:
    """The page of a training, of which at least one stage has begun."""
    strings = _strings()
    style = "".join(_text(name) for name in ("static/site.css", "training.css"))
    script = "\n".join(_text(f"static/{name}.js") for name in ("theme", "site"))
    last = stages[-1]
    is_last = last.number == int(last.start["stage"]["total"])
    template = environment(strings).get_template("training.html.j2")
    return template.render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        strings=safe_json(strings),
        refresh=None if last.stopped or (last.finished and is_last) else REFRESH_SECONDS,
        name=last.start["name"],
        last=last,
        views=[_view(stage) for stage in reversed(stages)],
        now=f"{now:%Y-%m-%d %H:%M:%S} UTC",
        short=short_number,
        clock=clock,
    )


def short_number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _view(log: StageLog) -> StageView:
    best = log.start["best"]
    value = log.curve(f"eval/{best}", checks=True) if best else []
    return StageView(
        log=log,
        charts=tuple(_charts(log)),
        validation=chart({str(best): value}, mark=log.best_step),
        tasks=tuple(_tasks(log)),
        samples=tuple(_samples(log)),
        checks=tuple(_spread(log.checks)),
    )


def _charts(log: StageLog) -> Iterator[NamedChart]:
    sources = log.curves("train/loss_by_source")
    rates = log.curves("train/learning_rate_by_part")
    same_rate = len({tuple(points) for points in rates.values()}) == 1
    series: dict[str, Mapping[str, Sequence[Point]]] = {
        "loss": {
            "training": log.curve("train/loss"),
            "validation": log.curve("eval/loss", checks=True),
        },
        "loss_by_source": sources if len(sources) > 1 else {},
        "grad_norm": log.curves("train/grad_norm_by_part"),
        "learning_rate": {", ".join(rates): next(iter(rates.values()))} if same_rate else rates,
        "tokens_per_second": {"": log.curve("train/learned_tokens_per_second")},
        "data_wait": {"": log.curve("train/data_wait")},
    }
    for key, one in series.items():
        if (drawn := chart(one)) is not None:
            yield NamedChart(key, drawn)


def _tasks(log: StageLog) -> Iterator[TaskChart]:
    trained = log.start["trained_tasks"]
    for name in log.start["tasks"]:
        found = next((row[f"eval/{name}"] for row in log.checks if row.get(f"eval/{name}")), None)
        drawn = chart({name: log.task_curve(name)})
        if found is not None and drawn is not None:
            yield TaskChart(name, found["metric"], found["n"], name in trained, drawn)


def _samples(log: StageLog) -> Iterator[SampleView]:
    for position, facts in enumerate(log.start["samples"]):
        answers = [
            (int(check["step"]), str(check["samples"][position]["answer"]))
            for check in log.checks
            if position < len(check["samples"])
        ]
        runs = []
        for answer, same in groupby(answers, key=lambda one: one[1]):
            steps = [step for step, _ in same]
            runs.append(AnswerRun(steps[0], steps[-1], answer))
        yield SampleView(facts, _spread(runs))


def _spread(rows: Sequence[T]) -> list[T]:
    """The rows, or `MOST_ROWS` of them from the first to the last."""
    if len(rows) <= MOST_ROWS:
        return [*rows]
    step = (len(rows) - 1) / (MOST_ROWS - 1)
    return [rows[math.floor(at * step + 0.5)] for at in range(MOST_ROWS)]


def _strings() -> dict[str, tuple[str, str]]:
    shared, own = (json.loads(_text(name)) for name in ("strings.json", "training_strings.json"))
    return {**{key: shared[key] for key in _STRINGS}, **own}


def _text(name: str) -> str:
    return (_PACKAGE / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allows the page's own style and script, by their digests, and pictures inside it."""
    digests = (
        base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (style, script)
    )
    of_style, of_script = (f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; style-src {of_style}; script-src {of_script}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
