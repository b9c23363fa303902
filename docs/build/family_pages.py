"""python docs/build/family_pages.py: writes the tables of families in docs/models.md.

    python tests/runners/hf/families/observe.py | python docs/build/family_pages.py
    python tests/train/trained_families.py | python docs/build/family_pages.py trained

The rows say what the tests' tiny models of each family did; a test fails where they no longer do.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pages import with_part

from vlmbench.models.families import Pixels, family, known_families
from vlmbench.models.resolve import known_models

PAGE = Path(__file__).parents[2] / "docs" / "models.md"

COLUMNS = (
    "family",
    "`model_type`",
    "aliases",
    "one image",
    "two images",
    "no image",
    "batch = single",
    "pixels",
)


def main() -> int:
    """Rewrites the page from rows on standard input and returns the exit code."""
    text, rows = PAGE.read_text(encoding="utf-8"), json.load(sys.stdin)
    if sys.argv[1:] == ["trained"]:
        text = with_part(text, "trained", trained_part(rows))
    else:
        text = with_part(text, "families", families_part(rows))
    text = with_part(text, "parts", parts_part())
    text = with_part(text, "remote", remote_part())
    PAGE.write_text(text, encoding="utf-8")
    return 0


def families_part(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table of families that transformers loads.

    Args:
        rows: What `observe` of the tests' families/observe.py returns.
    """
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    return "\n".join([*head, *(family_row(row) for row in rows)])


def family_row(row: Mapping[str, Any]) -> str:
    """One line of that table."""
    kind = family(row["family"])
    cells = (
        kind.title,
        f"`{row['family']}`",
        aliases(row["family"]),
        _outcome(row["one"], blind=kind.text_only),
        _two(row),
        _outcome(row["none"]),
        "yes" if row["batch_equals_single"] else "**no**",
        _bounds(kind.pixels),
    )
    return f"| {' | '.join(cells)} |"


def parts_part() -> str:
    """The table of where each family keeps what can be trained."""
    lines = ["| family | vision | connector | language | other |", "|---|---|---|---|---|"]
    for kind in known_families().values():
        if (parts := kind.parts) is None:
            continue
        cells = [_code_list(one) for one in (parts.vision, parts.connector, parts.language)]
        cells[1] += "".join(f", each `{name}`" for name in parts.connector_classes)
        cells.append(_code_list(parts.other))
        lines.append(f"| {kind.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def trained_part(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table of what was trained.

    Args:
        rows: What the tests' trained_families.py prints, each family's methods together.
    """
    lines = ["| family | LoRA | full | not reached by the loss |", "|---|---|---|---|"]
    grouped = itertools.groupby(rows, lambda row: row["family"])
    return "\n".join([*lines, *(trained_row(list(of_family)) for _, of_family in grouped)])


def trained_row(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line of that table, of a family's methods."""
    outcomes = ["yes" if row["succeeded"] else "**no**" for row in rows]
    names = [name for row in rows for name in row["unreached"]]
    # The module of a layer, as `model.vision_tower.encoder.layers.1`, says it for all its weights.
    modules = {re.sub(r"(\.layers\.\d+)\..*|\.(weight|bias)$", r"\1", name) for name in names}
    cells = (family(rows[0]["family"]).title, *outcomes, _code_list(sorted(modules)))
    return f"| {' | '.join(cells)} |"


def remote_part() -> str:
    """The table of families that bring their own Python code."""
    entries = {name: one for name, one in known_models().items() if one.remote_code}
    lines = ["| family | recipe | aliases |", "|---|---|---|"]
    for key in dict.fromkeys(one.family for one in entries.values()):
        kind = family(key)
        recipe = f"`{kind.recipe}`" if kind.recipe else "none"
        lines.append(f"| {kind.title or key} | {recipe} | {aliases(key)} |")
    return "\n".join(lines)


def aliases(key: str) -> str:
    """The names of models.yaml that belong to a family."""
    return _code_list(name for name, entry in known_models().items() if entry.family == key)


def _code_list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def _outcome(outcome: str, *, blind: bool = False) -> str:
    if outcome != "answered":
        return "refused"
    return "asked blind" if blind else "yes"


def _two(row: Mapping[str, Any]) -> str:
    outcome = _outcome(row["two"], blind=row["images_in_place"] is None)
    if outcome != "yes":
        return outcome
    return "in place" if row["images_in_place"] else "images first"


def _bounds(pixels: Pixels) -> str:
    bounds = [name for name in ("min", "max") if getattr(pixels, name) is not None]
    return _code_list(f"--{name}-pixels" for name in bounds)


if __name__ == "__main__":
    sys.exit(main())
