"""Where tasks are found: by the name of one that ships with vlmbench, by a path, in a journal."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vlmbench.errors import ConfigError, UsageError, unknown_name
from vlmbench.runs.journal_header import Header
from vlmbench.schema import parse, read_yaml
from vlmbench.tasks.spec import TaskSpec

GROUPS_FILE = "groups.yaml"
"""In the folder of the tasks: which of them are reported together."""


def tasks_root() -> Path:
    """The folder of the tasks that ship with vlmbench: in a wheel, or in its repository."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_tasks"
    return packaged if packaged.is_dir() else package.parent / "tasks"


def task_names() -> list[str]:
    """Names of the tasks that ship with vlmbench, sorted."""
    return sorted(p.stem for p in tasks_root().glob("*.yaml") if p.name != GROUPS_FILE)


def load_task(name_or_path: str, *, data_dir: Path | None = None) -> TaskSpec:
    """The task of a name that ships with vlmbench, or of a file that ends in .yaml or .yml.

    Args:
        data_dir: Where the rows of a Hub task may be, see `DataSource.local`.

    Raises:
        UsageError: There is no such task.
        ConfigError: Its file does not follow the schema.
    """
    task = _find_task(name_or_path)
    if data_dir is None or task.data.path is not None:
        return task
    if not data_dir.is_dir():
        raise UsageError(f"There is no directory {data_dir}; check '--data-dir'.")
    local = task.data.model_copy(update={"local": str(data_dir.resolve())})
    return task.model_copy(update={"data": local})


def _find_task(name_or_path: str) -> TaskSpec:
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise UsageError(f"There is no task file {path}; check the path.")
        return _load_file(path.resolve(), path.stat().st_mtime_ns, shipped=False)
    if name_or_path not in task_names():
        raise UsageError(
            unknown_name(
                "task",
                name_or_path,
                task_names(),
                next_step="see 'vlmbench tasks list', or give the path of a YAML file",
            )
        )
    path = tasks_root() / f"{name_or_path}.yaml"
    return _load_file(path, path.stat().st_mtime_ns, shipped=True)


def journal_task(header: Header) -> TaskSpec:
    """The task as it was when a run's journal was last written."""
    task = parse(TaskSpec, dict(header.task), location="the journal's header")
    if header.origin is None:
        return task.located(tasks_root(), None)
    return task.located(Path(header.origin).parent, Path(header.origin))


@lru_cache(maxsize=512)
def _load_file(path: Path, changed: int, *, shipped: bool) -> TaskSpec:
    """The task of a file; read again, in a notebook say, once its time of change is another."""
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path} does not hold a task; it needs keys such as 'name' and 'data'.")
    task = parse(TaskSpec, data, location=str(path))
    if shipped and task.name != path.stem:
        raise ConfigError(f"{path} names its task '{task.name}'; name it '{path.stem}'.")
    return task.located(path.parent, None if shipped else path)
