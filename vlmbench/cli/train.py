"""`vlmbench train run|list`: a checkpoint by a recipe, and the recipes that ship."""

from __future__ import annotations

import argparse

from vlmbench.cli.console import print_list
from vlmbench.train.config import load_config
from vlmbench.train.run import SHIPPED_RECIPES, find_recipe, train_by_recipe


def train_run_command(options: argparse.Namespace) -> int:
    """Train."""
    checkpoint = train_by_recipe(
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
    recipes = [load_config(path) for path in sorted(SHIPPED_RECIPES.glob("*.yaml"))]
    values = [
        {"name": one.name, "steps": one.steps, "description": one.description} for one in recipes
    ]
    print_list(values, json=options.json)
    return 0
