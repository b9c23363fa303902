"""Which templates are quick whatever the row: told by their shape, before any is rendered.

Such a template writes columns out, chooses with `if`, and goes through a list with `for`, no loop
inside another. It computes nothing but comparisons, sets no names and calls nothing but `image`
and methods such as `split`, so that its time and its text grow with the row and no faster. Others
are rendered in a process that can be stopped (`vlmbench.budget`), about a millisecond a row.
"""

from __future__ import annotations

from functools import lru_cache

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
_METHODS = {"split", "strip", "lstrip", "rstrip", "startswith", "endswith", "upper", "lower"}
"""Of texts; the row's columns are no methods."""


@lru_cache(maxsize=256)
def is_bounded(environment: Environment, source: str) -> bool:
    """Whether a template that parses has a shape that is quick for every row."""
    if len(source) > MAX_CHARACTERS:
        return False
    tree = environment.parse(source)
    replaces = sum(1 for one in tree.find_all(nodes.Filter) if one.name == "replace")
    return replaces <= _MAX_REPLACES and _all_bounded(tree, loops=0)


def _all_bounded(node: nodes.Node, loops: int) -> bool:
    if isinstance(node, nodes.For):
        loops += 1
        if loops > 1 or node.recursive:
            return False
    return _is_allowed(node) and all(
        _all_bounded(child, loops) for child in node.iter_child_nodes()
    )


def _is_allowed(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name in _FILTERS or (node.name == "replace" and _replaces_little(node))
    if isinstance(node, nodes.Call):
        called = node.node
        if isinstance(called, nodes.Getattr):
            return called.attr in _METHODS and _is_allowed(called)
        return isinstance(called, nodes.Name) and called.name == "image"
    return isinstance(node, _STATEMENTS + _EXPRESSIONS)


def _replaces_little(node: nodes.Filter) -> bool:
    return len(node.args) == 2 and all(
        isinstance(one, nodes.Const) and len(str(one.value)) <= _MAX_REPLACED for one in node.args
    )
