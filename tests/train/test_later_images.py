"""Images behind an answer: against the processor's own tensors of the whole conversation."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from families.common import ASSISTANT, END
from made_colors import COLORS, picture
from made_families import SEEING, checkpoint

from vlmbench.errors import DataError
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Image
from vlmbench.runners.hf.load import Loaded, load
from vlmbench.train.batch import IGNORE, Batch
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.encode import ExampleEncoder
from vlmbench.train.later_images import gaps
from vlmbench.train.losses import token_losses
from vlmbench.train.prepare import end_tokens
from vlmbench.train.questions import question_of

RED, BLUE, GREEN = (Image(picture(COLORS[name], 1)) for name in ("赤", "青", "緑"))
REFUSED = ("paligemma", "blip-2")
"""Their templates write no earlier answers, or take one image."""
TURNS = (
    Turn("user", (RED, "何色ですか。")),
    Turn("assistant", ("赤です",)),
    Turn("user", ("次は", BLUE, GREEN, "何色？")),
    Turn("assistant", ("青と緑",)),
    Turn("user", ("違いは？",)),
    Turn("assistant", ("色が違います",)),
)
LATER = Example("later", TURNS, "made")
SHORT = Example("short", TURNS[:2], "made")
SPACED = (
    "{% for m in messages %}{{ m.role + ':' }}{% if m.role == 'assistant' %} {% endif %}"
    "{% for part in m.content %}{% if part.type == 'image' %}<image>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
"""As Idefics3's: a space before an answer that the prompt does not have."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("later")


def opened(key: str, root: Path, template: str | None = None) -> tuple[Loaded, ExampleEncoder]:
    spec = resolve_model(str(checkpoint(key, root)))
    loaded = load(spec)
    if template is not None:
        loaded.processor.chat_template = loaded.tokenizer.chat_template = template
        object.__setattr__(loaded, "chat_template", template)
    return loaded, ExampleEncoder(loaded, spec.options, end_tokens(loaded))


def pixels(image: Image) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(image.data)).convert("RGB")


def plain(loaded: Loaded, example: Example) -> dict[str, Any]:
    """The whole conversation by transformers alone, the answers opened by hand."""
    messages = [
        {
            "role": turn.role,
            "content": [
                {"type": "text", "text": part}
                if isinstance(part, str)
                else {"type": "image", "image": pixels(part)}
                for part in turn.parts
            ],
        }
        for turn in example.turns
    ]
    inputs = loaded.processor.apply_chat_template(
        messages,
        chat_template=loaded.chat_template,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    assistant, end = loaded.tokenizer.convert_tokens_to_ids([ASSISTANT, END])
    labels, opened = [], False
    for token in inputs["input_ids"][0].tolist():
        labels.append(token if opened else IGNORE)
        opened = (opened or token == assistant) and token != end
    return {**inputs, "labels": torch.tensor([labels])}


def row(batch: Batch, at: int) -> tuple[list[int], list[int]]:
    kept = batch.inputs["attention_mask"][at].bool()
    return batch.inputs["input_ids"][at][kept].tolist(), batch.labels[at][kept].tolist()


@pytest.mark.parametrize("key", [key for key in SEEING if key not in REFUSED])
def test_a_row_has_the_loss_of_the_whole_conversation(key: str, root: Path) -> None:
    loaded, encoder = opened(key, root)
    expected = plain(loaded, LATER)
    batch = encoder.batch([(LATER,)])
    assert batch.labels.tolist() == expected["labels"].tolist()
    for name, value in batch.inputs.items():
        torch.testing.assert_close(value, expected[name], atol=0, rtol=0, msg=name)
    with torch.no_grad():
        loss = loaded.model(**expected).loss
    with torch.no_grad():
        torch.testing.assert_close(token_losses(loaded.model, batch).mean(), loss)


@pytest.mark.parametrize("key", ["qwen2_vl", "idefics3"])
def test_rows_beside_it_stay_as_they_are(key: str, root: Path) -> None:
    loaded, encoder = opened(key, root)
    packed = (SHORT, Example("other", (Turn("user", (RED, "何？")), *TURNS[1:2]), "made"))
    batch = encoder.batch([(LATER,), packed])
    assert batch.segments is not None and len(batch.labels) == 2
    alone = [encoder.batch([(one,)]) for one in (LATER, *packed)]
    assert row(batch, 0) == row(alone[0], 0)
    with torch.no_grad():
        together = token_losses(loaded.model, batch)
        apart = torch.cat([token_losses(loaded.model, one) for one in alone])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)
    assert batch.learned_by_example == tuple(one.learned for one in alone)


def test_the_first_question_is_that_of_a_run(root: Path) -> None:
    _, encoder = opened("qwen2_vl", root)
    asked = encoder.prompts.encode([question_of(LATER, "1")]).inputs["input_ids"][0].tolist()
    assert row(encoder.batch([(LATER,)]), 0)[0][: len(asked)] == asked


def test_an_answer_stands_directly_behind_its_prompt(root: Path) -> None:
    loaded, encoder = opened("idefics3", root, SPACED)
    text = (
        "user:<image>何色ですか。<end>\nassistant:赤です<end>\n"
        "user:次は<image><image>何色？<end>\nassistant:青と緑<end>\n"
        "user:違いは？<end>\nassistant:色が違います<end>"
    )
    images = [[pixels(one) for one in (RED, BLUE, GREEN)]]
    expected = loaded.processor(text=[text], images=images, return_tensors="pt")
    ids, labels = row(encoder.batch([(LATER,)]), 0)
    assert ids == expected["input_ids"][0].tolist()
    assert loaded.tokenizer.decode([one for one in labels if one != IGNORE]) == (
        "赤です<end>青と緑<end>色が違います<end>"
    )


def test_an_earlier_answer_may_be_context(root: Path) -> None:
    _, encoder = opened("internvl", root)
    turns = (TURNS[0], Turn("assistant", ("赤",), learn=False), *TURNS[2:4])
    assert "【" + "青と緑<end>" + "】" in encoder.marked(Example("1", turns, "made"))
    assert encoder.marked(Example("1", turns, "made")).count("【") == 1


@pytest.mark.parametrize("key", REFUSED)
def test_a_family_that_cannot_is_refused(key: str, root: Path) -> None:
    _, encoder = opened(key, root)
    with pytest.raises(DataError, match="Row 'later' of made"):
        encoder.batch([(LATER,)])


FIRST_ONLY = (
    "{% for m in messages %}{{ '<' + m.role + '>' }}{% set first = loop.first %}"
    "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}"
    "{% elif first %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}"
    "<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
FORGETFUL = FIRST_ONLY.replace("elif first", "else").replace(
    "{{ part.text }}", "{{ part.text if m.role == 'user' or loop.length > 1 else '…' }}"
)


@pytest.mark.parametrize(
    ("template", "fragment"),
    [
        (FIRST_ONLY, "Row 'later' of made cannot be learned from .*1 <.image_pad.> tokens"),
        (FORGETFUL, "not found again; split the conversation before each image"),
    ],
)
def test_templates_that_lose_images_or_answers_are_refused(
    template: str, fragment: str, root: Path
) -> None:
    _, encoder = opened("qwen2_vl", root, template)
    with pytest.raises(DataError, match=fragment):
        encoder.batch([(LATER,)])


def test_images_without_a_place_are_found_where_no_processor_counts(root: Path) -> None:
    _, encoder = opened("qwen2_vl", root, FIRST_ONLY)
    with pytest.raises(DataError, match="each of the 3 images of the row a place"):
        gaps(encoder.prompts, encoder._messages(LATER), [], (1, END), "the row")
