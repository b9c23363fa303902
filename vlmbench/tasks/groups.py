"""Groups of tasks by name: tasks/groups.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from vlmbench.errors import ConfigError, UsageError, unknown_name
from vlmbench.schema import Strict, parse, read_yaml
from vlmbench.tasks.registry import GROUPS_FILE, task_names, tasks_root

_SAME = "same-questions"


class Group(Strict):
    """Tasks that are reported together."""

    title: str
    about: str
    tasks: tuple[str, ...]


class SameQuestions(Strict):
    """Tasks that ask the same questions, in another form or repaired."""

    tasks: tuple[str, ...]
    by: Literal["id", "image"]
    """How the same question is found in both."""


@cache
def load_groups() -> dict[str, Group]:
    """The groups by name.

    Raises:
        ConfigError: Their file is wrong, or names an unknown task.
    """
    listed = {name: value for name, value in _content().items() if name != _SAME}
    groups = {name: parse(Group, value, location=str(_path())) for name, value in listed.items()}
    for name, group in groups.items():
        _check(group.tasks, f"group '{name}'")
    return groups


@cache
def load_same_questions() -> tuple[SameQuestions, ...]:
    """The sets of tasks that ask the same questions.

    Raises:
        ConfigError: Their file is wrong, or names an unknown task.
    """
    listed = _content().get(_SAME, [])
    sets = tuple(parse(SameQuestions, value, location=str(_path())) for value in listed)
    for one in sets:
        _check(one.tasks, f"'{_SAME}'")
    return sets


def _path() -> Path:
    return tasks_root() / GROUPS_FILE


def _content() -> dict[str, Any]:
    content: dict[str, Any] = read_yaml(_path())
    return content


def _check(tasks: Sequence[str], listed_in: str) -> None:
    known = task_names()
    for task in tasks:
        if task not in known:
            problem = unknown_name("task", task, known, next_step=f"correct {listed_in}")
            raise ConfigError(f"{_path()}: {problem}")


def expand_names(names: Sequence[str]) -> list[str]:
    """Names of tasks and groups as names of tasks, each once.

    Raises:
        UsageError: A name is neither, nor the path of a YAML file.
    """
    groups, tasks = load_groups(), task_names()
    expanded: list[str] = []
    for name in names:
        if name in groups:
            expanded += groups[name].tasks
        elif name in tasks or name.endswith((".yaml", ".yml")):
            expanded.append(name)
        else:
            raise UsageError(
                unknown_name(
                    "task",
                    name,
                    [*tasks, *groups],
                    next_step="see 'vlmbench tasks list', or give the path of a YAML file",
                )
            )
    return list(dict.fromkeys(expanded))
