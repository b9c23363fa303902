"""Recipes on a user's own rows: what each mistake is answered with, and what stages inherit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from made_colors import data_recipe

from vlmbench.errors import ConfigError, UsageError
from vlmbench.train.foreign_keys import CALLED_HERE
from vlmbench.train.recipe import Recipe
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import SHIPPED_RECIPES

ISSUE = """
name: my-lora
model: tiny-ja
method: lora
lora: {r: 8, alpha: 16, parts: [language]}
data: [{path: rows.parquet, format: auto}]
validation: {fraction: 0.1, by: picture}
learning_rate: 2.0e-4
max_steps: 20
per_device_train_batch_size: 4
evaluate: {every_steps: 10, tasks: {ja-vqa: 32}}
"""


def parsed(folder: Path, overrides: list[str] | None = None, **changes: Any) -> Recipe:
    path = data_recipe(folder, changes.pop("model", "tiny-ja"), **changes)
    return parse_recipe(read_recipe(path, overrides), path).stages[-1]


def test_the_recipe_of_the_issue() -> None:
    (recipe,) = parse_recipe(yaml.safe_load(ISSUE), Path("recipe.yaml")).stages
    assert recipe.trained_parts == ("language",)
    assert recipe.rate("language") == 2e-4
    assert recipe.examples_per_step == 4


def drawn(**changes: Any) -> dict[str, Any]:
    return {"data": [{"synthetic": {"mixture": {"grid": 1}, **changes}}]}


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"name": "Tiny JA"}, "The value of 'name' in"),
        ({"name": "../up"}, "The value of 'name' in"),
        ({"max_steps": "many"}, "The value of 'max_steps' in"),
        ({"max_steps": None}, "give either 'max_steps' or 'num_train_epochs'"),
        ({"num_train_epochs": 2.0}, "give either 'max_steps' or 'num_train_epochs'"),
        ({"learning_rate": {"vision": 1e-5}}, "has no value for the part 'language'"),
        ({"learning_rate": {"eyes": 1e-5}}, "The value of 'learning_rate"),
        ({"lora": {"r": 0}}, "The value of 'lora.r'"),
        ({"lora": {"parts": ["head"]}}, "The value of 'lora.parts.0'"),
        ({"methd": "full"}, "did you mean 'method'"),
        ({"evaluate": {"every_steps": 1, "best": "validation.loss"}}, "needs 'validation'"),
        ({"evaluate": {"every_steps": 1, "best": "ja-vqa"}}, "The value of 'evaluate.best'"),
        ({"evaluate": {"every_steps": 1, "patience": 2}}, "'patience' needs 'best'"),
        ({"validation": {"fraction": 0.1, "rows": 3}}, "give either 'fraction' or 'rows'"),
        ({"data": []}, "The value of 'data'"),
        ({"optim": "muon", "learning_rate": {"language": 1e-3}}, "one learning rate for all"),
        ({"stages": []}, "The value of 'stages'"),
        ({"data": [{"path": "a", "formt": "auto"}]}, "'data.0.formt' in"),
        ({"data": [{"path": "a", "formt": "auto"}]}, "did you mean 'format'"),
        ({"optim_args": {"adamw_learning_rate": 0.1}}, "needs 'optim: muon'"),
        ({"optim_args": {"learning_rate": 0.1}}, "did you mean 'adamw_learning_rate'"),
        (drawn(mixtures={"grid": 1}), "did you mean 'mixture'"),
        (drawn(mixtures={"grid": 1}), "Unknown key 'data.0.synthetic.mixtures'"),
        ({"data": [{"synthetic": {"mixture": {"grid": 1}}, "limit": 3}]}, "'data.0.limit'"),
        ({"data": [{"synthetic": {}}]}, "The key 'data.0.synthetic.mixture' is missing"),
        (drawn(mixture={"grids": 1}), "The value of 'data.0.synthetic.mixture.grids"),
        (drawn(mixture={"grid": 0}), "the mixture needs a family whose weight is above 0"),
        (drawn(mixture={"grid": -1}), "greater than or equal to 0"),
        (drawn(kinds={"colur": 2}), "Did you mean 'colour' or"),
        (drawn(kinds={"what": 2}), "unknown kind 'what'. The kinds of this mixture are"),
        (drawn(mixture={"icon": 1}, kinds={"what": 0}), "kind of the family 'icon' has the weight"),
        ({**drawn(), "validation": {"fraction": 0.1}}, "have no end, needs 'rows'"),
        (
            {"model": {"checkpoint": "a", "scratch": {}}},
            "give one of 'checkpoint', 'scratch' and 'assemble'",
        ),
        ({"model": {"max_pixels": 9}}, "give one of 'checkpoint', 'scratch' and 'assemble'"),
        ({"model": {"scratch": {"vocabluary": 9}}}, "did you mean 'vocabulary'"),
        ({"model": {"scratch": {}}}, "starts from nothing, so all of it must be trained"),
        ({"model": {"scratch": {}}, "method": "full", "train": ["language"]}, "all of it must be"),
    ],
)
def test_mistakes(changes: dict[str, Any], fragment: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(tmp_path, **changes)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", sorted(CALLED_HERE))
def test_keys_of_other_trainers_are_named_as_they_are_here(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"that is called .+ here") as caught:
        parsed(tmp_path, **{key: 1})
    assert CALLED_HERE[key] in str(caught.value)


def test_what_another_key_is_called_is_a_key() -> None:
    for called in CALLED_HERE.values():
        first = called.split()[0].partition(".")[0].rstrip(",:")
        assert first in Recipe.model_fields or first in ("--out", "--resume")


def test_exponents_without_a_dot_are_numbers(tmp_path: Path) -> None:
    path = data_recipe(tmp_path, "tiny-ja")
    path.write_text(path.read_text().replace("0.01", "1e-4"))
    assert parse_recipe(read_recipe(path), path).stages[0].learning_rate == 1e-4


def test_stages_inherit_and_override(tmp_path: Path) -> None:
    path = data_recipe(
        tmp_path,
        "tiny-ja",
        stages=[
            {"method": "full", "train": ["connector"], "learning_rate": 1e-3},
            {"max_steps": 3},
        ],
    )
    first, second = parse_recipe(read_recipe(path), path).stages
    assert (first.trained_parts, first.rate("connector"), first.max_steps) == (
        ("connector",),
        1e-3,
        6,
    )
    assert (second.method, second.rate("language"), second.max_steps) == ("lora", 0.01, 3)


def test_only_the_first_stage_starts_from_nothing(tmp_path: Path) -> None:
    path = data_recipe(
        tmp_path,
        {"scratch": {"vocabulary": 300}},
        method=None,
        stages=[{"method": "full"}, {"method": "lora"}],
    )
    first, second = parse_recipe(read_recipe(path), path).stages
    assert first.scratch is not None
    later = second.starting_from("stages/1")
    assert (later.scratch, later.checkpoint) == (None, "stages/1")


def test_a_recipe_of_both_kinds_of_source(tmp_path: Path) -> None:
    recipe = parsed(tmp_path, data=[{"path": "rows.parquet"}, *drawn()["data"]])
    assert [source.path for source in recipe.row_sources] == ["rows.parquet"]
    assert [source.synthetic.mixture for source in recipe.synthetic_sources] == [{"grid": 1}]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "recipe.yaml is wrong"),
        ("- 1", "recipe.yaml is wrong"),
        ("name: [", "not valid YAML"),
        ("name: small", "The key 'model' is missing"),
    ],
)
@pytest.mark.parametrize("overrides", [[], ["max_steps=1"]])
def test_files_that_are_no_recipe(
    text: str, fragment: str, overrides: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises((ConfigError, UsageError)) as caught:
        parse_recipe(read_recipe(path, overrides), path)
    assert fragment in str(caught.value) or "has no keys" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("max_steps=10", "max_steps", 10),
        (" max_steps =10", "max_steps", 10),
        ("description=a = b", "description", "a = b"),
        ("max_length=", "max_length", None),
        ("model={checkpoint: other}", "model.checkpoint", "other"),
        ("lora.alpha=7", "lora.alpha", 7),
    ],
)
def test_set(override: str, key: str, value: object, tmp_path: Path) -> None:
    found: Any = parsed(tmp_path, [override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("override", "fragment"),
    [
        ("max_steps", "is not of the form key=value; write --set max_steps=10."),
        ("max_stepz=3", "did you mean 'max_steps'"),
        ("max_steps.x=3", "goes through a value that has no keys"),
        ("data.7.weight=1", "goes through a value that has no keys"),
        ("name=[", "is not YAML; put it in quotes."),
        ("max_steps=-1", "The value of 'max_steps' in"),
        ("lora.rang=1", "Unknown key 'lora.rang'"),
        ("=1", "Unknown key ''"),
    ],
)
def test_set_what_cannot_be_set(override: str, fragment: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, UsageError)) as caught:
        parsed(tmp_path, [override])
    assert fragment in str(caught.value)


def test_later_settings_win(tmp_path: Path) -> None:
    recipe = parsed(tmp_path, ["max_steps=10", "seed=1", "max_steps=20"])
    assert (recipe.max_steps, recipe.seed) == (20, 1)


def test_set_reaches_a_stage_by_its_number_and_never_silently_none(tmp_path: Path) -> None:
    path = data_recipe(tmp_path, "tiny-ja", stages=[{"method": "full", "max_steps": 4}, {}])
    settings = ["stages.0.max_steps=2", "seed=8"]
    first, second = parse_recipe(read_recipe(path, settings), path).stages
    assert (first.max_steps, second.max_steps) == (2, 6)
    assert first.seed == second.seed == 8
    with pytest.raises(UsageError, match=r"write --set stages\.0\.max_steps=2 for the first"):
        read_recipe(path, ["max_steps=2"])


@pytest.mark.parametrize("path", sorted(SHIPPED_RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_right(path: Path) -> None:
    for recipe in parse_recipe(read_recipe(path), path).stages:
        assert recipe.name == path.stem
        assert recipe.description
