"""Files as other harnesses write them, on made rows of public benchmarks with their real columns.

The forms were read in the harnesses' public code (the modules of `vlmbench/imports` name files and
commits). Figures that the harness would have stored are worked out by hand where they are used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from made_public import SCHEMAS, _schema
from made_tasks import picture

SHOPS = ("山田屋", "川村堂", "中村書店", "青木商店")


def write_rows(task: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Rows of a public benchmark for `--data-dir`; pictures of different sizes are added."""
    columns = SCHEMAS[task]
    whole = []
    for number, row in enumerate(rows):
        data = picture(size=(16 + number, 16))
        images = {
            name: {"bytes": data, "path": f"{number}.png"}
            for name, kind in columns.items()
            if kind == "image"
        }
        whole.append({**images, **row})
    folder.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(whole, schema=_schema(columns))
    pyarrow.parquet.write_table(table, folder / f"{task}.parquet")


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """A JSON Lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def cvqa_rows(count: int = 4) -> list[dict[str, Any]]:
    """Questions of CVQA with four options each; the right ones are A, B, C, D."""
    return [
        {
            "Subset": "('Japanese', 'Japan')",
            "Question": f"{number + 1}番目の店の名前は何ですか？",
            "Options": list(SHOPS),
            "Label": number % 4,
        }
        for number in range(count)
    ]


def cvqa_prompt(row: Mapping[str, Any]) -> str:
    """As llm-jp-eval-mm and simple-evals-mm write question and options."""
    options = "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", SHOPS, strict=True))
    question = row["Question"] if "Question" in row else row["question"]
    return f"{question}\n{options}"
