"""What a built site holds, read as its pages read it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the tag."""
        self.tags.append((tag, dict(attrs)))


def data(path: Path) -> Any:
    """What a script of data puts."""
    text = path.read_text(encoding="utf-8")
    found = re.fullmatch(r'vlmPut\("(?:[^"\\]|\\.)*",(.*)\);\n', text, re.DOTALL)
    assert found, path
    return json.loads(found[1])


def index(site: Path, task: str) -> Any:
    """The index of a task's samples."""
    return data(site / "samples" / task / "index.js")


def samples(site: Path, task: str) -> dict[str, Any]:
    """The texts of a task's samples, by id."""
    folder = site / "samples" / task
    parts = sorted(folder.glob("text-*.js"), key=lambda one: int(one.stem.split("-")[1]))
    texts = [one for part in parts for one in data(part)]
    return dict(zip(index(site, task)["ids"], texts, strict=True))


def answers(site: Path, task: str, model: str) -> dict[str, Any]:
    """One model's answers by id; None where there is none."""
    about = index(site, task)
    slug = next(one["slug"] for one in about["models"] if one["name"] == model)
    folder = site / "samples" / task
    found: dict[str, Any] = dict.fromkeys(about["ids"])
    for part in folder.glob(f"{slug}.[0-9]*.js"):
        first = int(part.stem.removeprefix(f"{slug}.")) * about["chunk"]
        for place, one in enumerate(data(part), first):
            found[about["ids"][place]] = one
    return found
