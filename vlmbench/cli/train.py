"""`vlmbench train`: checkpoints by a recipe, and the parts that they start from."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path

from vlmbench.cli.console import interval, number, print_list, print_table
from vlmbench.errors import UsageError
from vlmbench.text.visible import visible
from vlmbench.train.distributed import launched
from vlmbench.train.recipe import StagedRecipe
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.run import SHIPPED_RECIPES, find_recipe, train_by_recipe


def train_run_command(options: argparse.Namespace) -> int:
    """Train."""
    if options.dry_run:
        return train_check_command(options)
    page = _Page(quiet=options.quiet)
    path = find_recipe(options.recipe)
    with launched() as processes:
        checkpoint = train_by_recipe(
            path,
            out=options.out,
            resume=options.resume,
            overrides=options.set,
            quiet=options.quiet,
            watch=page.write,
        )
    if options.quiet or not processes.is_main:
        return 0
    _print_changes(checkpoint)
    print(f"The checkpoint: {checkpoint}")
    if page.path is not None:
        print(f"How it went: {page.path}")
    print(f"Next: {_next_command(_recipe(options), checkpoint)}")
    return 0


def _print_changes(folder: Path) -> None:
    """The evaluated tasks beside what they were before the first update of the last stage."""
    from vlmbench.report.training_log import read_stages

    log = read_stages(folder)[-1]
    step = log.step if log.best_step is None else log.best_step
    first, last = ({one["step"]: one for one in log.checks}.get(at, {}) for at in (0, step))
    rows = [
        [
            task,
            now["metric"],
            number(first[f"eval/{task}"]["value"]),
            number(now["value"]),
            number(change["difference"], signed=True),
            interval(change["low"], change["high"], signed=True),
            str(change["n"]),
        ]
        for task in log.start["tasks"]
        if (now := last.get(f"eval/{task}")) and (change := now.get("change"))
    ]
    headings = ["task", "metric", ">step 0", f">step {step}", ">change", ">95 % interval", ">n"]
    print_table(headings, rows, title="What training changed, on the same samples")


def _next_command(recipe: StagedRecipe, checkpoint: Path) -> str:
    """The checkpoint and the model it came from on what the recipe evaluates."""
    first, last = recipe.stages[0], recipe.stages[-1]
    tasks = ",".join(last.evaluate.tasks) if last.evaluate else ""
    parent = first.checkpoint or ""
    models = [str(checkpoint), parent] if parent and "," not in parent else [str(checkpoint)]
    command = ["vlmbench", "run", "--model", ",".join(models), "--tasks", tasks or "ja-vqa"]
    return shlex.join(command)


class _Page:
    """Writes the page of a training, and says once where it stands."""

    def __init__(self, *, quiet: bool) -> None:
        self.path: Path | None = None
        self._quiet = quiet

    def write(self, folder: Path) -> None:
        """Writes it."""
        from vlmbench.report.training import write_training_page

        path = write_training_page(folder)
        if self.path is None and not self._quiet:
            print(f"Watch it: {path}", flush=True)
        self.path = path


def train_list_command(options: argparse.Namespace) -> int:
    """Name, stages, steps and description of each recipe."""
    values = [_listed(path) for path in sorted(SHIPPED_RECIPES.glob("*.yaml"))]
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
        image_size=options.image_size,
        image_tokens=options.image_tokens,
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


def _listed(path: Path) -> dict[str, str | int | None]:
    stages = parse_recipe(read_recipe(path), path).stages
    steps = [stage.max_steps for stage in stages if stage.max_steps is not None]
    return {
        "name": stages[-1].name,
        "stages": len(stages),
        "steps": sum(steps) if len(steps) == len(stages) else None,
        "description": stages[-1].description,
    }


def train_preview_command(options: argparse.Namespace) -> int:
    """Show examples as the model will see them, as text or as a page."""
    from vlmbench.train.preview import preview, preview_page, preview_text

    recipe = _recipe(options)
    examples = preview(recipe.stages[-1], recipe.folder, options.count)
    if options.html is None:
        print(visible(preview_text(examples)))
        return 0
    try:
        options.html.write_text(preview_page(examples), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{options.html} cannot be written ({error.strerror}).") from error
    print(f"The page: {options.html}")
    return 0


def train_check_command(options: argparse.Namespace) -> int:
    """Say what a training will be like, after a few steps of it that are thrown away."""
    from vlmbench.train.preview import check_recipe

    recipe = _recipe(options)
    with launched() as processes:
        checked = check_recipe(recipe.stages[0], recipe.folder)
    if not processes.is_main:
        return 0
    if len(recipe.stages) > 1:
        print(f"Stage 1 of {len(recipe.stages)} ({recipe.stages[0].objective}):")
    print_list([asdict(part) for part in checked.parts], json=False)
    if checked.generated_sources:
        print(f"Generated sources: {checked.generated_sources}, whose pictures have no end")
    print(
        f"Rows: {checked.training_rows} to train on, {checked.validation_rows} for validation, "
        f"{checked.too_long} too long, {checked.dropped_by_guard} left out by the guard"
    )
    print(f"Steps: {checked.steps}, first loss {checked.loss:.3f}")
    print(f"Time: {checked.minutes:.1f} minutes, peak memory so far {checked.peak_gib:.1f} GiB")
    if checked.unreached:
        print(f"Not reached by the loss, so frozen: {', '.join(checked.unreached)}")
    print("A checkpoint was written, loaded and asked: it answers as the model in memory does.")
    return 0


def train_export_command(options: argparse.Namespace) -> int:
    """Merge an adapter."""
    from vlmbench.train.export import merge_adapter

    compared = merge_adapter(options.checkpoint, options.output)
    print(f"The merged model: {options.output} ({compared} answers are the same as before)")
    return 0


def _recipe(options: argparse.Namespace) -> StagedRecipe:
    path = find_recipe(options.recipe)
    return parse_recipe(read_recipe(path, options.set), path)
