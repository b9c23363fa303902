"""`where:` conditions of a task file, such as `meta.answer == 'open'`.

    condition   meta.FIELD or meta['FIELD'] compared with values; `and`, `or`, `not`, parentheses
    comparison  == != < <= > >= in, not in
    value       'text', 12, 3.5, True, False, None, or a list of those after `in`

The text is parsed with Python's own grammar and every node is checked against this short list;
nothing is ever evaluated by Python, so a condition from an untrusted file cannot do anything else.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from vlmbench.errors import ConfigError, DataError, unknown_name
from vlmbench.records import Scalar

Condition: TypeAlias = Callable[[Mapping[str, Scalar]], bool]
"""A parsed condition: the fields of `meta` in, whether the sample is meant out."""

_Operand: TypeAlias = Callable[[Mapping[str, Scalar]], Any]

MAX_LENGTH = 1000
"""Longer conditions are refused; Python's parser is not safe on deeply nested ones."""

_EQUALITIES: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ORDERINGS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MEMBERSHIPS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.In: lambda item, values: item in values,
    ast.NotIn: lambda item, values: item not in values,
}


class _Unsupported(Exception):
    """A construct outside the grammar, with the node that shows where."""

    def __init__(self, node: ast.AST, reason: str) -> None:
        self.offset: int = getattr(node, "col_offset", 0)
        """In UTF-8 bytes from the start, as `ast` counts."""
        self.reason = reason


def parse_where(text: str) -> Condition:
    """Reads a condition.

    Args:
        text: The condition as a task file gives it.

    Returns:
        A function from a sample's `meta` to a truth value. It raises DataError when the sample
        lacks a field that the condition names, or when a text is ordered against a number.
        A field that is there but None differs from every value and is below and above none.

    Raises:
        ConfigError: The text does not follow the grammar; the message names the column.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(
            f"The condition 'where: {_short(text)}' has {len(text)} characters; "
            f"shorten it to {MAX_LENGTH} or less."
        )
    text = text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's hints on odd escapes are not ours to show
            tree = ast.parse(text, mode="eval")
        return _condition(tree.body)
    except _Unsupported as error:
        column = len(text.encode()[: error.offset].decode()) + 1
        reason = error.reason
    except SyntaxError as error:
        column, reason = error.offset or 1, "this cannot be read"
    except (ValueError, RecursionError, MemoryError):
        column, reason = 1, "this cannot be read"
    raise ConfigError(
        f"The condition 'where: {_short(text)}' fails at column {column}: {reason}; "
        "write it like meta.answer == 'open' or meta.kind in ['what', 'where']."
    )


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _condition(node: ast.expr) -> Condition:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            parts = [_condition(value) for value in values]
            return lambda meta: all(part(meta) for part in parts)
        case ast.BoolOp(op=ast.Or(), values=values):
            parts = [_condition(value) for value in values]
            return lambda meta: any(part(meta) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _condition(operand)
            return lambda meta: not inner(meta)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _comparison(left, op, right)
        case ast.Compare():
            raise _Unsupported(node, "a chain of comparisons; join two with 'and'")
        case _:
            raise _Unsupported(node, "a comparison is expected here")


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr) -> Condition:
    kind = type(op)
    if kind in _MEMBERSHIPS:
        contains = _MEMBERSHIPS[kind]
        item, values = _operand(left), _values(right)
        return lambda meta: contains(item(meta), values)
    first, second = _operand(left), _operand(right)
    if kind in _EQUALITIES:
        equal = _EQUALITIES[kind]
        return lambda meta: equal(first(meta), second(meta))
    if kind in _ORDERINGS:
        ordered = _ORDERINGS[kind]
        return lambda meta: _order(ordered, first(meta), second(meta))
    raise _Unsupported(left, "'is' is not known here; use == or !=")


def _order(compare: Callable[[Any, Any], bool], first: Scalar, second: Scalar) -> bool:
    if first is None or second is None:
        return False
    if isinstance(first, str) != isinstance(second, str):
        raise DataError(
            f"A 'where:' condition compares {first!r} with {second!r}, a text with a number; "
            "correct the condition or the field's type."
        )
    return compare(first, second)


def _operand(node: ast.expr) -> _Operand:
    match node:
        case ast.Attribute(value=ast.Name(id="meta"), attr=name):
            return lambda meta: _field(meta, name)
        case ast.Subscript(value=ast.Name(id="meta"), slice=ast.Constant(value=str(name))):
            return lambda meta: _field(meta, name)
        case _:
            constant = _constant(node)
            return lambda meta: constant


def _field(meta: Mapping[str, Scalar], name: str) -> Scalar:
    if name not in meta:
        problem = unknown_name(
            "field in a 'where:' condition:",
            f"meta.{name}",
            [f"meta.{known}" for known in meta],
            next_step="list the field under 'fields: meta:' of the task",
        )
        raise DataError(problem)
    return meta[name]


def _values(node: ast.expr) -> tuple[Scalar, ...]:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return tuple(_constant(element) for element in node.elts)
    raise _Unsupported(node, "a list such as ['a', 'b'] is expected after 'in'")


def _constant(node: ast.expr) -> Scalar:
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id=name):
            raise _Unsupported(node, f"'{name}' is neither meta.FIELD nor a quoted text")
        case _:
            raise _Unsupported(node, "only meta.FIELD, texts and numbers may stand here")
