"""Sandboxed jinja2 templates over the columns of a row: strict about names, blind to methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import (
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from vlmbench.budget import OverBudget, within_budget
from vlmbench.errors import ConfigError, DataError, near_names
from vlmbench.tasks.filters import FILTERS
from vlmbench.tasks.template_shape import MAX_CHARACTERS, Shape, quick_shape


class MissingColumn(UndefinedError):
    """Its message is the name of the column."""


RENDER_ERRORS = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    OverBudget,
)
"""What a template or condition raises that does something impossible or forbidden."""


_MAX_WRITTEN = 4_000_000
"""Characters of a rendered template; no model takes a prompt that long."""


class _RowEnvironment(ImmutableSandboxedEnvironment):
    """Reads `row.items` as the column "items", never as a method of the mapping."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping):
            if argument in obj:
                return obj[argument]
            return self.undefined(hint=str(argument), obj=obj, name=argument, exc=MissingColumn)
        return super().getitem(obj, argument)


@pass_context
def _interleave(context: Context, text: object) -> str:
    """Let the prompt that is being rendered put its images where `text` marks them."""
    place_marks = context.get("place_marks")
    if place_marks is None:
        raise ValueError("'interleave' works in a prompt only")
    return str(place_marks(str(text)))


def _join(value: Any, separator: object = "", attribute: object = None) -> str:
    """jinja2's, whose text is measured before it is made."""
    if attribute is not None:
        raise ValueError("'join' takes no attribute; write the texts into a list")
    texts = [str(one) for one in value]
    _measure(sum(map(len, texts)) + len(str(separator)) * len(texts))
    return str(separator).join(texts)


def _replace(value: object, old: str, new: str, count: int | None = None) -> str:
    """jinja2's, whose text is measured before it is made."""
    text = str(value)
    _measure(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new, -1 if count is None else count)


def _measure(length: int) -> None:
    if length > _MAX_WRITTEN:
        raise OverBudget(f"it writes {length:,} characters, more than {_MAX_WRITTEN:,}")


def row_environment() -> ImmutableSandboxedEnvironment:
    """A new sandbox for templates and conditions over rows."""
    environment = _RowEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        finalize=lambda value: "" if value is None else value,  # null is empty, not the word None
    )
    environment.filters.update(FILTERS, interleave=_interleave, join=_join, replace=_replace)
    return environment


@lru_cache(maxsize=256)
def _compile(source: str) -> Template:
    return row_environment().from_string(source)


@lru_cache(maxsize=256)
def _shape(source: str) -> Shape | None:
    """Its shape, if it is one that is compiled and rendered in this process."""
    return quick_shape(row_environment(), source)


def _compiles(source: str) -> None:
    _compile(source)  # its value, which holds code, stays in the process


def validate_template(source: str) -> str:
    """`source` itself; raises ValueError with the place where its syntax is wrong."""
    if len(source) > MAX_CHARACTERS:
        raise ValueError(
            f"it has {len(source):,} characters; shorten the template to {MAX_CHARACTERS:,} or less"
        )
    try:
        if _shape(source):
            _compile(source)
        else:  # the compiler computes what is constant, such as 'x' * 10 ** 9
            within_budget(_compiles, source)
    except TemplateSyntaxError as error:
        raise ValueError(f"{error.message} (line {error.lineno} of the template)") from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise ValueError("the template is nested too deeply") from error
    except RENDER_ERRORS as error:
        raise ValueError(str(error)) from error
    return source


def _render(source: str, names: Mapping[str, Any]) -> str:
    pieces, length = [], 0
    for piece in _compile(source).generate(names):
        pieces.append(piece)
        length += len(piece)
        _measure(length)
    return "".join(pieces)


def render(source: str, row: Mapping[str, Any], *, location: str, **names: Any) -> str:
    """Fill a template in.

    Args:
        row: The columns, which the template knows as `row`.
        location: The row, for error messages.
        names: Further values and functions that the template may use; picklable.

    Raises:
        DataError: A column that the template names is missing.
        ConfigError: The template does something that it cannot or must not do.
    """
    known = {"row": row, **names}
    shape = _shape(source)
    try:
        if shape is not None and shape.is_quick(known):
            return _render(source, known)
        return within_budget(_render, source, known)
    except MissingColumn as error:
        raise DataError(missing_column(str(error), row, location)) from error
    except RENDER_ERRORS as error:
        shown = source if len(source) <= 60 else source[:57] + "..."
        columns = sorted(names_in(source) & {*row} - {*names})
        advice = f"write row.{columns[0]}" if columns else "correct it"
        raise ConfigError(
            f"The template {shown!r} fails at {location} ({str(error).rstrip('.')}); {advice} in "
            "the task file."
        ) from error


def missing_column(name: str, columns: Collection[str], location: str) -> str:
    """The sentence for a column that is not there."""
    near = near_names(name, columns)
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"the columns there are {(', '.join(sorted(columns)) or 'none')[:200]}."
    )
    return f"There is no column '{name}' in {location}; {hint}"


def names_in(source: str) -> set[str]:
    """The names that a template uses and does not set itself."""
    # Not by jinja2.meta, which compiles the template and so computes what is constant in it.
    names = list(row_environment().parse(source).find_all(nodes.Name))
    stored = {one.name for one in names if one.ctx != "load"}
    return {one.name for one in names} - stored


@dataclass(frozen=True, slots=True)
class RenderedColumn:
    """A column, or a part of one, that a template writes out for every row."""

    path: tuple[str | int, ...]
    as_text: bool
    """Whether it is written unconverted, so that it has to be a text or a number."""

    @property
    def name(self) -> str:
        """As the template names it."""
        return ".".join(["row", *map(str, self.path)])

    def of(self, row: Mapping[str, Any]) -> Any:
        """A row's value there; None where there is none."""
        value: Any = row
        for step in self.path:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return None
        return value


@lru_cache(maxsize=256)
def columns_in_template(source: str) -> tuple[RenderedColumn, ...]:
    """The columns that a template writes out unconditionally: none under an `if`."""
    columns: dict[RenderedColumn, None] = {}
    for output in row_environment().parse(source).body:
        for part in output.nodes if isinstance(output, nodes.Output) else ():
            filters: set[str] = set()
            expression: nodes.Node | None = part
            while isinstance(expression, nodes.Filter):
                filters.add(expression.name)
                expression = expression.node
            if path := _path(expression):
                columns[RenderedColumn(path, filters <= _TEXT_FILTERS)] = None
    return tuple(columns)


_TEXT_FILTERS = {"interleave", "replace", "letter", "string", "trim", "upper", "lower"}
"""Filters that take a text or a number."""


def _path(expression: nodes.Node | None) -> tuple[str | int, ...]:
    """The steps from `row` on; empty for anything else than a chain of constant ones."""
    steps: list[str | int] = []
    while isinstance(expression, nodes.Getattr | nodes.Getitem):
        if isinstance(expression, nodes.Getattr):
            steps.append(expression.attr)
        elif isinstance(expression.arg, nodes.Const):
            steps.append(expression.arg.value)
        else:
            return ()
        expression = expression.node
    is_row = isinstance(expression, nodes.Name) and expression.name == "row"
    return tuple(reversed(steps)) if is_row else ()
