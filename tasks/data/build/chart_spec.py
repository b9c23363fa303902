"""What a chart of the real level shows and how it looks, as content/charts.yaml says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from country_statistics import TABLES, Table
from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Look:
    """Colors and rules of a drawing."""

    background: str
    panel: str
    text: str
    grid: str | None
    colors: tuple[tuple[str, str], ...]
    """Series colors: Japanese name and hex code."""
    spines: bool = True


LOOKS: Mapping[str, Look] = {
    "plain": Look(
        "#ffffff",
        "#ffffff",
        "#222222",
        "#d9d9d9",
        (("青", "#1f77b4"), ("オレンジ色", "#ff7f0e"), ("緑", "#2ca02c"), ("赤", "#d62728")),
    ),
    "report": Look(
        "#ffffff",
        "#eaeaf2",
        "#262626",
        "#ffffff",
        (("赤", "#c44e52"), ("青", "#4c72b0"), ("緑", "#55a868"), ("紫", "#8172b3")),
        spines=False,
    ),
    "paper": Look(
        "#fbf6e9",
        "#fbf6e9",
        "#4a3b28",
        "#e3d8bd",
        (("緑", "#5b8a3c"), ("茶色", "#9c5a2d"), ("青", "#3b6ea5"), ("黄色", "#dba520")),
        spines=False,
    ),
    "dark": Look(
        "#1e2430",
        "#1e2430",
        "#f0f0f0",
        "#465064",
        (("水色", "#4fc3f7"), ("黄色", "#ffd54f"), ("ピンク", "#f48fb1"), ("緑", "#81c784")),
    ),
    "slide": Look(
        "#ffffff",
        "#ffffff",
        "#333333",
        None,
        (("紺色", "#1b3a6b"), ("オレンジ色", "#e8762d"), ("灰色", "#9aa0a6"), ("水色", "#5aa9d6")),
        spines=False,
    ),
    "pastel": Look(
        "#fffafc",
        "#fffafc",
        "#51394a",
        "#ecdbe5",
        (("ピンク", "#e377a2"), ("水色", "#6bb8d9"), ("黄色", "#e5b53c"), ("緑", "#7bbf8a")),
    ),
}


class Strict(BaseModel):
    """Base of what charts.yaml holds: frozen, and no key that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Chart(Strict):
    """A picture of a table."""

    key: str
    kind: Literal["bar", "barh", "line", "pie", "scatter", "table"]
    """Bars with several columns are grouped."""
    look: str
    size: tuple[int, int]
    """Width and height in pixels."""
    title: str
    data: dict[str, Any]
    """`table` names a function of statistics.TABLES, the rest are its arguments; `turned: true`
    exchanges rows and columns."""
    source: str
    """Key of its origin in charts.yaml."""
    unit: str = ""
    """Unit of the figures where all have the same."""
    units: dict[str, str] = {}
    """Unit by column where they differ; tables show it in the head."""
    x: str = ""
    """What the horizontal axis (of tables: the first column) shows."""
    y: str = ""
    """What the vertical axis shows."""
    printed: bool = True
    """Whether the figures themselves stand in the picture."""
    span: tuple[float, float] | None = None
    """Ends of the axis of figures; must be given where they are not printed."""
    legend: Literal["best", "upper left"] = "best"
    """Where the legend stands."""
    note: str = ""
    """What must be known beside the source."""
    offsets: dict[str, tuple[int, int]] = {}
    """Scatter: where a label stands, in points from its mark."""

    @cached_property
    def table(self) -> Table:
        """The figures, rounded as they are drawn."""
        arguments = {key: value for key, value in self.data.items() if key != "table"}
        turned = arguments.pop("turned", False)
        table = TABLES[self.data["table"]](**arguments)
        return table.turned() if turned else table

    @property
    def design(self) -> Look:
        """Its colors."""
        return LOOKS[self.look]

    def unit_of(self, name: str | None) -> str:
        """Unit of the figures in a column, or of all."""
        return self.units.get(name or "", self.unit)
