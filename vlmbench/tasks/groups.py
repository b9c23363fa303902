"""Groups of tasks by name: tasks/groups.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from vlmbench.errors import ConfigError, UsageError, unknown_name
from vlmbench.schema import Strict, parse, read_yaml
from vlmbench.tasks.registry import GROUPS_FILE, task_names, tasks_root


class JapaneseGroup(Strict):
    """The texts of a group in Japanese."""

    title: str
    about: str


class Group(Strict):
    """Tasks that are reported together."""

    title: str
    about: str
    ja: JapaneseGroup
    tasks: tuple[str, ...]


@cache
def load_groups() -> dict[str, Group]:
    """The groups by name.

    Raises:
        ConfigError: Their file is wrong, or names an unknown task.
    """
    path = tasks_root() / GROUPS_FILE
    known = task_names()
    groups = {
        name: parse(Group, value, location=str(path)) for name, value in read_yaml(path).items()
    }
    for name, group in groups.items():
        for task in group.tasks:
            if task not in known:
                problem = unknown_name("task", task, known, next_step=f"correct group '{name}'")
                raise ConfigError(f"{path}: {problem}")
    return groups


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
