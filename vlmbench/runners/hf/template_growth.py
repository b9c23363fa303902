"""Which chat templates of checkpoints are quick whatever is asked: told by their shape.

Such a template goes through the messages, and through a list inside of them once, no deeper. What
it notes in variables grows by what it was given, never by itself: `ns.text + part.text` adds,
`ns.text + ns.text` doubles. It multiplies nothing, calls no macro and pads no text. Others are
rendered in a process that can be stopped (`vlmbench.budget`), about a millisecond a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import prod
from typing import Any

from jinja2 import Environment, TemplateError, nodes

MAX_CHARACTERS = 50_000
"""jinja2's parser and Python's compiler are not safe on deeply nested ones."""
_MOST_GROWTH = 64
"""Times that variables may double by assignments that are done once."""
_SMALL = 64
"""Of a width, or of numbers in `range`."""

_INPUTS = frozenset({"messages", "bos_token", "eos_token", "add_generation_prompt"})
_NEVER_GIVEN = frozenset({"tools", "documents", "custom_tools"})

_PLAIN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
    *(nodes.Assign, nodes.AssignBlock, nodes.NSRef, nodes.Break, nodes.Continue),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice),
    *(nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Test),
    *(nodes.CondExpr, nodes.Concat, nodes.Add, nodes.Sub),
)
_SELECTING = frozenset(
    {
        *("trim", "list", "reverse", "first", "last", "selectattr", "rejectattr", "select"),
        *("reject", "map", "items", "dictsort", "sort", "unique", "string", "default", "d"),
    }
)
"""Filters whose result is no larger than what they are given, by more than marks around it."""
_FILTERS = _SELECTING | {
    *("length", "count", "int", "float", "upper", "lower", "capitalize", "title", "safe", "join"),
    *("tojson", "abs", "round", "escape", "e"),
}
_METHODS = frozenset(
    {
        *("split", "rsplit", "strip", "lstrip", "rstrip", "startswith", "endswith", "upper"),
        *("lower", "get", "items", "keys", "values", "title", "find", "partition", "rpartition"),
    }
)
_FUNCTIONS = frozenset({"namespace", "raise_exception", "strftime_now"})
_ESCAPING = frozenset({"tojson", "escape", "e", "string", "join", "map"})
"""Filters that may write a character as two, so that doing it again and again doubles the text."""
_DEEPEST = 4
"""Loops inside loops."""
_NEVER_RUNS = -_DEEPEST
"""Of loops that are not over messages: so few that those inside do not count either."""
_COPIES = 1_000
"""Times that a loop may copy a variable."""
_YIELD_NUMBERS = ("length", "count")


@lru_cache(maxsize=64)
def is_bounded(source: str) -> bool:
    """Whether a chat template is quick for every conversation."""
    if len(source) > MAX_CHARACTERS:
        return False
    environment = Environment(extensions=["jinja2.ext.loopcontrols"])
    try:
        tree = environment.parse(source)
        return _Shape(tree).is_bounded()
    except (TemplateError, RecursionError):  # its own error is told where it is rendered
        return False


class _Shape:
    """What a template does with its variables."""

    def __init__(self, tree: nodes.Template) -> None:
        self._tree = tree
        self._bound = list(_bindings(tree))
        names = {name for name, _ in self._bound}
        self._inputs = self._closure(names | _INPUTS, self._is_input)
        self._messages = self._closure(names | {"messages"}, self._is_messages, loops=False)

    def is_bounded(self) -> bool:
        """See `is_bounded` of the module."""
        if not self._visit(self._tree, depth=0, loops=0):
            return False
        growth = [self._references(value) for value in self._values(self._tree)]
        return prod(max(1, one) for one in growth) <= _MOST_GROWTH

    def _closure(self, names: set[str], holds: object, *, loops: bool = True) -> set[str]:
        """The names that hold nothing else whichever of their assignments was the last."""
        bound = [
            (name, value) for name, value in self._bound if loops or not isinstance(value, _Element)
        ]
        elements = set() if loops else {n for n, v in self._bound if isinstance(v, _Element)}
        known = names - elements
        while True:
            lost = {name for name, value in bound if name in known and not holds(value, known)}  # type: ignore[operator]
            if not lost:
                return known
            known -= lost

    def _is_input(self, value: object, known: set[str]) -> bool:
        """Whether a value is a part of what the template was given, or a constant."""
        if isinstance(value, _Element):
            value = value.iterable
        if isinstance(value, nodes.Const | nodes.TemplateData):
            return True
        if isinstance(value, nodes.Name):
            return value.name in known
        if isinstance(value, nodes.Getattr | nodes.Getitem):
            return self._is_input(value.node, known)
        if isinstance(value, nodes.Filter):
            parts = [value.node, *_arguments(value)]
            return value.name in _SELECTING and all(self._is_input(one, known) for one in parts)
        if isinstance(value, nodes.Call):
            if not isinstance(value.node, nodes.Getattr):
                return False
            parts = [value.node.node, *_arguments(value)]
            return all(self._is_input(one, known) for one in parts)
        if isinstance(value, nodes.CondExpr):
            return all(self._is_input(one, known) for one in (value.expr1, value.expr2) if one)
        return isinstance(value, nodes.Compare | nodes.Test | nodes.Not)

    def _is_messages(self, value: object, known: set[str]) -> bool:
        """Whether a value is the messages, or some of them."""
        if isinstance(value, nodes.Name):
            return value.name in known
        if isinstance(value, nodes.Getitem):
            return isinstance(value.arg, nodes.Slice) and self._is_messages(value.node, known)
        if isinstance(value, nodes.Filter):
            some = ("list", "reverse", "selectattr", "rejectattr")
            return value.name in some and self._is_messages(value.node, known)
        return False

    def _visit(self, node: nodes.Node, *, depth: int, loops: int) -> bool:
        """Whether a node and all in it are quick.

        Args:
            depth: Loops around it.
            loops: Those of them that are not over the messages.
        """
        if isinstance(node, nodes.For):
            loops += self._weight(node.iter)
            if node.recursive or loops > 1 or depth >= _DEEPEST:
                return False
            depth += 1
        elif isinstance(node, nodes.Assign | nodes.AssignBlock):
            if depth and self._references(_value(node)) > 1:
                return False
            if isinstance(node, nodes.AssignBlock) and node.filter is not None:
                return False
        return self._is_plain(node) and all(
            self._visit(child, depth=depth, loops=loops) for child in node.iter_child_nodes()
        )

    def _weight(self, iterable: nodes.Node) -> int:
        """How much deeper a loop over it nests: not at all over messages, which are few."""
        if self._is_never_given(iterable):
            return _NEVER_RUNS
        return 0 if self._is_messages(iterable, self._messages) else 1

    def _is_never_given(self, iterable: nodes.Node) -> bool:
        """Whether it is something that no question brings, so that its loop never runs."""
        if not isinstance(iterable, nodes.Name):
            return self._is_tool_calls(iterable)
        return iterable.name in _NEVER_GIVEN and all(
            (isinstance(value, nodes.Const) and value.value is None)
            or (isinstance(value, nodes.Name) and value.name in _NEVER_GIVEN)
            for name, value in self._bound
            if name == iterable.name
        )

    def _is_tool_calls(self, iterable: nodes.Node) -> bool:
        """Whether it is a part of a message that no question has."""
        if isinstance(iterable, nodes.Getattr):
            key, owner = iterable.attr, iterable.node
        elif isinstance(iterable, nodes.Getitem) and isinstance(iterable.arg, nodes.Const):
            key, owner = iterable.arg.value, iterable.node
        else:
            return False
        if key != "tool_calls" or not isinstance(owner, nodes.Name):
            return False
        values = [value for name, value in self._bound if name == owner.name]
        return bool(values) and all(
            isinstance(value, _Element) and self._is_messages(value.iterable, self._messages)
            for value in values
        )

    def _is_plain(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.Filter):
            return node.name in _FILTERS and _has_plain_arguments(node)
        if isinstance(node, nodes.Mod):
            return isinstance(node.right, nodes.Const) and _is_number(node.left)
        if isinstance(node, nodes.Call):
            called = node.node
            if isinstance(called, nodes.Getattr):
                return called.attr in _METHODS
            if not isinstance(called, nodes.Name) or node.dyn_args or node.dyn_kwargs:
                return False
            if called.name == "range":
                return all(_is_number(one) for one in node.args)
            return called.name in _FUNCTIONS
        return isinstance(node, _PLAIN)

    def _values(self, tree: nodes.Node) -> Iterator[list[nodes.Node]]:
        for node in tree.find_all((nodes.Assign, nodes.AssignBlock)):
            yield _value(node)

    def _references(self, value: Iterable[nodes.Node]) -> int:
        """How often variables that may have grown stand in a value; more where it copies them."""
        return sum(map(self._references_in, value))

    def _references_in(self, node: nodes.Node) -> int:
        children: Iterable[nodes.Node] = node.iter_child_nodes()
        if isinstance(node, nodes.Name):
            return int(node.name not in self._inputs and node.ctx == "load")
        if isinstance(node, nodes.Compare | nodes.Test | nodes.Not):
            return 0
        if isinstance(node, nodes.Filter) and node.name in _YIELD_NUMBERS:
            return 0
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
            children = _arguments(node)
        elif isinstance(node, nodes.CondExpr | nodes.If):
            children = [one for one in children if one is not node.test]
        times = _COPIES if isinstance(node, nodes.For) else 1
        if isinstance(node, nodes.List | nodes.Tuple | nodes.Dict) or (
            isinstance(node, nodes.Filter) and node.name in _ESCAPING
        ):
            times = 2
        return times * self._references(children)


class _Element:
    """An entry of a list that a loop goes through."""

    def __init__(self, iterable: nodes.Node) -> None:
        self.iterable = iterable


def _bindings(tree: nodes.Node) -> Iterator[tuple[str, object]]:
    """Every name that the template sets, with what it is set to."""
    for node in tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For)):
        assert isinstance(node, nodes.Assign | nodes.AssignBlock | nodes.For)
        value: object = None
        if isinstance(node, nodes.Assign):
            value = node.node
        elif isinstance(node, nodes.For):
            value = _Element(node.iter)
        for name in [node.target, *node.target.find_all(nodes.Name)]:
            if isinstance(name, nodes.Name):
                yield name.name, value


def _value(node: nodes.Node) -> list[nodes.Node]:
    return [node.node] if isinstance(node, nodes.Assign) else list(getattr(node, "body", []))


def _is_number(node: nodes.Node) -> bool:
    """Whether it is a number no larger than a length or a small constant."""
    if isinstance(node, nodes.Const):
        return isinstance(node.value, int) and abs(node.value) <= _SMALL
    if isinstance(node, nodes.Neg):
        return _is_number(node.node)
    if isinstance(node, nodes.Add | nodes.Sub):
        return _is_number(node.left) and _is_number(node.right)
    if isinstance(node, nodes.Getattr):
        return isinstance(node.node, nodes.Name) and node.node.name == "loop"
    return isinstance(node, nodes.Filter) and node.name in _YIELD_NUMBERS


def _arguments(node: nodes.Filter | nodes.Call) -> list[nodes.Node]:
    return [*node.args, *(one.value for one in node.kwargs)]


def _has_plain_arguments(node: nodes.Filter) -> bool:
    """Whether no argument of a filter pads, or names a filter that does."""
    values = _arguments(node)
    if node.name == "map":
        return not node.args or (
            len(values) == 1 and isinstance(values[0], nodes.Const) and values[0].value in _FILTERS
        )
    if node.name in ("tojson", "round", "join"):
        return all(isinstance(one, nodes.Const) and _is_little(one.value) for one in values)
    return True


def _is_little(value: Any) -> bool:
    return len(value) <= _SMALL if isinstance(value, str) else abs(value or 0) <= _SMALL
