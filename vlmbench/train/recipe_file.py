"""A recipe's YAML -> its stages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue

from vlmbench.errors import ConfigError, UsageError
from vlmbench.schema import Strict, parse, read_pair, read_yaml
from vlmbench.train.foreign_keys import refuse_foreign_keys
from vlmbench.train.parts import PART_NAMES
from vlmbench.train.recipe import Recipe, StagedRecipe

_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def read_recipe(path: Path, overrides: list[str] | None = None) -> Any:
    """The recipe as plain values.

    Args:
        overrides: `key=value` pairs that replace top-level or dotted keys; values are YAML.

    Raises:
        ConfigError: The file is not YAML.
        UsageError: An override is no pair, or its value has no place.
    """
    values = read_yaml(path)
    for override in overrides or []:
        replace_value(values, override)
    return values


def replace_value(data: Any, override: str) -> None:
    """Puts the value of one `key=value` into its place; stages are counted from 0.

    Raises:
        UsageError: It is no pair, goes through a value without keys, or each stage has a value of
            its own there.
    """
    key, value = read_pair(override, "--set", example="max_steps=10")
    *parents, last = key.split(".")
    stages = data.get("stages") if isinstance(data, dict) else None
    own = [at for at, one in enumerate(stages or ()) if isinstance(one, dict) and key in one]
    if own:
        raise UsageError(
            f"'--set {override}' would change nothing where a stage says otherwise; write --set "
            f"stages.{own[0]}.{override} for the first of these."
        )
    place = data
    for parent in parents:
        if isinstance(place, list) and parent.isdecimal() and int(parent) < len(place):
            place = place[int(parent)]
        else:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise UsageError(f"'--set {override}' goes through a value that has no keys; check it.")
    place[last] = value


def parse_recipe(values: Any, path: Path) -> StagedRecipe:
    """The stages that the plain values of a recipe describe.

    Raises:
        ConfigError: A key is unknown or belongs to another trainer, or a value is wrong.
    """
    values = _with_numbers(values)
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} is wrong: a recipe is made of keys and values; see docs/training.md."
        )
    refuse_foreign_keys(values, path)
    top = {key: value for key, value in values.items() if key != "stages"}
    listed = values.get("stages")
    if listed is None:
        recipe = parse(Recipe, top, location=str(path))
        _check_start(recipe, path)
        return StagedRecipe((recipe,), path.parent)
    stages = parse(_Stages, {"stages": listed}, location=str(path)).stages
    recipes = []
    for number, stage in enumerate(stages, 1):
        refuse_foreign_keys(stage, path)
        location = f"stage {number} of {path}"
        recipes.append(parse(Recipe, {**top, **stage, "name": top.get("name")}, location=location))
        if number > 1:
            _check_next(recipes[-2], recipes[-1], location)
    _check_start(recipes[0], path)
    return StagedRecipe(tuple(recipes), path.parent)


def _check_next(earlier: Recipe, stage: Recipe, location: str) -> None:
    """See that a stage can start from the adapter of an earlier one, if that leaves one."""
    if not earlier.adapted_parts:
        return
    if not stage.adapted_parts:
        raise ConfigError(
            f"'method: full' of {location} cannot start from the adapter of the stage before; "
            "train that in full, or make two recipes with 'vlmbench train export' between them."
        )
    before, now = (one.lora.model_dump(exclude={"dropout"}) for one in (earlier, stage))
    for key in before:
        if before[key] != now[key]:
            raise ConfigError(
                f"'lora.{key}' of {location} is not that of the stage before, whose adapter it "
                "goes on with; give the same."
            )


def _check_start(recipe: Recipe, path: Path) -> None:
    if recipe.scratch is not None and (recipe.method, recipe.trained_parts) != ("full", PART_NAMES):
        raise ConfigError(
            f"The model of {path} starts from nothing, so all of it must be trained; write "
            "'method: full' and leave out 'train'."
        )


class _Stages(Strict):
    stages: tuple[dict[str, JsonValue], ...] = Field(min_length=1)


def _with_numbers(value: Any) -> Any:
    """YAML reads 1e-4 as a text, because it has no dot; here it is the number."""
    if isinstance(value, dict):
        return {key: _with_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_numbers(one) for one in value]
    is_number = isinstance(value, str) and _EXPONENT.fullmatch(value)
    return float(value) if is_number else value
