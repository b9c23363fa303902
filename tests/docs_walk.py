"""Pages whose commands are followed as they stand: files that they show, commands, their output.

<!-- file: NAME -->     the fenced block that follows is written to that file first
<!-- wrote: NAME -->    the fenced block that follows is what a command wrote to that file
<!-- walk -->           the indented block that follows is typed; "..." stands for anything
<!-- not run: WHY -->   the block that follows is not run
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

COMMENT = re.compile(r"<!-- (?P<kind>[a-z ]+?)(?:: (?P<value>.*?))? -->", re.DOTALL)
FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n|^\n(?= {4}))+", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of a page with the comment that stands before it."""

    text: str
    kind: str
    """Of the comment; empty if there is none."""
    value: str

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command of vlmbench with the lines that are shown of its output."""
        found: list[tuple[str, list[str]]] = []
        whole = re.sub(r"\\\n\s*", " ", self.text)
        marked = "$ " in whole
        for line in whole.split("\n"):
            command = line.removeprefix("$ ")
            if command.startswith("vlmbench ") and (line != command or not marked):
                found.append((command, []))
            elif found and line.strip():
                found[-1][1].append(line)
        return found


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, fenced and indented, in their order."""
    text = page.read_text(encoding="utf-8") + "\n"
    spans = [(m.start(), m.end(), m["text"]) for m in FENCED.finditer(text)]
    for match in INDENTED.finditer(text):
        if not any(start <= match.start() < end for start, end, _ in spans):
            plain = re.sub(r"^ {4}", "", match[0], flags=re.MULTILINE)
            spans.append((match.start(), match.end(), plain))
    found = []
    end = 0
    for start, stop, content in sorted(spans):
        comments = list(COMMENT.finditer(text[end:start]))
        last = comments[-1] if comments else None
        kind, value = (last["kind"], last["value"] or "") if last else ("", "")
        found.append(Block(content.strip("\n"), kind, value))
        end = stop
    return found


def words(command: str) -> list[str]:
    """A command line's arguments behind `vlmbench`."""
    return shlex.split(command, comments=True)[1:]


def shape(line: str) -> str:
    """A line without what may differ: spaces between columns and rules under headings."""
    return " ".join(re.sub(r"─+", "", line).split())
