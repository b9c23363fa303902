from __future__ import annotations

import json
import re
from importlib import resources

PACKAGE = resources.files("vlmbench.report")
STRINGS = {
    key: pair
    for name in ("strings.json", "training_strings.json")
    for key, pair in json.loads((PACKAGE / name).read_text(encoding="utf-8")).items()
}


def sources() -> str:
    folders = (PACKAGE, PACKAGE / "templates", PACKAGE / "static")
    files = [item for folder in folders for item in folder.iterdir() if item.is_file()]
    return "".join(
        item.read_text(encoding="utf-8")
        for item in files
        if item.name.endswith((".py", ".j2", ".js"))
    )


def test_every_string_has_both_languages() -> None:
    assert all(len(pair) == 2 and all(pair) for pair in STRINGS.values())
    assert all(re.search("[ぁ-んァ-ヶ一-龥]", "".join(pair)) for pair in STRINGS.values())


def test_strings_are_those_that_the_pages_use() -> None:
    text = sources()
    assert {key for key in STRINGS if f'"{key}"' not in text} == set()
    used = re.findall(r'\bt\("(\w+)"\)|\blabel: "(\w+)"|\btext\("(\w+)"\)', text)
    assert len(used) > 40
    assert {"".join(match) for match in used} - set(STRINGS) == set()
