"""YAML and JSON Lines files into plain values and typed objects; a mistake is one sentence."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vlmbench.errors import ConfigError, DataError, UsageError, near_names
from vlmbench.plain_yaml import MAX_CHARACTERS, YamlProblem, load_yaml


class Strict(BaseModel):
    """Base of everything read from YAML: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> Any:
    """What a YAML file says, as plain values.

    Raises:
        ConfigError: The file cannot be read or is not YAML.
    """
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
            yield from parse_jsonl(handle, str(path), advice=advice)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from error


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
        ConfigError: A key is unknown (near ones are suggested) or missing, or a value is wrong.
    """
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
        raise ConfigError(_sentence(model, error, location)) from error


def _sentence(model: type[BaseModel], error: ValidationError, location: str) -> str:
    # A misspelled key is both unknown and missing; the first says more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    # Where a value may have several forms, pydantic also says which of them it tried.
    forms = {form.__name__ for form in Strict.__subclasses__()}
    tried = [part for part in first["loc"] if not str(part).startswith("function-")]
    path = [part for part in tried if part not in forms]
    key = ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, tried[:-1])
        near = near_names(str(path[-1]), known)
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"the keys here are {', '.join(sorted(known))}."
        )
        return f"Unknown key '{key}' in {location}; {hint}"
    if first["type"] == "missing":
        return f"The key '{key}' is missing in {location}; add it."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
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
