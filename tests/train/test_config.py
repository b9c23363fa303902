"""Recipes: what each mistake is answered with, and what --set does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_recipes import make_recipe

from vlmbench.errors import ConfigError, UsageError
from vlmbench.train.config import load_config
from vlmbench.train.recipe import is_own_data, parse_recipe, read_recipe
from vlmbench.train.run import SHIPPED_RECIPES

SEEDLING = Path("seedling")


def data(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"data": {"stages": list(stages), **changes}}


def stage(share: float = 1, mixture: dict[str, float] | None = None, **more: Any) -> dict[str, Any]:
    return {"share": share, "mixture": mixture or {"single": 1}, **more}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"step": 5}, "Unknown key 'step' in"),
    ({"step": 5}, "did you mean 'steps'"),
    (data(stage(), groups_per_bach=3), "did you mean 'groups_per_batch'"),
    (data(stage(mixtures={"grid": 1})), "Unknown key 'data.stages.0.mixtures'"),
    ({"optimizer": {"learning_rate": 0.1}}, "did you mean 'muon_learning_rate' or"),
    ({"model": {"scratch": {"vocabluary": 9}}}, "did you mean 'vocabulary'"),
    ({"data": {}}, "The key 'data.stages' is missing in"),
    ({"model": {"checkpoint": "a", "scratch": {}}}, "give either 'scratch' or 'checkpoint'"),
    ({"model": {}}, "give either 'scratch' or 'checkpoint'"),
    (data(stage(0.5)), "the shares of the stages must add up to 1"),
    (data(stage(0.5), stage(0.6)), "the shares of the stages must add up to 1"),
    (data(stage(mixture={"grids": 1})), "The value of 'data.stages.0.mixture.grids"),
    (data(stage(mixture={"grid": 0})), "the mixture needs a family whose weight is above 0"),
    (data(stage(mixture={"grid": -1})), "greater than or equal to 0"),
    (data(stage(kinds={"colur": 2})), "Did you mean 'colour'?"),
    (data(stage(kinds={"where": 2})), "unknown kind 'where'. The kinds of this mixture are"),
    (
        data(stage(kinds={"what": 0, "colour": 0})),
        "every kind of the family 'single' has the weight 0",
    ),
    (data(), "The value of 'data.stages'"),
    ({"name": "Tiny JA"}, "The value of 'name' in"),
    ({"name": "../up"}, "The value of 'name' in"),
    ({"steps": 0}, "The value of 'steps' in"),
    ({"steps": "many"}, "The value of 'steps' in"),
    ({"precision": "float16"}, "The value of 'precision' in"),
    ({"threads": 0}, "The value of 'threads' in"),
]


@pytest.mark.parametrize(("changes", "fragment"), MISTAKES)
def test_mistakes(changes: dict[str, Any], fragment: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(make_recipe(tmp_path, SEEDLING, **changes))
    assert fragment in str(caught.value)
    assert "recipe.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "recipe.yaml is wrong"),
        ("- 1", "recipe.yaml is wrong"),
        ("name: [", "not valid YAML"),
        ("name: small", "The key 'model' is missing"),
    ],
)
@pytest.mark.parametrize("overrides", [[], ["steps=1"]])
def test_files_that_are_no_recipe(
    text: str, fragment: str, overrides: list[str], tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises((ConfigError, UsageError)) as caught:
        load_config(tmp_path / "recipe.yaml", overrides)
    assert fragment in str(caught.value) or "has no keys" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("steps=10", "steps", 10),
        (" steps =10", "steps", 10),
        ("description=a = b", "description", "a = b"),
        ("threads=", "threads", None),
        ("optimizer.clip_norm=0.5", "optimizer.clip_norm", 0.5),
        ("model={checkpoint: other}", "model.checkpoint", "other"),
        ("data.questions_per_group=7", "data.questions_per_group", 7),
    ],
)
def test_set(override: str, key: str, value: object, tmp_path: Path) -> None:
    found: Any = load_config(make_recipe(tmp_path, SEEDLING), [override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("override", "fragment"),
    [
        ("steps", "is not of the form key=value; write --set max_steps=10."),
        ("stepz=3", "did you mean 'steps'"),
        ("steps.x=3", "goes through a value that has no keys"),
        ("data.stages.0.share=1", "goes through a value that has no keys"),
        ("name=[", "is not YAML; put it in quotes."),
        ("steps=-1", "The value of 'steps' in"),
        ("optimizer.muon=1", "the keys here are adamw_learning_rate, clip_norm, muon"),
        ("=1", "Unknown key ''"),
    ],
)
def test_set_what_cannot_be_set(override: str, fragment: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, UsageError)) as caught:
        load_config(make_recipe(tmp_path, SEEDLING), [override])
    assert fragment in str(caught.value)


def test_later_settings_win(tmp_path: Path) -> None:
    config = load_config(make_recipe(tmp_path, SEEDLING), ["steps=10", "seed=1", "steps=20"])
    assert (config.steps, config.seed) == (20, 1)


@pytest.mark.parametrize("path", sorted(SHIPPED_RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_right(path: Path) -> None:
    values = read_recipe(path)
    config = parse_recipe(values, path).stages[-1] if is_own_data(values) else load_config(path)
    assert config.name == path.stem
    assert config.description
