"""Draws a chart: the same table gives the same PNG bytes on the same machine."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chart_spec import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
COLORS = 256
ROW_HEIGHT = 0.13
"""Of a table, in parts of the picture."""


def draw(chart: Chart, source: str) -> bytes:
    """The chart as PNG with a palette, `chart.size` pixels large.

    Args:
        chart: What to show.
        source: The line of small print below it.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context():
        _apply(chart)
        width, height = chart.size
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.set_title(chart.title, fontsize=15, pad=12)
        _DRAWERS[chart.kind](axes, chart)
        _small_print(figure, source)
        canvas.draw()  # type: ignore[no-untyped-call]
        return _png(bytes(canvas.buffer_rgba()), chart.size)  # type: ignore[no-untyped-call]


def label(figure: Decimal) -> str:
    """A figure as it is printed: with separators, and its own decimals."""
    return f"{figure:,f}"


def _png(pixels: bytes, size: tuple[int, int]) -> bytes:
    import PIL.Image

    picture = PIL.Image.frombytes("RGBA", size, pixels).convert("RGB")
    dither = PIL.Image.Dither.NONE
    reduced = picture.quantize(COLORS, method=PIL.Image.Quantize.MEDIANCUT, dither=dither)
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _apply(chart: Chart) -> None:
    """matplotlib's defaults, the Japanese font and the look: nothing of the user's own settings."""
    import matplotlib
    from matplotlib import font_manager
    from matplotlib_fontja import get_font_ttf_path

    path = get_font_ttf_path()
    if all(entry.fname != path for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(path)
    look = chart.design
    matplotlib.rcdefaults()
    settings: Any = {
        "font.family": font_manager.FontProperties(fname=path).get_name(),
        "font.size": 11,
        "axes.unicode_minus": False,
        "axes.axisbelow": True,
        "axes.spines.top": look.spines,
        "axes.spines.right": look.spines,
        "axes.facecolor": look.panel,
        "axes.grid": look.grid is not None,
        "grid.color": look.grid or look.panel,
        "figure.facecolor": look.background,
        "axes.edgecolor": look.text,
        "axes.labelcolor": look.text,
        "xtick.color": look.text,
        "ytick.color": look.text,
        "text.color": look.text,
        "legend.facecolor": look.background,
        "legend.edgecolor": look.text,
        "legend.framealpha": 0.9,
    }
    matplotlib.rcParams.update(settings)


def _small_print(figure: Figure, source: str) -> None:
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0.01, 0.05, 0.98, 0.93))  # type: ignore[call-arg]
    figure.text(0.985, 0.012, source, ha="right", va="bottom", fontsize=9, alpha=0.85)


def _tick_names(chart: Chart, axis: str) -> list[str]:
    """Row labels without the 年 or 月 that the axis already says."""
    rows = list(chart.table.rows)
    return [row.removesuffix(axis) for row in rows] if len(axis) == 1 else rows


def _columns(chart: Chart) -> list[tuple[str, str, list[float]]]:
    """Name, color and figures of each series."""
    colors = [code for _, code in chart.design.colors]
    table = chart.table
    return [
        (name, colors[at % len(colors)], [float(figure) for figure in table.line(name).values()])
        for at, name in enumerate(table.columns)
    ]


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def _bars(axes: Axes, chart: Chart) -> None:
    columns = _columns(chart)
    width = 0.65 if len(columns) == 1 else 0.8 / len(columns)
    positions = range(len(chart.table.rows))
    for at, (name, color, figures) in enumerate(columns):
        shift = (at - (len(columns) - 1) / 2) * width
        places = [position + shift for position in positions]
        if chart.kind == "barh":
            drawn = axes.barh(places, figures, width, color=color, label=name)
        else:
            drawn = axes.bar(places, figures, width, color=color, label=name)
        if chart.printed:
            texts = [label(figure) for figure in chart.table.line(name).values()]
            axes.bar_label(drawn, texts, padding=3, fontsize=10)
    if chart.kind == "barh":
        axes.set_yticks(list(positions), _tick_names(chart, chart.y))
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.grid(visible=False, axis="y")
        _thousands(axes.xaxis)
    else:
        axes.set_xticks(list(positions), _tick_names(chart, chart.x))
        axes.margins(y=0.12)
        axes.grid(visible=False, axis="x")
        _thousands(axes.yaxis)
    _finish(axes, chart, "x" if chart.kind == "barh" else "y")


