"""Templates that say a column's name where they should show what the column holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from vlmbench.records import Sample
from vlmbench.tasks.spec import TaskSpec, TextColumn

_BRACED = re.compile(r"(?<![{$])\{\s*(?:row\.)?(\w+)\s*\}(?!\})")
"""A name in single braces, as Python's `format` has it."""

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def literal_problems(task: TaskSpec, sample: Sample) -> Iterator[str]:
    """What stands in the task file as a text and is the name of a column, a sentence each."""
    fields = task.fields
    columns = {*sample.row, *fields.images}
    references, choices = (
        () if isinstance(one, TextColumn) else one for one in (fields.references, fields.choices)
    )
    templates = [
        ("id", fields.id),
        *(("references", one) for one in references),
        *(("choices", one) for one in choices),
        *((f"derived.{name}", one) for name, one in fields.derived.items()),
        ("prompt", task.prompt),
        *((f"paraphrases.{name}", one) for name, one in task.paraphrases.items()),
    ]
    for key, template in templates:
        if problem := literal_problem(template, key, columns):
            yield f"{problem}."


def literal_problem(template: str, key: str, columns: Collection[str]) -> str | None:
    """What is wrong with a template that shows no column but names one; None if it does neither.

    Args:
        key: Of the task file, for the sentence, which comes without its full stop.
    """
    expressions = "".join(_EXPRESSION.findall(template))
    if "row" in expressions:
        return None
    text = _EXPRESSION.sub("", template)
    braced = next((one for one in _BRACED.findall(text) if one in columns), None)
    name = braced or text.strip().removeprefix("row.")
    if name not in columns:
        return None
    shown = f"{{{name}}}" if braced else name
    return (
        f"'{key}' of the task says the word '{shown}' in every sample, and '{name}' is a column; "
        f"write {{{{ row.{name} }}}} for what it holds"
    )
