"""Rules 1 to 4 and 6: what the loss falls on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_colors import COLORS, picture
from made_families import checkpoint
from made_trainings import alone

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.load import load_input_pipeline
from vlmbench.train.batch import IGNORE
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.encode import ExampleEncoder

# PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RED = Image(picture(COLORS["赤"], 1))
OPENED_BY_ITSELF = "paligemma"
"""A family whose processor gives labels of its own, those of the prompt among them."""


def example(*turns: Turn, name: str = "1") -> Example:
    return Example(name, turns, "made")


def asked(question: str, answer: str, *images: Image) -> list[Turn]:
    return [Turn("user", (*images, question)), Turn("assistant", (answer,))]


def encoder_of(model: str) -> ExampleEncoder:
    spec = resolve_model(model)
    pipeline = load_input_pipeline(spec)
    return ExampleEncoder(pipeline, spec.options, [pipeline.tokenizer.eos_token_id])


@pytest.fixture(scope="module")
def encoder() -> ExampleEncoder:
    return encoder_of("tiny-ja")


def learned(encoder: ExampleEncoder, one: Example) -> list[str]:
    """The learned stretches, read back."""
    text = encoder.marked(one)
    return [part.partition("】")[0] for part in text.split("【")[1:]]


@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3", "idefics3", "mllama", OPENED_BY_ITSELF])
def test_rule_01_image_tokens_are_not_learned(
    family: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = checkpoint(family, tmp_path_factory.getbasetemp())
    encoder = encoder_of(str(folder))
    batch = encoder.batch(alone(example(*asked("これは何色ですか。", "赤", RED))))
    ids, tokenizer = batch.inputs["input_ids"], encoder.prompts.tokenizer
    opened = ids[batch.labels != IGNORE].tolist()
    assert tokenizer.decode(opened) == "赤<end>"
    assert torch.equal(batch.labels[batch.labels != IGNORE], torch.tensor(opened))
    assert batch.labels.shape[1] - len(opened) > 4  # the image's tokens are there, and closed


def test_rule_02_what_the_user_says_is_not_learned(encoder: ExampleEncoder) -> None:
    turns = [
        Turn("system", ("短く。",)),
        *asked("何色？", "赤", RED),
        *asked("赤以外は？", "なし"),
    ]
    assert learned(encoder, example(*turns)) == ["赤<|im_end|>", "なし<|im_end|>"]
    closed = encoder.marked(example(*turns))
    for text in ("短く。", "何色？", "赤以外は？"):
        before, _, _ = closed.partition(text)
        assert before.count("【") == before.count("】")


def test_rule_03_every_answer_about_an_image_is_learned(encoder: ExampleEncoder) -> None:
    turns = [*asked("何色？", "赤", RED), *asked("何個？", "1個"), *asked("本当？", "はい")]
    assert learned(encoder, example(*turns)) == [
        "赤<|im_end|>",
        "1個<|im_end|>",
        "はい<|im_end|>",
    ]
    # The whole is what the template writes of the conversation.
    text = encoder.marked(example(*turns)).replace("【", "").replace("】", "")
    assert text.endswith(
        "<|assistant|>赤<|im_end|><|user|>何個？<|im_end|><|assistant|>1個<|im_end|>"
        "<|user|>本当？<|im_end|><|assistant|>はい<|im_end|>"
    )


def test_rule_04_the_stop_token_is_learned_where_it_is_the_padding_too() -> None:
    encoder = encoder_of("tiny-ja")
    tokenizer = encoder.prompts.tokenizer
    stop = tokenizer.eos_token_id
    tokenizer._tokenizer.pad_token = tokenizer.eos_token
    assert tokenizer.pad_token_id == stop
    short, long = asked("何色？", "赤", RED), asked("何色？", "赤と青と緑と黄", RED)
    batch = encoder.batch(alone(example(*short), example(*long)))
    assert [int((row == stop).sum()) for row in batch.labels] == [1, 1]
    assert int((batch.inputs["input_ids"][0] == stop).sum()) > 2  # padding, which stays closed


def test_rule_06_a_row_with_nothing_to_learn_is_an_error(encoder: ExampleEncoder) -> None:
    turns = [Turn("user", (RED, "何色？")), Turn("assistant", ("赤",), learn=False)]
    with pytest.raises(DataError, match=r"Row '7' of made has no answer to learn"):
        encoder.batch(alone(example(*turns, name="7")))
    with pytest.raises(DataError, match=r"Row '8' of made.+is empty"):
        encoder.batch(alone(example(*asked("何色？", " ", RED), name="8")))


def test_the_rules_have_a_test_each() -> None:
    files = Path(__file__).parent.glob("test_*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = [line[14:16] for line in text.splitlines() if line.startswith("def test_rule_")]
    assert sorted(named) == [f"{number:02}" for number in range(1, 26)]
