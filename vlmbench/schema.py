"""YAML and JSON Lines files into plain values and typed objects; a mistake is one sentence."""

from __future__ import annotations

import itertools
import json
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vlmbench.errors import ConfigError, DataError, UsageError, near_names
from vlmbench.plain_yaml import MAX_CHARACTERS, YamlProblem, load_yaml


class Strict(BaseModel):
    """Base of everything read from YAML: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)

MAX_LINE_MIB = 64
"""Of a line of JSON Lines, which is read as a whole."""


def read_yaml(path: Path) -> Any:
    """What a YAML file says, as plain values.

    Raises:
        ConfigError: The file cannot be read or is not YAML.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no file; check the path.")
    try:
        with path.open(encoding="utf-8") as handle:
            return load_yaml(handle.read(MAX_CHARACTERS + 1))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    except YamlProblem as error:
        line = f" at line {error.line}" if error.line else ""
        raise ConfigError(f"{path} is not valid YAML{line} ({error}); correct it.") from error


def read_jsonl(path: Path, *, advice: str = "correct it") -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file, each with its line number from 1; errors as `parse_jsonl`.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with path.open("rb") as handle:
            yield from parse_jsonl(short_lines(handle, str(path)), str(path), advice=advice)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from error


def short_lines(handle: IO[bytes], name: str) -> Iterator[bytes]:
    """The lines of a file, none of which fills the memory.

    Raises:
        DataError: One is longer than `MAX_LINE_MIB`.
    """
    number = 0
    while line := handle.readline(MAX_LINE_MIB * 2**20 + 1):
        number += 1
        if len(line) > MAX_LINE_MIB * 2**20:
            raise DataError(
                f"Line {number} of {name} is longer than {MAX_LINE_MIB} MiB; make it shorter, or "
                "store the rows as Parquet."
            )
        yield line


