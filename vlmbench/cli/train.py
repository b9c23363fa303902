"""`vlmbench train run|list`: a checkpoint by a recipe, and the recipes that ship."""

from __future__ import annotations

import argparse

from vlmbench.cli.console import print_list
from vlmbench.cli.parser import Parser
from vlmbench.train.config import load_config
from vlmbench.train.run import RECIPES, find_recipe, train


def configure_train(parser: Parser) -> None:
    """Add `train run` and `list`."""
    parser.moved = "a model is trained by 'vlmbench train run RECIPE'"
    parser.command("list", "list the recipes that ship").runs(train_list_command).share("json")
    run = parser.command("run", "train a model by a recipe")
    run.runs(
        train_run_command,
        "vlmbench train run tiny-ja-tune --out checkpoints/tuned",
        "vlmbench train run recipe.yaml --set steps=500 --resume",
    )
    run.option("RECIPE", "a YAML file, or a name of 'train list'")
    run.option("--out DIR", "directory of the checkpoint; default: checkpoints/<recipe's name>")
    run.option("--resume", "continue an interrupted training in --out")
    run.option("--set KEY=VALUE", "replace a value of the recipe, such as steps=500")
    run.share("quiet")


def train_run_command(options: argparse.Namespace) -> int:
    """Train."""
    checkpoint = train(
        find_recipe(options.recipe),
        out=options.out,
        resume=options.resume,
        overrides=options.set,
        quiet=options.quiet,
    )
    print(f"The checkpoint: {checkpoint}")
    print(f"Next: vlmbench run --model {checkpoint} --tasks ja-vqa")
    return 0


def train_list_command(options: argparse.Namespace) -> int:
    """Name, number of steps and description of each recipe."""
    recipes = [load_config(path) for path in sorted(RECIPES.glob("*.yaml"))]
    values = [
        {"name": one.name, "steps": one.steps, "description": one.description} for one in recipes
    ]
    print_list(values, json=options.json)
    return 0
