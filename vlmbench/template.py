"""Sandboxed jinja2 templates over the columns of a row: strict about names, blind to methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from vlmbench.errors import ConfigError, DataError, near_names
from vlmbench.filters import FILTERS


class _MissingColumn(UndefinedError):
    """Its message is the name of the column."""


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
            return self.undefined(hint=str(argument), obj=obj, name=argument, exc=_MissingColumn)
        return super().getitem(obj, argument)


@pass_context
def _interleave(context: Context, text: object) -> str:
    """Let the prompt that is being rendered put its images where `text` marks them."""
    place_marks = context.get("place_marks")
    if place_marks is None:
        raise ValueError("'interleave' works in a prompt only")
    return str(place_marks(str(text)))


@lru_cache(maxsize=256)
def _compile(source: str) -> Template:
    environment = _RowEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters.update(FILTERS, interleave=_interleave)
    return environment.from_string(source)


def check_template(source: str) -> str:
    """Return `source`, or raise a ValueError that says where its syntax is wrong."""
    try:
        _compile(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"{error.message} (line {error.lineno} of the template)") from error
    except TemplateError as error:
        raise ValueError(str(error)) from error
    return source


def render(source: str, row: Mapping[str, Any], *, where: str, **names: Any) -> str:
    """Fill a template in.

    Args:
        source: The template; `row` holds the columns.
        row: The columns of one row.
        where: The row, for error messages.
        names: Further values and functions that the template may use.

    Raises:
        DataError: A column that the template names is missing.
        ConfigError: The template does something that it cannot or must not do.
    """
    try:
        return _compile(source).render(row=row, **names)
    except _MissingColumn as error:
        raise DataError(missing_column(str(error), row, where)) from error
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        shown = source if len(source) <= 60 else source[:57] + "..."
        raise ConfigError(
            f"The template {shown!r} fails at {where} ({str(error).rstrip('.')}); correct it in "
            "the task file."
        ) from error


def missing_column(name: str, columns: Collection[str], where: str) -> str:
    """The sentence for a column that is not there."""
    near = near_names(name, columns)
    hint = (
        f"did you mean {' or '.join(repr(one) for one in near)}?"
        if near
        else f"the columns there are {(', '.join(sorted(columns)) or 'none')[:200]}."
    )
    return f"There is no column '{name}' in {where}; {hint}"


def names_in(source: str) -> set[str]:
    """The names that a template uses and does not set itself."""
    from jinja2 import meta

    environment = _RowEnvironment()
    environment.filters.update(FILTERS, interleave=_interleave)
    return set(meta.find_undeclared_variables(environment.parse(source)))
