"""Hostile task files, templates and data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import yaml

from attack.harness import Attack, Case

RUN = ("run", "--quiet", "--model", "baseline:oracle", "--tasks", "t.yaml", "--out", "runs")
CHECK = ("tasks", "check", "t.yaml")
ROWS = [
    {"id": f"q{number}", "question": "何色？", "answer": "赤", "kind": "a", "weight": 1.0}
    for number in range(4)
]


def task(**changes: Any) -> dict[str, Any]:
    """A task that works on `ROWS`."""
    values: dict[str, Any] = {
        "name": "t",
        "display": {"title": "t", "capability": "vqa", "licence": "CC0-1.0"},
        "data": {"path": "t.jsonl"},
        "fields": {
            "id": "{{ row.id }}",
            "references": ["{{ row.answer }}"],
            "meta": ["kind", "weight"],
        },
        "prompt": "{{ row.question }}",
        "generation": {"max_new_tokens": 8, "temperature": 0},
        "metrics": [{"use": "match.exact", "headline": True}],
    }
    return {**values, **changes}


def write(
    directory: Path, values: Mapping[str, Any], rows: list[dict[str, Any]] | None = None
) -> None:
    """The task file and its rows; `NaN` and infinities as Python's json writes them."""
    text = yaml.safe_dump(dict(values), allow_unicode=True)
    (directory / "t.yaml").write_text(text, encoding="utf-8")
    lines = (json.dumps(row, ensure_ascii=False) for row in (ROWS if rows is None else rows))
    (directory / "t.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _template(
    name: str, source: str, *, key: str = "prompt", quick: bool = False, **columns: str
) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        values = task()
        if key == "id":
            values["fields"] = {**values["fields"], "id": source}
        elif key == "keep":
            values["data"] = {**values["data"], "keep": source}
        else:
            values[key] = source
        write(directory, values, [{**row, **columns} for row in ROWS])
        return Attack(RUN, codes=frozenset({2}))

    shown = source if len(source) < 60 else source[:57] + "..."
    about = f"`{shown}`" + ("" if key == "prompt" else f" as `{key}`")
    about += f", of columns of {len(next(iter(columns.values()))):,} characters" if columns else ""
    return Case("template", name, about, setup, seconds=45, mebibytes=700, quick=quick)


def _yaml(name: str, about: str, text: str, *, quick: bool = True) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        write(directory, task())
        whole = (directory / "t.yaml").read_text(encoding="utf-8")
        (directory / "t.yaml").write_text(whole + text, encoding="utf-8")
        return Attack(CHECK, codes=frozenset({2}))

    return Case("task file", name, about, setup, seconds=30, mebibytes=600, quick=quick)


def _rows(
    name: str,
    about: str,
    text: str,
    *,
    codes: frozenset[int] = frozenset({0, 2}),
    **changes: Any,
) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        write(directory, task(**changes))
        whole = (directory / "t.jsonl").read_text(encoding="utf-8")
        (directory / "t.jsonl").write_text(whole + text + "\n", encoding="utf-8")
        return Attack(RUN, codes=codes)

    return Case("rows", name, about, setup, seconds=30, mebibytes=600)


def _parquet(name: str, about: str, table: Callable[[], pyarrow.Table], **changes: Any) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        write(directory, task(data={"path": "t.parquet"}, **changes))
        pyarrow.parquet.write_table(table(), directory / "t.parquet")
        return Attack(RUN, codes=frozenset({0, 2, 3}))

    return Case("rows", name, about, setup, seconds=60, mebibytes=1200, quick=False)


def _columns(count: int, **columns: list[Any]) -> pyarrow.Table:
    plain = {name: [ROWS[0][name]] * count for name in ROWS[0]}
    return pyarrow.table({**plain, "id": [f"q{n}" for n in range(count)], **columns})


LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
LONG = "a" * 60_000
LAUGHS = "\nlol0: &lol0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"lol{n}: &lol{n} [{', '.join([f'*lol{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
LAUGHS_ROW = LAUGHS + "examples: [{row: {x: *lol8}, prompt: x}]\n"
LAUGHS_SMALL = "\nlol: &lol [" + "x, " * 1000 + "x]\nlols: [" + "*lol, " * 1000 + "*lol]\n"
IMAGES = {
    "id": "{{ row.id }}",
    "references": ["{{ row.answer }}"],
    "meta": ["kind"],
    "images": ["image"],
}
META = {"id": "{{ row.id }}", "references": ["{{ row.answer }}"], "meta": ["long"]}


def _not_utf8() -> pyarrow.Array:
    offsets = pyarrow.array(range(5), pyarrow.int32()).buffers()[1]
    texts = pyarrow.py_buffer(b"\xff" * 4)
    return pyarrow.Array.from_buffers(pyarrow.string(), 4, [None, offsets, texts])


def _long(*ends: str) -> list[str]:
    """Texts of 200 MB; made when they are needed, as a child's memory begins as its parent's."""
    return ["x" * 200 * 2**20 + end for end in ends]


CASES = [
    _template("range_nested", LOOP),
    _template("mult", "{{ 'x' * 10 ** 9 }}", quick=True),
    _template("mult9", "{{ ('x' * 9 ** 9) * 9 ** 9 }}"),
    _template("mult_row", "{{ row.question * 10 ** 9 }}"),
    _template("mod", "{{ '%1000000000d' % 1 }}"),
    _template("fmtwidth", "{{ '{:1000000000}'.format(1) }}"),
    _template("center", "{{ 'x' | center(10 ** 9) }}"),
    _template("indent", "{{ (row.question ~ '\\n' ~ row.question) | indent(10 ** 9) }}"),
    _template("lipsum", "{{ lipsum(n=100000) }}"),
    _template("rec_macro", "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", quick=True),
    _template("deep_expr", "{{ " + "(" * 4000 + "1" + ")" * 4000 + " }}", quick=True),
    _template("deep_sum", "{{ 1" + " + 1" * 4000 + " }}"),
    _template("deep_if", "{% if 1 %}" * 500 + "{% endif %}" * 500),
    _template("method", "{{ row.question.items() }}"),
    _template(
        "loopset",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}"
        "{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    ),
    _template("pow_paren", "{{ 9 ** (9 ** 9) }}"),
    _template("idloop", LOOP, key="id"),
    _template("keep_range", "range(10 ** 9) | list | length > row.id | length", key="keep"),
    _template("deep_call", "{{ " + "f(" * 2000 + "1" + ")" * 2000 + " }}"),
    _template("keep_loop", "row.id == 'x' * 10 ** 9", key="keep", quick=True),
    _template("long", "x" * 30_000, quick=True),
    _template("join_row", "{{ row.a | join(row.b) }}", a=LONG, b=LONG),
    _template("for_row", "{% for c in row.a %}{{ row.b }}{% endfor %}", quick=True, a=LONG, b=LONG),
    _template(
        "for_row_id", "{% for c in row.a %}{{ row.b }}{% endfor %}", key="id", a=LONG, b=LONG
    ),
    _template(
        "sort_row", "{% for c in row.a %}{{ (row.b | sort) | length }}{% endfor %}", a=LONG, b=LONG
    ),
    _template(
        "replace_row",
        "{{ row.a | replace('a', '" + "a" * 40 + "') | replace('a', '" + "b" * 40 + "') }}",
        a="a" * 1_500_000,
    ),
    _yaml("lol_unknown", "billion laughs under unknown keys", LAUGHS),
    _yaml("lol_row", "the same in an example's row", LAUGHS_ROW, quick=False),
    _yaml("lol_small", "a million values by aliases", LAUGHS_SMALL, quick=False),
    _yaml("deep_flow", "a list 100,000 deep", "\nx: " + "[" * 100_000),
    _yaml(
        "deep_flow_row",
        "such a list in an example's row",
        "\nexamples: [{row: {x: " + "[" * 100_000,
        quick=False,
    ),
    _yaml(
        "deep_block",
        "mappings 300 deep",
        "\nx:\n" + "".join("  " * (depth + 1) + "a:\n" for depth in range(300)),
        quick=False,
    ),
    _yaml("big10mb_list", "a list of 10 MB", "\nx:\n" + "- abc\n" * 1_700_000, quick=False),
    _yaml("inf", "infinity as a number", "\npublished: .inf\n", quick=False),
    _yaml("bigint5000", "an integer of 5,000 digits", "\nx: " + "9" * 5000 + "\n"),
    _yaml("timestamp", "a tag that its value is not", "\nx: !!timestamp x\n", quick=False),
    _yaml(
        "python_tag",
        "a tag that would run code",
        "\nx: !!python/object/apply:os.system ['touch got-through']\n",
        quick=False,
    ),
    _yaml("null_key", "a key that is null", "\n~: 1\n", quick=False),
    _yaml("doubled_key", "a key that stands twice", "\nname: u\n", quick=False),
    _rows(
        "slice_nan",
        "NaN in a field that slices",
        json.dumps({**ROWS[0], "id": "n"}).replace('"a"', "NaN"),
        slices=["kind"],
    ),
    _rows(
        "slice_inf",
        "infinity in a field that slices",
        json.dumps({**ROWS[0], "id": "n"}).replace('"a"', "-Infinity"),
        slices=["kind"],
    ),
    _rows(
        "where_nan",
        "NaN in a field of `where`",
        json.dumps({**ROWS[0], "id": "n"}).replace("1.0", "NaN"),
        metrics=[{"use": "match.exact", "headline": True, "where": "meta.weight > 0"}],
    ),
    _rows(
        "surrogate",
        "half a surrogate pair in a field that slices",
        json.dumps({**ROWS[0], "id": "n", "kind": "\ud800"}),
        slices=["kind"],
    ),
    _rows(
        "reference_deep",
        "a reference that is a list's text, 60,000 deep",
        json.dumps({**ROWS[0], "id": "n", "answer": '["a",' + "[" * 60_000 + "]" * 60_001}),
    ),
    _rows(
        "jsonl_deep",
        "a row of lists 100,000 deep",
        '{"id": "n", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        codes=frozenset({2}),
    ),
    _rows(
        "bigint",
        "an integer of 5,000 digits",
        '{"id": "n", "x": ' + "9" * 5000 + "}",
        codes=frozenset({2}),
    ),
    _parquet(
        "unused_200MB_x3",
        "three texts of 200 MB in a column that nobody asks for",
        lambda: _columns(3, long=_long("", "", "")),
    ),
    _parquet(
        "prompt_200MB_x3",
        "three prompts of 200 MB",
        lambda: _columns(3, question=_long("", "y", "z")),
    ),
    _parquet(
        "meta_200MB_x3",
        "three fields of 200 MB",
        lambda: _columns(3, long=_long("", "y", "z")),
        fields=META,
    ),
    _parquet(
        "dictbomb_100MBx64",
        "one text of 100 MB in 64 rows",
        lambda: _columns(64, question=["x" * 100 * 2**20] * 64),
    ),
    _parquet(
        "dictbomb_60MBx64",
        "one text of 60 MB in 64 rows",
        lambda: _columns(64, long=["x" * 60 * 2**20] * 64),
    ),
    _parquet(
        "date_far",
        "dates after the year 9999",
        lambda: _columns(4, long=pyarrow.array([10**15] * 4, pyarrow.timestamp("s"))),
        fields=META,
    ),
    _parquet("bad_utf8", "a text that is not UTF-8", lambda: _columns(4, question=_not_utf8())),
    _parquet(
        "list_texts",
        "eight lists of 400,000 texts each",
        lambda: _columns(8, long=[["x" * 1000] * 400_000] * 8),
        fields=META,
    ),
    _parquet(
        "image_200MB_zero_x3",
        "three images of 200 MB of zeros",
        lambda: _columns(3, image=[bytes(200 * 2**20)] * 3),
        fields=IMAGES,
    ),
]