def _lines(axes: Axes, chart: Chart) -> None:
    positions = list(range(len(chart.table.rows)))
    for (name, color, figures), marker in zip(_columns(chart), "os^D", strict=False):
        axes.plot(positions, figures, color=color, marker=marker, linewidth=2, label=name)
        if chart.printed:
            _print_points(axes, list(chart.table.line(name).values()))
    axes.set_xticks(positions, _tick_names(chart, chart.x))
    axes.margins(y=0.12)
    _thousands(axes.yaxis)
    _finish(axes, chart, "y")


def _print_points(axes: Axes, figures: list[Decimal]) -> None:
    """Prints the figures of a line where the line itself does not pass."""
    for position, figure in enumerate(figures):
        falls = position > 0 and figures[position - 1] > figure
        rises = position < len(figures) - 1 and figures[position + 1] > figure
        if falls and rises:
            side, offset = "center", (0, -17)
        elif rises and position > 0:
            side, offset = "right", (4, 8)
        elif falls and position < len(figures) - 1:
            side, offset = "left", (-2, 8)
        else:
            side, offset = "center", (0, 8)
        place = (position, float(figure))
        axes.annotate(label(figure), place, offset, textcoords="offset points", ha=side)
    axes.margins(x=0.08)


def _pie(axes: Axes, chart: Chart) -> None:
    (name,) = chart.table.columns
    line = chart.table.line(name)
    unit = chart.unit_of(name)
    colors = [code for _, code in chart.design.colors]
    extra = ["#8c8c8c", "#b39ddb"]
    axes.pie(
        [float(figure) for figure in line.values()],
        labels=[f"{row}\n{label(figure)}{unit}" for row, figure in line.items()],
        colors=(colors + extra)[: len(line)],
        startangle=90,
        counterclock=False,
        labeldistance=1.12,
        wedgeprops={"linewidth": 1.5, "edgecolor": chart.design.background},
    )


def _scatter(axes: Axes, chart: Chart) -> None:
    across, up = chart.table.columns
    color = chart.design.colors[0][1]
    xs, ys = (chart.table.line(name) for name in (across, up))
    axes.scatter(
        [float(x) for x in xs.values()], [float(y) for y in ys.values()], s=60, color=color
    )
    for row in chart.table.rows:
        right, above = chart.offsets.get(row, (8, 4))
        side = "left" if right > 0 else "right" if right < 0 else "center"
        place = (float(xs[row]), float(ys[row]))
        axes.annotate(row, place, (right, above), textcoords="offset points", ha=side)
    axes.margins(0.14)
    _thousands(axes.xaxis)
    _thousands(axes.yaxis)
    _finish(axes, chart, "y")


def _table(axes: Axes, chart: Chart) -> None:
    from matplotlib.transforms import Bbox

    axes.axis("off")
    table, look = chart.table, chart.design
    heads = [
        f"{name}（{chart.units[name]}）" if name in chart.units else name for name in table.columns
    ]
    body = [
        [row, *map(label, figures)] for row, figures in zip(table.rows, table.cells, strict=True)
    ]
    height = min(1.0, ROW_HEIGHT * (len(body) + 1))
    box = Bbox.from_bounds(0, (1 - height) / 2, 1, height)
    drawn = axes.table([[chart.x, *heads], *body], cellLoc="right", bbox=box)
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(12)
    accent = look.colors[0][1]
    for (row, column), cell in drawn.get_celld().items():
        cell.set_edgecolor(look.grid or "#cccccc")
        cell.set_facecolor(accent if row == 0 else look.panel)
        text = cell.get_text()
        text.set_color(look.background if row == 0 else look.text)
        if row == 0 or column == 0:
            text.set_horizontalalignment("center")


def _finish(axes: Axes, chart: Chart, figures: str) -> None:
    """Axis labels, the given span, and a legend where there are several series."""
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    if chart.span is not None:
        (axes.set_xlim if figures == "x" else axes.set_ylim)(chart.span)
    if chart.kind != "scatter" and len(chart.table.columns) > 1:
        axes.legend(loc=chart.legend)


_DRAWERS: Mapping[str, Callable[[Axes, Chart], None]] = {
    "bar": _bars,
    "barh": _bars,
    "line": _lines,
    "pie": _pie,
    "scatter": _scatter,
    "table": _table,
}
