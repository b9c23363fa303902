"""Tables that fit a terminal without breaking a name or a number.

Where a table is too wide, first the columns go that can be missed, then prose is wrapped between
words, then the names on the left move into lines of their own above the rows they share. What is
still too wide is printed whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from vlmbench.text.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

GAP = 3
"""Cells between two columns."""

EDGES = 4
"""Cells on both sides of a table together."""

LEAST_PROSE = 16
"""Cells that a text without spaces, as Japanese has, needs: it may be broken anywhere."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its cells."""

    heading: str
    cells: tuple[str, ...]
    right: bool
    """Numbers and what belongs to them: aligned on the right, never broken."""
    optional: bool

    @property
    def natural(self) -> int:
        """Cells that it takes when nothing is broken."""
        return max(_width(text) for text in (self.heading, *self.cells))

    @property
    def least(self) -> int:
        """Cells that it takes at least, as words stay whole."""
        if self.right:
            return self.natural
        words = [word for text in (self.heading, *self.cells) for word in text.split()]
        return max((_least(word) for word in words), default=0)


def read_columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Column]:
    """The columns of a table.

    Args:
        headings: ">" in front aligns a column on the right; "?" before that says that it can be
            missed.
    """
    shown = ([visible(text) for text in row] for row in rows)
    cells = list(zip(*shown, strict=True)) or [()] * len(headings)
    columns = []
    for heading, texts in zip(headings, cells, strict=True):
        name = heading.removeprefix("?")
        columns.append(
            Column(name.removeprefix(">"), texts, name.startswith(">"), heading.startswith("?"))
        )
    return columns


def print_columns(console: Console, columns: Sequence[Column], *, title: str = "") -> None:
    """The table, as wide as the console at most if that can be."""
    from rich.console import ConsoleDimensions

    room = console.width
    kept = _without_optional(columns, room)
    most = _names(kept)
    names = next((n for n in range(most + 1) if _needed(kept[n:]) <= room + bool(n)), most)
    groups, shown = kept[:names], kept[names:]
    room += bool(names)  # such a table has no edge on the right
    widths = _widths(shown, room)
    console.size = ConsoleDimensions(max(room, _total(widths)), 25)
    if title and groups:
        console.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    lines = zip(*(one.cells for one in groups), strict=True) if groups else [()] * _rows(kept)
    start = 0
    for group, members in groupby(lines):
        count = len(list(members))
        if group:
            console.print(
                "\n" + " · ".join(filter(None, group)),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        part = [replace(one, cells=one.cells[start : start + count]) for one in shown]
        table = _table(part, widths, header=start == 0, title="" if groups else title)
        table.show_edge = not groups
        console.print(table)
        start += count


def _table(columns: Sequence[Column], widths: Sequence[int], *, header: bool, title: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", show_header=header
    )
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            Text(column.heading), justify="right" if column.right else "left", min_width=width
        )
        table.columns[-1].width = width
    for cells in zip(*(one.cells for one in columns), strict=True):
        # Text, not str: names and answers may hold what rich would take for its markup.
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _without_optional(columns: Sequence[Column], room: int) -> list[Column]:
    """The columns without as many of those that can be missed as there is no room for."""
    kept = list(columns)
    while _total([one.natural for one in kept]) > room:
        optional = [one for one in kept if one.optional]
        if not optional:
            break
        kept.remove(optional[-1])
    return kept


def _names(columns: Sequence[Column]) -> int:
    """How many columns may become lines: those before the first number, one without numbers."""
    return next((n for n, one in enumerate(columns) if one.right), min(1, len(columns) - 1))


def _needed(columns: Sequence[Column]) -> int:
    return _total([one.least for one in columns])


def _total(widths: Sequence[int]) -> int:
    """Cells that a table with columns of these widths takes."""
    return sum(widths) + GAP * (len(widths) - 1) + EDGES


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Cells for each column: as they come, or the widest prose made narrower until all fit."""
    widths = [one.natural for one in columns]
    least = [one.least for one in columns]
    while _total(widths) > room:
        spare = [width - low for width, low in zip(widths, least, strict=True)]
        if max(spare, default=0) <= 0:
            break
        candidates = [n for n, one in enumerate(spare) if one > 0]
        widths[max(candidates, key=lambda n: widths[n])] -= 1
    return widths


def _rows(columns: Sequence[Column]) -> int:
    return len(columns[0].cells) if columns else 0


def _least(word: str) -> int:
    width = _width(word)
    return width if word.isascii() else min(width, LEAST_PROSE)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in text.split("\n")), default=0)
