"""Where the embedded suite keeps its files, in a wheel and in a checkout alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmbench.errors import DataError
from vlmbench.tasks.registry import tasks_root


def data_file(name: str) -> Path:
    """The path of a file of the embedded suite.

    Raises:
        DataError: The file is not there.
    """
    path = tasks_root() / "data" / name
    if not path.is_file():
        raise DataError(
            f"The embedded suite's file {name} is missing from {path.parent}; "
            "install vlmbench again or rebuild it with 'python tasks/data/build/build_suite.py'."
        )
    return path


def read_content(name: str) -> Any:
    """The parsed YAML file `content/<name>.yaml` of the suite."""
    import yaml

    return yaml.safe_load(data_file(f"content/{name}.yaml").read_text(encoding="utf-8"))
