"""Rules 5, 7, 8, 19, 21 and 22: what becomes of the rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageOps
import psutil
import pyarrow.parquet
import pytest
import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment
from made_colors import color_rows, data_recipe, write_rows
from made_rows import RED, message, text, write_jsonl, write_parquet
from made_trainings import alone, prepared, recipe_of

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.load import load_input_pipeline
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.data.formats import read_examples
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.prepare import prepare
from vlmbench.train.questions import question_of
from vlmbench.train.run import train_by_recipe

QWEN25_CONDITION = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' }}"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for content in message.content %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""The chat template of Qwen2.5-VL-7B-Instruct, as far as it decides what an image is."""


def test_rule_05_long_rows_are_left_out_and_counted_and_many_stop(
    seedling: Path, tmp_path: Path
) -> None:
    rows = color_rows(40)
    rows[5]["texts"][0]["assistant"] = "赤" * 400
    write_rows(tmp_path / "rows.parquet", rows)
    path = data_recipe(tmp_path, seedling, max_length=200)
    ready = prepare(recipe_of(path), tmp_path)
    assert len(ready.rows.training) == 39
    assert [name.rpartition("#")[2] for name in ready.rows.too_long] == ["5"]
    for row in rows[:10]:
        row["texts"][0]["assistant"] = "赤" * 400
    write_rows(tmp_path / "rows.parquet", rows)
    with pytest.raises(DataError, match=r"10 of 40 rows are longer than 200 tokens"):
        prepare(recipe_of(path), tmp_path)


def conversation(value: str, *images: str) -> dict[str, Any]:
    turns = [{"from": "human", "value": value}, {"from": "gpt", "value": "赤"}]
    return {"image": list(images), "conversations": turns}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (conversation("<image><image>何色？", "a.png"), "row 3 of rows.jsonl has 1 images and 2"),
        (conversation("何色？", "a.png"), "row 3 of rows.jsonl has 1 images and 0 places"),
        (conversation("<image><|image_pad|>", "a.png"), r"row 3 of rows.jsonl holds '<\|image_pad"),
    ],
)
def test_rule_07_images_and_their_places_are_counted_before_the_first_step(
    row: dict[str, Any], sentence: str, seedling: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(RED)
    write_jsonl(tmp_path / "rows.jsonl", [conversation("<image>何色？", "a.png")] * 3 + [row])
    recipe = data_recipe(tmp_path, seedling, data=[{"path": "rows.jsonl"}])
    with pytest.raises(DataError, match=f"(?i){sentence}"):
        train_by_recipe(recipe, out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out" / "log.jsonl").exists()


def test_rule_08_what_arrow_fills_in_never_reaches_a_template(tmp_path: Path) -> None:
    parts = [{"type": "image", "image": RED}, text("何色？"), text("短く。")]
    rows = [{"messages": [message("user", parts), message("assistant", [text("赤")])]}]
    path = write_parquet(tmp_path / "rows.parquet", rows)
    stored = pyarrow.parquet.read_table(path).to_pylist()[0]["messages"]
    # Arrow gives every part an `image`, so the template takes the texts for images, too.
    raw = ImmutableSandboxedEnvironment().from_string(QWEN25_CONDITION).render(messages=stored[:1])
    assert raw.count("<|image_pad|>") == 3 and "何色？" not in raw

    spec = resolve_model("tiny-ja", options={"chat_template": QWEN25_CONDITION})
    pipeline = load_input_pipeline(spec)
    encoder = ExampleEncoder(pipeline, spec.options, [pipeline.tokenizer.eos_token_id])
    (one,) = read_examples(str(path))
    marked = encoder.marked(one)
    assert marked.count("<|vision_start|>") == 1
    assert marked.endswith("<|vision_end|>何色？短く。<|im_end|><|assistant|>【赤<|im_end|>】")


def test_rule_19_pictures_are_turned_upright_as_in_a_run() -> None:
    picture = PIL.Image.new("RGB", (96, 48), "red")
    picture.paste("blue", (0, 0, 48, 48))
    lying = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to stand upright
    picture.save(lying, "jpeg", exif=exif)
    upright = io.BytesIO()
    PIL.ImageOps.exif_transpose(PIL.Image.open(lying)).save(upright, "png")

    spec = resolve_model("tiny-ja")
    pipeline = load_input_pipeline(spec)
    encoder = ExampleEncoder(pipeline, spec.options, [pipeline.tokenizer.eos_token_id])

    def about(data: bytes) -> Example:
        turns = (Turn("user", (Image(data), "何色？")), Turn("assistant", ("赤",)))
        return Example("1", turns, "made")

    turned = encoder.batch(alone(about(lying.getvalue()))).inputs
    expected = encoder.batch(alone(about(upright.getvalue()))).inputs
    asked = encoder.prompts.encode([question_of(about(lying.getvalue()), "1")]).inputs
    _, rows, columns = turned["image_grid_thw"][0].tolist()
    assert rows > columns
    for one in (expected, asked):
        assert torch.equal(turned["image_grid_thw"], one["image_grid_thw"])
        assert torch.equal(turned["pixel_values"], one["pixel_values"])


def test_rule_21_pictures_stay_encoded(seedling: Path, tmp_path: Path) -> None:
    prepared(tmp_path, seedling)  # what is imported and cached once does not count
    rows = color_rows(84)
    for number, row in enumerate(rows):
        large = io.BytesIO()
        color = (number, 200 - number, 100)
        PIL.Image.new("RGB", (1600, 1600), color).save(large, "png", compress_level=1)
        row["images"][0]["bytes"] = large.getvalue()
    write_rows(tmp_path / "rows.parquet", rows)
    recipe = data_recipe(
        tmp_path, {"checkpoint": str(seedling), "max_pixels": 64 * 64}, max_steps=2
    )
    process = psutil.Process()
    before = process.memory_info().rss
    ready = prepare(recipe_of(recipe), tmp_path)
    for _ in ready.loop.run():
        pass
    grown = (process.memory_info().rss - before) / 2**20
    decoded = 84 * 1600 * 1600 * 3 / 2**20
    assert decoded > 600
    assert grown < 0.6 * decoded  # the last few decoded ones, and what does not grow with them
    kept = [one.images[0].data for one in ready.rows.training]
    assert kept == [row["images"][0]["bytes"] for row in rows]


def test_rule_22_updates_are_of_one_kind(seedling: Path, tmp_path: Path) -> None:
    rows = color_rows(12)
    for row in rows[::3]:
        row["images"] = []
    write_rows(tmp_path / "rows.parquet", rows)
    path = data_recipe(tmp_path, seedling, max_steps=6, per_device_train_batch_size=3)
    ready = prepare(recipe_of(path), tmp_path)
    kinds = []
    for step in range(6):
        groups = ready.loop.feed.update(step)
        seen = {bool(example.images) for group in groups for example in group}
        assert len(seen) == 1
        kinds.append(seen.pop())
    assert set(kinds) == {True, False}
    assert len([report.loss for report in ready.loop.run()]) == 6
