"""The generated parts of docs/benchmarks.md: a table, the groups and a card for each task."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from vlmbench.metrics.base import load_metric
from vlmbench.tasks.groups import load_groups
from vlmbench.tasks.registry import load_task, task_names
from vlmbench.tasks.samples import sample_count
from vlmbench.tasks.sources import data_state
from vlmbench.tasks.spec import DataSource, MetricUse, TaskSpec

_LANGUAGES = {"ja": "Japanese", "en": "English"}


def list_part() -> str:
    """A row a task: what it is, where its rows are, what is scored."""
    lines = [
        "| task | title | capability | language | items | data | headline |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in _tasks():
        display = task.display
        headlines = ", ".join(f"`{name}`" for name in task.headlines)
        items = f"{count:,}" if (count := _items(task)) else "not known"
        lines.append(
            f"| [`{task.name}`](#{task.name}) | {display.title} | {display.capability} "
            f"| {display.language} | {items} | {data_state(task)} | {headlines} |"
        )
    return "\n".join(lines)


def groups_part() -> str:
    """A row a group."""
    lines = ["| group | title | tasks |", "|---|---|---|"]
    for name, group in load_groups().items():
        tasks = ", ".join(f"`{task}`" for task in group.tasks)
        lines.append(f"| `{name}` | {group.title}. {group.about} | {tasks} |")
    return "\n".join(lines)


def cards_part() -> str:
    """A card a task, by language."""
    parts = []
    by_language = itertools.groupby(_tasks(), lambda task: task.display.language)
    for language, tasks in by_language:
        parts.append(f"## {_LANGUAGES.get(language, language)} tasks")
        parts += ["\n".join(_card(task)) for task in tasks]
    return "\n\n".join(parts)


def _tasks() -> list[TaskSpec]:
    """Japanese tasks first, then by name."""
    tasks = (load_task(name) for name in task_names())
    return sorted(tasks, key=lambda task: (task.display.language != "ja", task.name))


def _items(task: TaskSpec) -> int | None:
    return sample_count(task) or task.display.items


def _card(task: TaskSpec) -> Iterator[str]:
    display = task.display
    yield f"### {task.name}\n\n**{display.title}.** {display.card}\n"
    yield f"- Chance level: {display.chance or 'none, as answers are free'}"
    yield f"- Known flaws: {_flaws(display.flaws)}"
    yield f"- Data: {_data_source(task.data)}"
    yield f"- Licence: {display.licence}"
    yield f"- Sources: {display.citation}"
    yield f"- Metrics: {', '.join(_metric(task, use) for use in task.metrics)}"
    yield f"- Published numbers that compare: {_published(task)}"
    if task.slices:
        yield f"- Broken down by: {', '.join(f'`{name}`' for name in task.slices)}"
    yield f"- Answers: at most {task.generation.max_new_tokens:,} tokens"
    yield f"\nPrompt:\n\n```jinja\n{task.prompt.rstrip()}\n```"


def _data_source(data: DataSource) -> str:
    if data.path is not None:
        return "ships with vlmbench"
    link = f"[{data.hub}](https://huggingface.co/datasets/{data.hub})" if data.hub else ""
    details = [f"configuration {data.config}"] if data.config else []
    details += [f"{len(data.subsets)} configurations"] if data.subsets else []
    details += [f"split {data.split}"] if data.split else []
    if data.hub is not None:
        details += [f"revision {data.revision}" if data.revision else "no revision pinned"]
    source = ", ".join(filter(None, [link, *details]))
    return f"{source}; by hand: {data.manual}".removeprefix("; ") if data.manual else source


def _flaws(flaws: tuple[str, ...]) -> str:
    if len(flaws) < 2:
        return flaws[0] if flaws else "none known to us."
    return "".join(f"\n    - {flaw}" for flaw in flaws)


def _metric(task: TaskSpec, use: MetricUse) -> str:
    options = ", ".join(f"{name}={value}" for name, value in use.options.items())
    text = f"`{use.use}`" + (f" ({options})" if options else "")
    text += f" where {use.where}" if use.where else ""
    text += " (with `--judge`)" if load_metric(use.use).definition.judge_prompt else ""
    return f"**{text}**" if use.key in task.headlines else text


def _published(task: TaskSpec) -> str:
    published = [
        f"`{use.key}` is {harness}'s `{name}`"
        for use in task.metrics
        for harness, name in use.published.items()
    ]
    return "; ".join(published) or "none known"
