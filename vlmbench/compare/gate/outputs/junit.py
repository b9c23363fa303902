"""The report as JUnit XML, which CI servers show as tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vlmbench.compare.gate.outputs.rows import change
from vlmbench.compare.gate.report import GateReport, GateRow
from vlmbench.runs.directory import replace_file

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(report: GateReport, file: Path) -> None:
    """Write a test case a gated row: failed where it regressed, an error where it is incomplete.

    An undecided one is failed or skipped, as it fails the gate or not.

    Raises:
        JournalError: The file cannot be written.
    """
    from junitparser import JUnitXml, TestSuite

    suite = TestSuite("vlmbench gate")
    for row in report.rows:
        if row.gated:
            suite.add_testcase(_case(report, row))
    suite.update_statistics()  # type: ignore[no-untyped-call]
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call]
    text: bytes = xml.tostring()  # type: ignore[no-untyped-call]
    replace_file(file, [text])


def _case(report: GateReport, row: GateRow) -> Any:
    from junitparser import Error, Failure, Skipped, TestCase

    case = TestCase(_clean(row.name), classname=_clean(f"vlmbench.gate.{row.kind}"), time=0)
    message = _clean(f"{change(row)}, n = {row.n}: {row.text}")
    kinds = {"regressed": Failure, "incomplete": Error}
    if row.verdict == "undecided":
        kinds["undecided"] = Skipped if report.exit_code == 0 or row.kind == "share" else Failure
    if row.verdict in kinds:
        case.result = [kinds[row.verdict](message, row.verdict)]
    else:
        case.system_out = message
    return case


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("�", text)
