"""`vlmbench tasks prepare NAME --download`: a Hub data set's rows, kept as local Parquet files.

A run streams rows from the Hub, each time anew. Who has them in a `--data-dir` runs and scores
without a network, on rows that do not change, and journals know them by the files' digest.
"""

from __future__ import annotations

from pathlib import Path

from vlmbench.errors import UsageError
from vlmbench.tasks.prepare.files import Prepared, write_rows
from vlmbench.tasks.rows import hub_tables
from vlmbench.tasks.spec import TaskSpec


def download(task: TaskSpec, data_dir: Path) -> Prepared:
    """Write the rows to <data_dir>/<task>.parquet, or <task>/<subset>.parquet for subsets.

    Files that are there stay, so that a download that was broken off goes on.

    Args:
        task: One whose rows the Hub holds.
        data_dir: Where the files go.

    Raises:
        UsageError: The Hub does not hold this task's rows.
        DataError: They cannot be loaded, or a file cannot be written.
    """
    if task.data.hub is None or task.data.manual is not None:
        raise UsageError(
            f"The Hub does not hold the rows of {task.name}; leave '--download' out to see what "
            "to do."
        )
    subsets: tuple[str | None, ...] = task.data.subsets or (None,)
    rows = 0
    for subset in subsets:
        file = data_dir / f"{task.name}.parquet"
        if subset is not None:
            file = data_dir / task.name / f"{subset}.parquet"
        if not file.is_file():
            schema, table = hub_tables(task, subset or task.data.config)
            file.parent.mkdir(parents=True, exist_ok=True)
            rows += write_rows(task, data_dir, table, schema=schema, file=file).rows
    where = data_dir / (f"{task.name}.parquet" if subsets == (None,) else task.name)
    state = f"{rows} rows" if rows else "all rows were there already"
    message = f"{where}: {state}; '--data-dir {data_dir}' reads them."
    return Prepared(where, rows, message)
