"""Conditions of a task file: `where:` over a sample's `meta`, `data.keep` over a `row`.

    meta.answer == 'open'    meta.kind in ['what', 'where']    row.lang | upper == 'JA'

They are expressions of the sandbox that renders templates: comparisons and tests, joined by `and`,
`or` and `not`. Calls, arithmetic and filters with arguments are refused, so that no condition of
an untrusted file takes long.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias

from jinja2 import TemplateError, nodes
from jinja2.environment import TemplateExpression
from jinja2.visitor import NodeTransformer

from vlmbench.errors import ConfigError, DataError, unknown_name
from vlmbench.tasks.template import RENDER_ERRORS, MissingColumn, row_environment

Condition: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""The fields of a sample's `meta`, or the columns of a row -> whether the condition holds."""

_MAX_LENGTH = 1000
"""Characters; jinja2's parser is not safe on deeply nested expressions."""

_NEXT_STEP = {"meta": "list the field under 'fields: meta:' of the task", "row": "correct it"}
_CONDITIONS = (nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Test)
_REFERENCES = (nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter)
_CONSTANTS = (nodes.Const, nodes.Neg, nodes.List, nodes.Tuple)
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}
"""By the names that jinja2's syntax tree has for them."""


def parse_where(text: str) -> Condition:
    """The condition on `meta` that a metric's `where:` says; errors as `compile_condition`."""
    return compile_condition(text, "meta")


@lru_cache(maxsize=256)
def compile_condition(text: str, name: Literal["meta", "row"]) -> Condition:
    """A condition on the mapping that its text calls `name`.

    It raises DataError when the mapping lacks a field that it names, or when it orders a text
    against a number. None differs from every value and is below and above none. Double braces
    around the whole text count for nothing.

    Raises:
        ConfigError: The text is no condition.
    """
    short = text if len(text) <= 80 else text[:79] + "…"
    try:
        expression = _compile(text.strip(), name)
    except (TemplateError, ValueError) as error:
        reason = str(error).replace("end of print statement", "end of the condition")
        raise ConfigError(
            f"The condition '{short}' fails: {reason}; write it like {name}.answer == 'open' or "
            f"{name}.kind in ['what', 'where']."
        ) from error

    def holds(values: Mapping[str, Any]) -> bool:
        try:
            return bool(expression({name: values}))
        except MissingColumn as error:
            known = [f"{name}.{key}" for key in values]
            what = f"field in the condition '{short}':"
            raise DataError(
                unknown_name(what, f"{name}.{error}", known, next_step=_NEXT_STEP[name])
            ) from error
        except RENDER_ERRORS as error:
            reason = str(error).rstrip(".")
            raise DataError(
                f"The condition '{short}' fails ({reason}); correct it or the data."
            ) from error

    return holds


def _compile(text: str, name: str) -> TemplateExpression:
    """The expression; raises TemplateError or ValueError for what is no condition."""
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"it has {len(text)} characters; shorten it to {_MAX_LENGTH} or less")
    environment = row_environment()
    tests: dict[str, Any] = {key: partial(_ordered, one) for key, one in _ORDERINGS.items()}
    tests["none"] = lambda value: None in (value,)  # raises for a missing field
    environment.tests.update(tests)
    try:
        body = environment.parse(text if text.startswith("{{") else f"{{{{ {text} }}}}").body
        expression, *others = [part for node in body for part in node.iter_child_nodes()]
        if problem := "it is more than one expression" if others else _problem(expression, name):
            raise ValueError(problem)
        result = nodes.Assign(nodes.Name("result", "store"), _NoneUnordered().visit(expression))
        tree = nodes.Template([result], lineno=1)
        tree.set_environment(environment)
        return TemplateExpression(environment.from_string(tree), undefined_to_none=False)
    except (RecursionError, SyntaxError, MemoryError) as error:
        raise ValueError("it is nested too deeply") from error


def _problem(expression: nodes.Node, name: str) -> str | None:
    """What of an expression belongs in no condition."""
    if not _is_condition(expression):
        return "a comparison is expected, also on each side of 'and' and 'or'"
    for node in (expression, *expression.find_all(nodes.Expr)):
        if isinstance(node, nodes.Name) and node.name != name:
            return f"'{node.name}' is neither {name}.FIELD nor a quoted text"
        if isinstance(node, nodes.Compare) and len(node.ops) > 1:
            return "it has a chain of comparisons; join two with 'and'"
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            return f"'{node.attr}' is no field"
        allowed = isinstance(node, _CONDITIONS + _REFERENCES + _CONSTANTS)
        if not allowed or getattr(node, "args", None) or getattr(node, "kwargs", None):
            return f"only {name}.FIELD, texts, numbers and lists of them can be compared"
    return None


def _is_condition(node: nodes.Node) -> bool:
    if isinstance(node, nodes.And | nodes.Or | nodes.Not):
        return all(map(_is_condition, node.iter_child_nodes()))
    return isinstance(node, _CONDITIONS)


class _NoneUnordered(NodeTransformer):
    """Turns orderings into tests that are false of None, on which Python's raise TypeError."""

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        (operand,) = node.ops
        if operand.op not in _ORDERINGS:
            return node
        return nodes.Test(node.expr, operand.op, [operand.expr], [], None, None)


def _ordered(compare: Callable[[Any, Any], bool], first: Any, second: Any) -> bool:
    if None in (first, second):
        return False
    if isinstance(first, str) != isinstance(second, str):
        raise TypeError(f"it compares {first!r} with {second!r}, a text with a number")
    return compare(first, second)
