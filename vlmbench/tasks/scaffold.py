"""`vlmbench tasks new`: a first task file out of the columns of some data.

Columns are recognized by their names and by what they hold. What could not be known stands in the
file as a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.errors import DataError, UsageError
from vlmbench.runs.directory import replace_file
from vlmbench.tasks.filters import as_list
from vlmbench.tasks.scaffold_data import ScaffoldData, image_files

IDS = ("id", "question_id", "qid", "sample_id", "qa_id", "番号")
QUESTIONS = ("question", "query", "instruction", "prompt", "text", "質問", "問題", "設問")
ANSWERS = (
    "answer",
    "answers",
    "references",
    "reference",
    "label",
    "target",
    "captions",
    "caption",
    "正解",
    "回答",
    "答え",
    "説明",
)
CHOICES = ("choices", "options", "選択肢")

LETTERS = "ABCDEFGHIJ"

MOST_VALUES = 12
"""Different values that a column by which results are broken down may have."""

NO_LICENCE = "not stated"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are what."""

    id: str | None
    images: tuple[str, ...]
    question: str | None
    answer: str
    choices: tuple[str, ...]
    """A column with a list, or one for each option."""
    meta: tuple[str, ...]


def write_task(name: str, data: ScaffoldData) -> Path:
    """Write a first task file beside its data.

    Raises:
        UsageError: The name cannot be a task's, or the file is there already.
        DataError: No column looks like an answer.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,79}", name):
        raise UsageError(
            f"'{name}' cannot be the name of a task; use small letters, digits, '-', '_' and '.'."
        )
    path = data.folder / f"{name}.yaml"
    if path.exists():
        raise UsageError(f"{path} is there already; choose another name, or take it away.")
    text = task_text(name, data.source, data.rows, read_columns(data.rows))
    replace_file(path, [text.encode()])
    return path


def read_columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Which columns of some rows are what.

    Raises:
        DataError: None looks like an answer.
    """
    values = {name: [row.get(name) for row in rows] for name in rows[0]}
    images = tuple(name for name, some in values.items() if _is_image(some))
    left = {name: some for name, some in values.items() if name not in images}
    answer = _named(left, ANSWERS)
    if answer is None:
        raise DataError(
            f"No column looks like an answer among {', '.join(map(str, values))}; call one "
            "'answer'."
        )
    choices = _choices(left)
    question = _named(left, QUESTIONS)
    identity = _named({k: v for k, v in left.items() if len({*map(str, v)}) == len(rows)}, IDS)
    taken = {answer, question, identity, *choices}
    meta = tuple(name for name, some in left.items() if name not in taken and _is_slice(some))
    return Columns(identity, images, question, answer, choices, meta)


def task_text(
    name: str,
    source: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    columns: Columns,
) -> str:
    """The YAML of a task."""
    if columns.choices:
        capability, metrics = "vqa", ["{use: match.choice, headline: true}"]
        metrics += ["{use: match.choice_read}   # how often a letter was found"]
    elif columns.question is None:
        capability, metrics = "caption", ["{use: caption.cider_d, headline: true}"]
        metrics += ["{use: overlap.rouge_l}"]
    else:
        capability = "vqa"
        metrics = ["{use: match.exact, headline: true, options: {unpack: true}}"]
    lines = [
        f"name: {name}",
        "display:",
        f"  title: {name}",
        f"  capability: {capability}   # caption, vqa, chart, multi-image, document ...",
        "  language: ja",
        f"  licence: {NO_LICENCE}   # of the data",
        "data: {" + ", ".join(f"{key}: {value}" for key, value in source.items()) + "}",
        "fields:",
        f"  id: {_quoted(_id_template(columns))}",
        *([f"  images: [{', '.join(map(_quoted, columns.images))}]"] if columns.images else []),
        f"  references: {_references(rows, columns)}",
        *([f"  choices: {_choices_source(columns)}"] if columns.choices else []),
        *([f"  meta: [{', '.join(map(_quoted, columns.meta))}]"] if columns.meta else []),
        *([f"slices: [{', '.join(map(_quoted, columns.meta))}]"] if columns.meta else []),
        "prompt: |",
        *(f"  {line}" for line in _prompt(columns)),
        f"generation: {{max_new_tokens: {256 if columns.question is None else 64}}}",
        "metrics:",
        *(f"  - {metric}" for metric in metrics),
        "",
    ]
    return "\n".join(lines)


def _is_image(values: Sequence[Any]) -> bool:
    first = next((one for value in values for one in _elements(value) if one is not None), None)
    if isinstance(first, Mapping):
        return {"bytes", "path"} <= first.keys()
    if isinstance(first, bytes):
        return True
    return isinstance(first, str) and bool([*image_files([first])])


def _elements(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _named(values: Mapping[str, Sequence[Any]], known: Iterable[str]) -> str | None:
    """The first column that is called like one of these, else whose name holds one."""
    folded = {name.casefold(): name for name in values}
    for word in known:
        if word in folded:
            return folded[word]
    return next((folded[name] for word in known for name in folded if word in name), None)


def _choices(values: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    found = next((name for name in values if name.casefold() in CHOICES), None)
    if found is not None and len(as_list(values[found][0])) > 1:
        return (found,)
    lettered = [letter for letter in LETTERS if letter in values]
    return tuple(lettered) if lettered[:2] == ["A", "B"] else ()


def _is_slice(values: Sequence[Any]) -> bool:
    different = {value for value in values if isinstance(value, str | int | bool)}
    plain = all(value is None or isinstance(value, str | int | bool) for value in values)
    return plain and 1 < len(different) <= min(MOST_VALUES, len(values) // 2)


def _id_template(columns: Columns) -> str:
    return _row(columns.id) if columns.id is not None else "{{ index }}"


def _row(column: str, filters: str = "") -> str:
    name = f"row.{column}" if column.isidentifier() else f"row['{column}']"
    return f"{{{{ {name}{filters} }}}}"


def _references(rows: Sequence[Mapping[str, Any]], columns: Columns) -> str:
    if not columns.choices:
        return f"{{column: {_quoted(columns.answer)}}}"
    first = rows[0][columns.answer]
    if isinstance(first, int) or str(first).isdigit():
        template = _row(columns.answer, " | letter")
    elif re.fullmatch(r"\(?[A-Ja-j]\)?", str(first).strip()):
        template = _row(columns.answer)
    elif len(columns.choices) == 1:
        options = _row(columns.choices[0], " | as_list")[3:-3]
        answer = _row(columns.answer)[3:-3]
        template = f"{{{{ ({options}).index({answer}) | letter }}}}"
    else:
        options = ", ".join(_row(name)[3:-3] for name in columns.choices)
        template = f"{{{{ [{options}].index({_row(columns.answer)[3:-3]}) | letter }}}}"
    return f"[{_quoted(template)}]"


def _choices_source(columns: Columns) -> str:
    if len(columns.choices) == 1:
        return f"{{column: {_quoted(columns.choices[0])}, parse: list}}"
    return f"[{', '.join(_quoted(_row(name)) for name in columns.choices)}]"


def _prompt(columns: Columns) -> list[str]:
    if columns.question is None:
        return ["この画像を日本語の一文で説明してください。"]
    question = _row(columns.question, " | interleave")
    if columns.choices:
        return [question, "{{ choices | lettered }}", "選択肢の記号だけで答えてください。"]
    return [question, "短く答えてください。"]


def _quoted(text: str) -> str:
    """A text for YAML, in quotation marks where it is no plain word."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.casefold() not in (
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
        "y",
        "n",
    ):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
