from __future__ import annotations

import json
import re
from importlib import resources

from vlmbench.report.card import japanese_definitions
from vlmbench.tasks.registry import load_task, task_names

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
    japanese = {
        key for key, (_, text) in STRINGS.items() if not re.search("[ぁ-んァ-ヶ一-龥]", text)
    }
    # The button names the language that it leads to; the others are marks between numbers.
    assert japanese == {"language_button", "of_models"}
    english = {key for key, (text, _) in STRINGS.items() if re.search("[ぁ-んァ-ヶ一-龥]", text)}
    assert english == {"language_button"}


def test_metrics_of_shipped_tasks_are_defined_in_japanese() -> None:
    uses = {use.use for name in task_names() for use in load_task(name).metrics}
    assert len(uses) > 40 and set(japanese_definitions()) == uses
    assert all(re.search("[ぁ-んァ-ヶ]", one) for one in japanese_definitions().values())


def test_strings_are_those_that_the_pages_use() -> None:
    text = sources()
    # Some are named by what they say of a value: error_timeout, order_low ...
    kinds = {one for one in re.findall(r'[`"](\w+_)(?:\$\{|" ~|\{)', text) if len(one) > 4}
    unused = {key for key in STRINGS if f'"{key}"' not in text}
    assert {key for key in unused if not key.startswith(tuple(kinds))} == set()
    used = re.findall(r'\bt\("(\w+)"\)|\blabel: "(\w+)"|\btext\("(\w+)"\)', text)
    assert len(used) > 40
    assert {"".join(match) for match in used} - set(STRINGS) == set()
