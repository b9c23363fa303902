"""Learning rates over the updates, and what AdamW is given, by transformers' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_colors import color_rows, data_recipe, write_rows

from vlmbench.errors import ConfigError
from vlmbench.train.prepare import prepare
from vlmbench.train.recipe import Recipe
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.schedule import rate_schedule

PEAK = 0.01


def recipe_of(folder: Path, **changes: Any) -> Recipe:
    path = data_recipe(folder, "tiny-ja", learning_rate=PEAK, **changes)
    return parse_recipe(read_recipe(path), path).stages[-1]


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),  # two steps of warm-up, then four
    [
        ("linear", {}, [0.5, 1, 1, 0.75, 0.5, 0.25]),
        ("constant", {}, [1, 1, 1, 1, 1, 1]),
        ("constant_with_warmup", {}, [0.5, 1, 1, 1, 1, 1]),
        ("cosine", {}, [0.5, 1, 1, 0.853553, 0.5, 0.146447]),  # (1 + cos(pi * k / 4)) / 2
        # As cosine, squeezed to what is above the least; 0.001 of 0.01 is the same 0.1.
        ("cosine_with_min_lr", {"min_lr_rate": 0.1}, [0.5, 1, 1, 0.868198, 0.55, 0.231802]),
        ("cosine_with_min_lr", {"min_lr": 0.001}, [0.5, 1, 1, 0.868198, 0.55, 0.231802]),
        ("polynomial", {"power": 2, "lr_end": 0}, [0.5, 1, 1, 0.5625, 0.25, 0.0625]),  # (1 - k/4)^2
        ("warmup_stable_decay", {"num_decay_steps": 2}, [0.5, 1, 1, 1, 1, 0.5]),
    ],
)
def test_schedules(
    kind: str, arguments: dict[str, Any], expected: list[float], tmp_path: Path
) -> None:
    recipe = recipe_of(
        tmp_path, lr_scheduler_type=kind, lr_scheduler_kwargs=arguments, warmup_ratio=1 / 3
    )
    rate = rate_schedule(recipe, 6)
    assert [rate(step) for step in range(6)] == pytest.approx(expected, abs=1e-6)


def test_warmup_in_steps(tmp_path: Path) -> None:
    rate = rate_schedule(recipe_of(tmp_path, warmup_steps=4, warmup_ratio=0.5), 6)
    assert [rate(step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 0.5]


@pytest.mark.parametrize(
    ("kind", "arguments", "reason"),
    [
        ("warmup_stable_decay", {}, "num_decay_steps"),
        ("cosine_with_min_lr", {}, "min_lr"),
        ("linear", {"speed": 2}, "speed"),
        ("polynomial", {"lr_end": 1.0}, "lr_end"),
    ],
)
def test_arguments_that_a_schedule_does_not_take(
    kind: str, arguments: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, lr_scheduler_type=kind, lr_scheduler_kwargs=arguments)
    with pytest.raises(ConfigError, match=rf"'lr_scheduler_type: {kind}' does not go .+{reason}"):
        rate_schedule(recipe, 6)


def test_the_optimizer_gets_what_the_recipe_says(seedling: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", color_rows(8))
    chosen = {"adam_beta1": 0.8, "adam_beta2": 0.95, "adam_epsilon": 1e-6}
    path = data_recipe(tmp_path, seedling, **chosen)
    ready = prepare(parse_recipe(read_recipe(path), path).stages[-1], tmp_path)
    for group in ready.loop.updates.param_groups:
        assert (group["betas"], group["eps"]) == ((0.8, 0.95), 1e-6)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"optim": "muon", "adam_beta2": 0.95}, "'adam_beta2' needs 'optim: adamw'"),
        ({"lr_scheduler_type": "cosin"}, "lr_scheduler_type"),
        ({"adam_beta1": 1.0}, "adam_beta1"),
        ({"bf16": True, "fp16": True}, "give either 'bf16' or 'fp16'"),
        ({"ema": {"decay": 1.0}}, "ema.decay"),
        ({"evaluate": {"every_steps": 1, "keep": 2}}, "'keep' needs 'best'"),
    ],
)
def test_mistakes(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        recipe_of(tmp_path, **changes)
