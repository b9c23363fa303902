"""python docs/build/pages.py: writes the generated parts of docs/metrics.md, docs/benchmarks.md and
docs/performance.md.

    python docs/build/pages.py                                      the metrics and the tasks
    python docs/build/pages.py --gold ../shared/reference/gold      also the parity report
    python tests/bench/bench_metrics.py | python docs/build/pages.py --speed -
    python tests/bench/bench_long.py | python docs/build/pages.py --long -
    python tests/bench/bench_engine.py | python docs/build/pages.py --engine -
    ... and the same with stream, load, startup, client and install

The pages themselves are written by hand; what stands between `<!-- begin: NAME -->` and
`<!-- end: NAME -->` is not, and parts that are not asked for stay as they are.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_pages import cards_part, groups_part, list_part

from vlmbench.errors import DataError, VlmbenchError
from vlmbench.metrics.base import describe, family_summary, metric_names

if TYPE_CHECKING:
    from parity.checks import ParityRow

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
BENCHMARKS_PAGE = PAGE.with_name("benchmarks.md")
PERFORMANCE_PAGE = PAGE.with_name("performance.md")

SCORING = {"speed": "bench_metrics.py", "long": "bench_long.py"}
RUNNING = {
    "engine": "bench_engine.py",
    "stream": "bench_stream.py",
    "load": "bench_load.py",
    "install": "bench_install.py",
    "startup": "bench_startup.py",
    "client": "bench_client.py",
}
"""What is measured, and by which program of tests/bench/."""


def main() -> int:
    """Rewrites the pages and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python docs/build/pages.py", description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="default: docs/metrics.md")
    parser.add_argument("--gold", type=Path, help="folder with the reference values")
    for name, program in {**SCORING, **RUNNING}.items():
        parser.add_argument(f"--{name}", help=f"what {program} printed; - for standard input")
    options = parser.parse_args()
    today = datetime.now(UTC).date()

    def measured(page: str, names: Iterable[str]) -> str:
        for name in names:
            if source := getattr(options, name):
                page = with_part(page, name, measured_part(_read(source), today))
        return page

    try:
        text = with_part(options.page.read_text(encoding="utf-8"), "metrics", metrics_part())
        if options.gold:
            text = with_parity(text, options.gold, today)
        text = measured(text, SCORING)
        performance = measured(PERFORMANCE_PAGE.read_text(encoding="utf-8"), RUNNING)
    except VlmbenchError as problem:
        print(f"vlmbench: {problem}", file=sys.stderr)
        return problem.exit_code
    options.page.write_text(text, encoding="utf-8")
    PERFORMANCE_PAGE.write_text(performance, encoding="utf-8")
    page = BENCHMARKS_PAGE.read_text(encoding="utf-8")
    BENCHMARKS_PAGE.write_text(with_benchmarks(page), encoding="utf-8")
    return 0


def with_benchmarks(page: str) -> str:
    """The page of the benchmarks with what the task files say now."""
    for name, content in (
        ("groups", groups_part()),
        ("list", list_part()),
        ("cards", cards_part()),
    ):
        page = with_part(page, name, content)
    return page


def with_part(page: str, name: str, content: str) -> str:
    """The page with one part replaced.

    Raises:
        DataError: The page has no such part.
    """
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise DataError(
            f"The page has no part '{name}'; write '{begin.strip()}' and '{end.strip()}' into it."
        )
    return f"{before}{begin}\n{content.strip()}\n\n{end}{after}"


def metrics_part() -> str:
    """A table of the metrics of each family."""
    families = itertools.groupby(metric_names(), lambda name: name.partition(".")[0])
    return "\n\n".join("\n".join(_family(family, list(names))) for family, names in families)


def with_parity(page: str, gold: Path, day: date) -> str:
    """The page with the agreement of metrics with other programs measured anew."""
    sys.path.append(str(ROOT / "tests"))  # where the parity check is
    from parity.reasons import reader_table
    from parity.report import markdown, parity_rows

    rows = parity_rows(gold)
    page = with_part(page, "parity", f"{parity_summary(rows, day)}\n\n{markdown(rows)}")
    return with_part(page, "reader", reader_table(rows))


def parity_summary(rows: Sequence[ParityRow], day: date) -> str:
    """The agreement of compat forms and of own forms, in a sentence each."""
    lines = [f"Compared on {day}."]
    kinds = {
        "Compat forms": [row for row in rows if row.metric.startswith("compat_")],
        "Own forms": [row for row in rows if row.metric and not row.metric.startswith("compat_")],
    }
    for kind, members in kinds.items():
        items, agreeing = sum(row.items for row in members), sum(row.agreeing for row in members)
        totals = sum(row.aggregates for row in members)
        settled = sum(row.aggregates_agreeing for row in members)
        lines.append(
            f"{kind}: {agreeing:,} of {items:,} values agree"
            + (f", and {settled:,} of {totals:,} aggregates." if totals else ".")
        )
    return " ".join(lines)


def measured_part(table: str, day: date) -> str:
    """A table of measurements, with when and on what they were made."""
    cores = os.cpu_count()
    where = f"{_processor()}, {cores} cores, Python {platform.python_version()}"
    return f"Measured on {day}: {where}.\n\n{table}"


def _family(family: str, names: list[str]) -> Iterator[str]:
    yield f"### {family}\n\n{family_summary(family)}\n"
    yield "| metric | what it says | range | options | source |"
    yield "|---|---|---|---|---|"
    for name in names:
        about = describe(name)
        bounds = about["range"]
        options = ", ".join(f"`{key}={value}`" for key, value in about["options"].items())
        cells = (
            f"`{name}`",
            _summary(about["definition"]),
            f"{bounds[0]:g} to {bounds[1]:g}" if bounds else "open",
            options or "–",
            about["source"],
        )
        yield (
            "| "
            + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells)
            + " |"
        )


def _summary(definition: str) -> str:
    return definition.split("\n\n")[0]


def _read(source: str) -> str:
    return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
