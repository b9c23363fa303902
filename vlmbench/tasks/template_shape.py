"""Which templates are quick whatever the row: told by their shape, before any is rendered.

Such a template writes columns out, chooses with `if`, and goes through a list with `for`, no loop
inside another. It computes nothing but comparisons, sets no names and calls nothing but `image`
and methods such as `split`. Its time grows with the row and no faster; with a loop or a filter that
makes a list, by the square of the row at most, so that it is quick for rows that are not long.
Others are rendered in a process that can be stopped (`vlmbench.budget`), about a millisecond a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, nodes

from vlmbench.tasks.filters import FILTERS

MAX_CHARACTERS = 20_000
"""Of a template; jinja2's parser and Python's compiler are not safe on deeply nested ones."""
_MAX_REPLACED = 40
"""Characters that `replace` may put in for one."""
_MAX_REPLACES = 2

_STATEMENTS = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For)
_EXPRESSIONS = (
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.List,
    nodes.Tuple,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
    nodes.Neg,
    nodes.CondExpr,
    nodes.Keyword,
)
_FILTERS = {
    *FILTERS,
    *("interleave", "join", "trim", "string", "int", "float", "upper", "lower", "capitalize"),
    *("first", "last", "length", "count", "default", "d", "list", "sort", "unique", "reverse"),
}
_LISTING = {"list", "sort", "unique", "reverse", "join", "split"}
"""Filters and methods that make many values of one."""
_SIMPLE = {"trim", "string", "upper", "lower", "capitalize", "first", "last", "length", "count"} | {
    *("default", "d", "letter", "interleave", "int", "float")
}
"""The filters that may stand inside a loop."""
_MOST_STEPS = 300_000
"""Characters of a row times parts of a template that loops or lists; each takes a microsecond."""
_METHODS = {"split", "strip", "lstrip", "rstrip", "startswith", "endswith", "upper", "lower"}
"""Of texts; the row's columns are no methods."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a template is made of."""

    parts: int
    """Where it loops or makes lists; else 0."""
    columns: frozenset[str] | None
    """The row's that it names; None if it takes others too."""

    def is_quick(self, names: Mapping[str, Any]) -> bool:
        """Whether it is rendered fast enough with these values."""
        if not self.parts:
            return True
        row = names.get("row", {})
        columns = row if self.columns is None else self.columns
        values = [value for name, value in names.items() if name != "row"]
        values += [row[one] for one in columns if one in row]
        return self.parts * sum(map(_length, values)) <= _MOST_STEPS


@lru_cache(maxsize=256)
def quick_shape(environment: Environment, source: str) -> Shape | None:
    """The shape of a template that parses; None if it is not quick for every short row."""
    if len(source) > MAX_CHARACTERS:
        return None
    tree = environment.parse(source)
    replaces = sum(1 for one in tree.find_all(nodes.Filter) if one.name == "replace")
    if replaces > _MAX_REPLACES or not _all_bounded(tree, loops=0):
        return None
    return Shape(_parts(tree), _columns(tree))


def _parts(tree: nodes.Template) -> int:
    listing = any(
        (isinstance(one, nodes.Filter) and one.name in _LISTING)
        or (isinstance(one, nodes.Getattr) and one.attr in _LISTING)
        for one in tree.find_all((nodes.Filter, nodes.Getattr))
    )
    if not listing and tree.find(nodes.For) is None:
        return 0
    return sum(1 for _ in tree.find_all(nodes.Node))


def _columns(tree: nodes.Template) -> frozenset[str] | None:
    """What stands behind `row.` or in `row['']`; None where `row` stands alone too."""
    named, count = set(), 0
    steps: Iterator[nodes.Getattr | nodes.Getitem] = tree.find_all((nodes.Getattr, nodes.Getitem))
    for one in steps:
        key = one.attr if isinstance(one, nodes.Getattr) else one.arg
        key = key.value if isinstance(key, nodes.Const) else key
        if isinstance(one.node, nodes.Name) and one.node.name == "row" and isinstance(key, str):
            named.add(key)
            count += 1
    rows = sum(1 for one in tree.find_all(nodes.Name) if one.name == "row")
    return frozenset(named) if rows == count else None


def _length(value: Any) -> int:
    """Characters, bytes and elements in it."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_length, (*value, *value.values())))
    if isinstance(value, list | tuple):
        return sum(map(_length, value))
    return 1


def _all_bounded(node: nodes.Node, loops: int) -> bool:
    if isinstance(node, nodes.For):
        if loops or node.recursive or not _all_bounded(node.iter, loops):
            return False
        return all(_all_bounded(one, 1) for one in node.iter_child_nodes(exclude=("iter",)))
    return _is_allowed(node, loops) and all(
        _all_bounded(child, loops) for child in node.iter_child_nodes()
    )


def _is_allowed(node: nodes.Node, loops: int) -> bool:
    if isinstance(node, nodes.Filter):
        if loops:
            return node.name in _SIMPLE
        return node.name in _FILTERS or (node.name == "replace" and _replaces_little(node))
    if isinstance(node, nodes.Call):
        called = node.node
        if isinstance(called, nodes.Getattr):
            known = called.attr in _METHODS - (_LISTING if loops else set())
            return known and _is_allowed(called, loops)
        return isinstance(called, nodes.Name) and called.name == "image"
    return isinstance(node, _STATEMENTS + _EXPRESSIONS)


def _replaces_little(node: nodes.Filter) -> bool:
    return len(node.args) == 2 and all(
        isinstance(one, nodes.Const) and len(str(one.value)) <= _MAX_REPLACED for one in node.args
    )
