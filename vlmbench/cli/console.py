"""What all commands print with: numbers, tables, JSON, and a progress bar on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vlmbench.stats import Interval


def say(sentence: str) -> None:
    """Tell a person something beside the command's own output."""
    print(f"vlmbench: {sentence}", file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table on stdout, whose texts are printed as they are; nothing without a row.

    Args:
        headings: Those that begin with ">" are of columns aligned on the right.
        title: Above the table.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading.startswith(">") else "left"
        table.add_column(heading.removeprefix(">"), justify=justify, overflow="fold")
    for row in rows:
        # Text, not str: names and answers may hold what rich would take for its markup.
        table.add_row(*(Text(cell) for cell in row))
    # Without a terminal there is no width to respect: lines stay whole for grep and logs.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if table.rows:
        console.print(table)


def print_list(values: Sequence[Mapping[str, Any]], *, json: bool) -> None:
    """What there is, as a table or as JSON: the same keys in each, numbers on the right."""
    if json:
        print_json(values)
        return
    is_number = {key: any(isinstance(one[key], int) for one in values) for key in values[0]}
    headings = [f">{key}" if is_number[key] else key for key in values[0]]
    print_table(headings, [[_cell(value) for value in one.values()] for one in values])


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "?" if value is None else str(value)


def print_details(value: Mapping[str, Any], *, json: bool) -> None:
    """Everything about one thing, as YAML or as JSON."""
    if json:
        print_json(value)
        return
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as they are, not in quotation marks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    print(yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=100).rstrip())


def number(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, or a dash for None."""
    if value is None:
        return "–"
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Such as "[0.510, 1.000]"."""
    return f"[{number(low, signed=signed)}, {number(high, signed=signed)}]"


def value_and_interval(value: Interval | None) -> str:
    """Such as "0.750 [0.510, 1.000]"."""
    if value is None:
        return "–"
    return f"{number(value.value)} {interval(value.low, value.high)}"
