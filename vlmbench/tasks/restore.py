"""A run's journal, and its task as it was when the run was made."""

from __future__ import annotations

from vlmbench.errors import DataError
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import JournalContent, read_journal
from vlmbench.tasks.registry import restore_task
from vlmbench.tasks.sources import data_fingerprint
from vlmbench.tasks.spec import TaskSpec


def restored(directory: RunDir) -> tuple[JournalContent, TaskSpec]:
    """A run's journal, and its task as it was.

    Raises:
        JournalError, DataError: See `score`.
    """
    content = read_journal(directory.journal)
    task = restore_task(dict(content.header.task), content.header.origin)
    if data_fingerprint(task) != content.header.fingerprints["data"]:
        raise DataError(
            f"The data of task '{task.name}' has changed since {directory.journal} was written; "
            "restore it, or run the model again with --fresh."
        )
    return content, task
