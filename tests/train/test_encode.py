"""Examples as tensors: what is learned, and that the prompt is the one of `vlmbench run`."""

from __future__ import annotations

import pytest
from made_colors import COLORS, picture

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.load import load_input_pipeline
from vlmbench.train.batch import IGNORE
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.encode import ExampleEncoder

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


def test_an_answer_that_is_not_to_be_learned_is_context(encoder: ExampleEncoder) -> None:
    first, second = asked("何色？", "赤", RED), asked("何個？", "1個")
    turns = [first[0], Turn("assistant", ("赤",), learn=False), *second]
    assert learned(encoder, example(*turns)) == ["1個<|im_end|>"]


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
        ([*asked("a", "b", RED)[:1], Turn("assistant", ("b", RED))], "an image in an answer"),
        (asked("a", "b", Image(b"no image")), "cannot be learned from"),
    ],
)
def test_rows_that_are_refused(turns: list[Turn], fragment: str, encoder: ExampleEncoder) -> None:
    with pytest.raises(DataError, match=fragment):
        encoder.batch(groups(example(*turns)))


def test_texts_without_images_are_learned_too(encoder: ExampleEncoder) -> None:
    assert learned(encoder, example(*asked("何色？", "赤"))) == ["赤<|im_end|>"]
