"""Examples as tensors: what is learned, and that the prompt is the one of `vlmbench run`."""

from __future__ import annotations

import pytest
import torch
from made_colors import COLORS, picture

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.load import load_input_pipeline
from vlmbench.train.batch import IGNORE
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.encode import ExampleEncoder, question_of

RED = Image(picture(COLORS["赤"], 1))


def example(*turns: Turn, name: str = "1") -> Example:
    return Example(name, turns, "made")


def groups(*examples: Example) -> list[tuple[Example, ...]]:
    """Each in a row of its own."""
    return [(one,) for one in examples]


def asked(question: str, answer: str, *images: Image) -> list[Turn]:
    return [Turn("user", (*images, question)), Turn("assistant", (answer,))]


@pytest.fixture(scope="module")
def encoder() -> ExampleEncoder:
    spec = resolve_model("tiny-ja")
    pipeline = load_input_pipeline(spec)
    return ExampleEncoder(pipeline, spec.options, [pipeline.tokenizer.eos_token_id])


def learned(encoder: ExampleEncoder, one: Example) -> list[str]:
    """The learned stretches, read back."""
    text = encoder.marked(one)
    return [part.partition("】")[0] for part in text.split("【")[1:]]


def test_rule_1_and_2_image_tokens_and_questions_are_never_learned(encoder: ExampleEncoder) -> None:
    batch = encoder.batch(groups(example(*asked("これは何色ですか。", "赤", RED))))
    opened = batch.inputs["input_ids"][batch.labels != IGNORE].tolist()
    tokenizer = encoder.prompts.tokenizer
    assert tokenizer.decode(opened) == "赤<|im_end|>"
    closed = batch.inputs["input_ids"][batch.labels == IGNORE].tolist()
    assert tokenizer.convert_tokens_to_ids("<|image_pad|>") in closed


def test_rule_3_every_answer_of_a_longer_conversation_is_learned(encoder: ExampleEncoder) -> None:
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


def test_an_answer_that_is_not_to_be_learned_is_context(encoder: ExampleEncoder) -> None:
    first, second = asked("何色？", "赤", RED), asked("何個？", "1個")
    turns = [first[0], Turn("assistant", ("赤",), learn=False), *second]
    assert learned(encoder, example(*turns)) == ["1個<|im_end|>"]


def test_rule_4_the_stop_token_is_learned_where_it_is_the_padding_too(
    encoder: ExampleEncoder,
) -> None:
    short, long = asked("何色？", "赤", RED), asked("何色？", "赤と青と緑と黄", RED)
    batch = encoder.batch(groups(example(*short), example(*long)))
    stop = encoder.prompts.tokenizer.eos_token_id
    assert [int((row == stop).sum()) for row in batch.labels] == [1, 1]


def test_rule_6_a_row_with_nothing_to_learn_is_an_error(encoder: ExampleEncoder) -> None:
    turns = [Turn("user", (RED, "何色？")), Turn("assistant", ("赤",), learn=False)]
    with pytest.raises(DataError, match=r"Row '7' of made has no answer to learn"):
        encoder.batch(groups(example(*turns, name="7")))
    with pytest.raises(DataError, match=r"Row '8' of made.+is empty"):
        encoder.batch(groups(example(*asked("何色？", " ", RED), name="8")))


def test_rule_18_the_prompt_is_the_one_that_is_asked_later(encoder: ExampleEncoder) -> None:
    one = example(*asked("これは何色ですか。", "赤", RED))
    batch = encoder.batch(groups(one))
    prompt = encoder.prompts.encode([question_of(one, "a")]).inputs
    length = prompt["input_ids"].shape[1]
    assert torch.equal(batch.inputs["input_ids"][:, :length], prompt["input_ids"])
    assert torch.equal(batch.inputs["pixel_values"], prompt["pixel_values"])


def test_rule_20_padding_stands_on_the_right(encoder: ExampleEncoder) -> None:
    short, long = asked("何色？", "赤", RED), asked("これは何色ですか。", "赤と青", RED)
    batch = encoder.batch(groups(example(*short), example(*long)))
    mask = batch.inputs["attention_mask"]
    assert mask[:, 0].tolist() == [1, 1]
    assert mask[0, -1] == 0 and mask[1, -1] == 1
    alone = encoder.batch(groups(example(*short)))
    length = alone.labels.shape[1]
    assert torch.equal(batch.inputs["input_ids"][0, :length], alone.inputs["input_ids"][0])
    assert torch.equal(batch.labels[0, :length], alone.labels[0])


def test_a_row_cannot_write_control_tokens(encoder: ExampleEncoder) -> None:
    one = example(*asked("<|image_pad|>何色？", "赤<|im_end|>青", RED))
    batch = encoder.batch(groups(one))
    assert batch.learned == len(batch.labels[0][batch.labels[0] != IGNORE])
    stop = encoder.prompts.tokenizer.eos_token_id
    assert int((batch.labels == stop).sum()) == 1


@pytest.mark.parametrize(
    ("turns", "fragment"),
    [
        ([Turn("assistant", ("赤",))], "must alternate"),
        ([Turn("user", ("a",)), Turn("user", ("b",)), Turn("assistant", ("c",))], "alternate"),
        ([*asked("a", "b", RED), *asked("c", "d", RED)], "shows an image behind an answer"),
        (asked("a", "b", Image(b"no image")), "cannot be learned from"),
    ],
)
def test_rows_that_are_refused(turns: list[Turn], fragment: str, encoder: ExampleEncoder) -> None:
    with pytest.raises(DataError, match=fragment):
        encoder.batch(groups(example(*turns)))


def test_texts_without_images_are_learned_too(encoder: ExampleEncoder) -> None:
    assert learned(encoder, example(*asked("何色？", "赤"))) == ["赤<|im_end|>"]
