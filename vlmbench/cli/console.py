"""What all commands print with: numbers, tables, JSON, and a progress bar on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.cli.language import error_text
from vlmbench.cli.tables import print_columns, read_columns
from vlmbench.text.visible import visible

if TYPE_CHECKING:
    from vlmbench.stats import Interval


def say(sentence: str) -> None:
    """Tell a person something beside the command's own output, in their language."""
    print(f"vlmbench: {visible(error_text(sentence))}", file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table on stdout, whose texts are printed as they are; nothing without a row.

    Args:
        headings: ">" in front aligns a column on the right; "?" before that says that it can be
            missed where the terminal is narrow.
        title: Above the table.
    """
    from rich.console import Console

    columns = read_columns(headings, rows)
    # Without a terminal there is no width to respect: lines stay whole for grep and logs.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if columns[0].cells:
        print_columns(console, columns, title=title)


def print_list(
    values: Sequence[Mapping[str, Any]], *, json: bool, optional: Collection[str] = ()
) -> None:
    """What there is, as a table or as JSON: the same keys in each, numbers on the right.

    Args:
        optional: Keys that a narrow terminal can do without.
    """
    if json:
        print_json(values)
        return
    is_number = {key: any(isinstance(one[key], int) for one in values) for key in values[0]}
    headings = [
        ("?" if key in optional else "") + (">" if is_number[key] else "") + key
        for key in values[0]
    ]
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
