"""`vlmbench tasks pin`: the commit of a Hub data set goes into the task's file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vlmbench.errors import DataError, UsageError
from vlmbench.hub import dataset_commit
from vlmbench.runs.directory import replace_file
from vlmbench.tasks.registry import tasks_root
from vlmbench.tasks.spec import TaskSpec

_HUB = re.compile(
    r"^(?P<start>data:\s*(?:\{\s*|\n(?:[ ]+.*\n)*?(?P<indent>[ ]+)))(?P<hub>hub:\s*[^,}\n]+)",
    re.MULTILINE,
)
"""`hub: org/name` below `data:`, in braces or on a line of its own."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a task reads from now on."""

    file: Path
    commit: str
    newest: str | None
    """The newest commit, where the task was pinned before."""


def pin(task: TaskSpec) -> Pin:
    """Write the newest commit into the task's file, unless one stands there.

    Raises:
        UsageError: The task does not read the Hub.
        DataError: The Hub cannot be reached, or the file cannot be changed.
    """
    if task.data.hub is None:
        raise UsageError(f"Task '{task.name}' does not read the Hub, so there is no commit to pin.")
    file = task.origin or tasks_root() / f"{task.name}.yaml"
    newest = dataset_commit(task.data.hub)
    if task.data.revision is not None:
        return Pin(file, task.data.revision, newest)
    if newest is None:
        raise DataError(
            f"The Hub does not say which commit of {task.data.hub} is the newest; try again where "
            "it can be reached."
        )
    text = file.read_text(encoding="utf-8")
    changed, count = _HUB.subn(lambda found: _with_revision(found, newest), text, count=1)
    if not count:
        raise DataError(f"'hub' was not found below 'data' in {file}; add revision: {newest}.")
    replace_file(file, [changed.encode()])
    return Pin(file, newest, None)


def _with_revision(found: re.Match[str], commit: str) -> str:
    hub, indent = found["hub"].rstrip(), found["indent"]
    if indent is None:
        return f'{found["start"]}{hub}, revision: "{commit}"'
    return f'{found["start"]}{hub}\n{indent}revision: "{commit}"'
