"""`vlmbench train`: checkpoints by a recipe, and the parts that they start from."""

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


def train_init_command(options: argparse.Namespace) -> int:
    """Put an image encoder and a language model together."""
    from vlmbench.train.assemble import init_checkpoint, part_sizes

    assembled = init_checkpoint(
        vision=options.vision,
        language=options.language,
        connector=options.connector,
        out=options.output,
        seed=options.seed,
    )
    for part, size in part_sizes(assembled).items():
        print(f"{part:10} {size:>15,} parameters")
    tokens = assembled.image_tokens or "no"
    print(f"{assembled.connector.family}: an image takes {tokens} tokens of the prompt")
    print(f"The checkpoint: {options.output} (its connector is not trained)")
    print(f"Next: vlmbench run --model {options.output} --tasks ja-vqa --limit 10")
    return 0


def train_fetch_command(options: argparse.Namespace) -> int:
    """Download parts to build a model from."""
    from vlmbench.train.fetch_parts import fetch_parts

    fetched = fetch_parts(options.name, to=options.to)
    for part in fetched.parts:
        print(f"{part.folder}\n  {part.terms}")
    print(
        f"Next: vlmbench train init --vision {fetched.vision} --language {fetched.language} "
        "-o checkpoints/mine"
    )
    return 0