def parse_jsonl(
    lines: Iterable[bytes], name: str, *, advice: str = "correct it"
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of lines in UTF-8, each with its line number from 1; skips blank lines.

    Args:
        name: The file, for error messages.
        advice: Their end: what to do about a wrong line.

    Raises:
        DataError: A line is not UTF-8, not JSON or no object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig"))  # some editors sign the start of a file
        except json.JSONDecodeError as error:
            problem = f"is not JSON ({error.msg} at character {error.pos + 1})"
        except UnicodeDecodeError:
            problem = "is not JSON (not UTF-8)"
        except (ValueError, RecursionError):
            problem = "is not JSON (too deep or too long)"
        else:
            if isinstance(value, dict):
                yield number, value
                continue
            problem = f"is {json_kind(value)} and no JSON object"
        raise DataError(f"Line {number} of {name} {problem}; {advice}.")


def json_kind(value: Any) -> str:
    """What kind of JSON value it is, with its article, for error messages."""
    names = {type(None): "null", bool: "a truth value", str: "a text", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a number")


def read_pair(text: str, option: str, *, example: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value in YAML.

    Args:
        option: The command line's option that it was given with, for the error message.
        example: A pair as it should be, for the same.

    Raises:
        UsageError: It is no pair, or the value is not YAML.
    """
    key, separator, value = text.partition("=")
    if not separator:
        raise UsageError(
            f"'{option} {text}' is not of the form key=value; write {option} {example}."
        )
    try:
        return key.strip(), load_yaml(value)
    except YamlProblem as error:
        raise UsageError(
            f"The value in '{option} {text}' is not YAML; put it in quotes."
        ) from error


def parse(model: type[Model], data: Any, *, location: str) -> Model:
    """Validate plain values against a schema.

    Args:
        data: Values as YAML or JSON gives them.
        location: The file, for the error message.

    Raises:
        ConfigError: Keys are unknown (near ones are suggested) or missing, or values are wrong.
    """
    if key := _not_finite(data):
        raise ConfigError(f"The value of '{key}' in {location} is wrong: it is no finite number.")
    try:
        text = json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{location} holds a value that is neither text, number, list nor mapping "
            f"({error}); put dates and the like in quotes."
        ) from error
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(_sentence(model, error, data, location)) from error


def _not_finite(value: Any) -> str:
    """The path of the first infinity or NaN in plain values, such as "metrics.0.weight"."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "."
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for key, inner in pairs:
        if found := _not_finite(inner):
            return f"{key}.{found}".rstrip(".")
    return ""


@dataclass(frozen=True)
class _Problem:
    """One thing that is wrong with a value."""

    kind: str
    """pydantic's name of it."""
    path: tuple[int | str, ...]
    """Keys and places in lists."""
    tried: tuple[int | str, ...]
    """The same, with the names of the forms that were tried on the way."""
    message: str

    @property
    def root(self) -> tuple[int | str, ...]:
        """The path up to a value that may have several forms; else the whole path."""
        same = itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(self.path, self.tried, strict=False)
        )
        return tuple(part for part, _ in same)


def _sentence(model: type[BaseModel], error: ValidationError, data: Any, location: str) -> str:
    """All that is wrong: one sentence, or a line for each."""
    problems = _problems(error, data)
    # A misspelled key is both unknown and missing; the first says more.
    meant = {near for one in problems for near in _near(model, one)[:1]}
    kept = [
        _problem_sentence(model, one, location)
        for one in problems
        if not (one.kind == "missing" and one.path[-1] in meant)
    ]
    if len(kept) == 1:
        return kept[0]
    return f"{len(kept)} things to correct in {location}:\n  " + "\n  ".join(kept)


def _problems(error: ValidationError, data: Any) -> list[_Problem]:
    """What pydantic found, once for each value.

    Where a value may have several forms, pydantic says what is wrong with each of them: an unknown
    key in one of them says most, else the first.
    """
    errors = [
        _Problem(one["type"], _real_path(one["type"], one["loc"], data), one["loc"], one["msg"])
        for one in error.errors()
    ]
    found: dict[tuple[int | str, ...], _Problem] = {}
    for one in errors:
        if one.kind == "too_short" and any(_is_inside(other, one) for other in errors):
            continue  # the list is counted without its wrong elements
        known = found.setdefault(one.root, one)
        if known.kind != "extra_forbidden" and one.kind == "extra_forbidden":
            found[one.root] = one
    return list(found.values())


def _is_inside(problem: _Problem, other: _Problem) -> bool:
    length = len(other.path)
    return len(problem.path) > length and problem.path[:length] == other.path


def _real_path(kind: str, place: Sequence[int | str], data: Any) -> tuple[int | str, ...]:
    """A place without the names of forms, which are no keys of the data."""
    path: list[int | str] = []
    for number, part in enumerate(place):
        # The last one is no key where it is missing, nor as it stands here where it is no text.
        is_key = number == len(place) - 1 and kind in ("missing", "extra_forbidden")
        if isinstance(data, Mapping) and (part in data or is_key):
            path.append(part)
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            path.append(part)
            data = data[part] if part < len(data) else None
    return tuple(path)


def _near(model: type[BaseModel], problem: _Problem) -> list[str]:
    """Keys that an unknown one may be a misspelling of."""
    if problem.kind != "extra_forbidden":
        return []
    return near_names(str(problem.path[-1]), _known_keys(model, [*problem.tried[:-1]]))


def _problem_sentence(model: type[BaseModel], problem: _Problem, location: str) -> str:
    key = ".".join(map(str, problem.path))
    if problem.kind == "extra_forbidden":
        near = _near(model, problem)
        known = sorted(_known_keys(model, [*problem.tried[:-1]]))
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"the keys here are {', '.join(known)}."
        )
        return f"Unknown key '{key}' in {location}; {hint}"
    if problem.kind == "missing":
        return f"The key '{key}' is missing in {location}; add it."
    message = problem.message.removeprefix("Value error, ").rstrip(".")
    subject = f"The value of '{key}' in {location}" if key else location
    return f"{subject} is wrong: {message[:1].lower()}{message[1:]}."


def _known_keys(model: type[BaseModel], path: list[int | str]) -> list[str]:
    forms: list[type[BaseModel]] = [model]
    for part in path:
        field = forms[0].model_fields.get(str(part))
        if field is not None:
            forms = list(_schemas_in(field.annotation)) or forms
        else:  # a place in a list, or the name of the form that was tried
            forms.sort(key=lambda form: form.__name__ != part)
    return list(forms[0].model_fields)


def _schemas_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The schemas inside `tuple[Schema, ...]`, `Schema | Other` and the like."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _schemas_in(argument)
