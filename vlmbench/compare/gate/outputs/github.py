"""The report for GitHub Actions: annotations on standard output, and the step's summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vlmbench.compare.gate.outputs.markdown import markdown_report
from vlmbench.compare.gate.outputs.rows import change, headline, labels, shown_rows
from vlmbench.compare.gate.report import GateReport
from vlmbench.errors import JournalError
from vlmbench.text.visible import visible


def annotation_lines(report: GateReport) -> Iterator[str]:
    """A workflow command for each row that is not fine."""
    fails = report.exit_code != 0
    rows = shown_rows(report)
    for row, label in zip(rows, labels(rows), strict=True):
        if row.verdict in ("regressed", "incomplete"):
            level = "error"
        elif row.verdict == "undecided":
            level = "warning" if fails else "notice"
        else:
            continue
        text = f"{label} {change(row)} {row.text}"
        yield f"::{level} title={_property(headline(report))}::{_data(text)}"


def append_summary(report: GateReport, file: Path) -> None:
    """Append the Markdown report to the step's summary.

    Raises:
        JournalError: The file cannot be written.
    """
    try:
        with file.open("a", encoding="utf-8", errors="replace") as handle:
            handle.write(markdown_report(report) + "\n")
    except OSError as error:
        raise JournalError(
            f"The step summary {file} cannot be written ({error.strerror}); check "
            "GITHUB_STEP_SUMMARY."
        ) from error


def _data(text: str) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(text)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
