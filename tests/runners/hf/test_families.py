"""Every family on a tiny random model of its real architecture, loaded as any checkpoint is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from families import observe as seen
from families.common import Family, save
from families.observe import (
    BLIND,
    FAMILIES,
    MIXED,
    NONE,
    ONE,
    OTHER,
    SWAPPED,
    TWO,
    ask,
    difference,
    drift,
    load,
    logits,
)
from family_pages import PAGE, family_row
from made_tasks import picture

from vlmbench.errors import UsageError
from vlmbench.models.families import known_families
from vlmbench.records import Image
from vlmbench.runners.hf.runner import HFRunner

# PaliGemma's processor, of transformers, gives tensors to numpy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZES = ((20, 20), (900, 400), (900, 880))
SHOWN = [ask(1, Image(picture("黄色", size=size)), "何色ですか。") for size in SIZES]

REFUSED = {
    "paligemma": {NONE.sample_id: "it takes at least 1 image a prompt, and this one has 0"},
    "blip-2": {
        NONE.sample_id: "it takes exactly 1 image a prompt, and this one has 0",
        TWO.sample_id: "it takes exactly 1 image a prompt, and this one has 2",
    },
}
"""What a family cannot do, by sample; of the table of quirks in the reference notes."""

IMAGES_FIRST = {"paligemma", "blip-2"}
"""Families whose template puts all images before the text."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module", params=FAMILIES, ids=[one.model_type for one in FAMILIES])
def family(request: pytest.FixtureRequest) -> Family:
    chosen: Family = request.param
    return chosen


@pytest.fixture(scope="module")
def folder(family: Family, folders: Path) -> Path:
    return save(family, folders / family.model_type.replace("/", "-"))


@pytest.fixture(scope="module")
def runner(folder: Path) -> Iterator[HFRunner]:
    runner = load(folder)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def sees(family: Family) -> bool:
    return not known_families()[family.model_type].text_only


def test_what_is_answered_and_what_is_refused(family: Family, runner: HFRunner) -> None:
    refused = REFUSED.get(family.model_type, {})
    for response in runner.generate(MIXED):
        if response.sample_id in refused:
            assert response.error is not None and response.error.kind == "rejected"
            assert refused[response.sample_id] in response.error.message
        else:
            assert response.error is None, response.error


def test_a_mixed_batch_is_answered_as_each_request_alone(runner: HFRunner) -> None:
    mixed = seen.answerable(runner, MIXED)
    alone = [runner.generate([request])[0] for request in mixed]
    together = runner.generate(mixed[::-1])[::-1]
    for one, batched in zip(alone, together, strict=True):
        assert (one.text, one.prompt_tokens) == (batched.text, batched.prompt_tokens)
    assert len({one.text for one in alone}) > 1, "equal answers prove nothing"
    assert drift(runner, mixed) < seen.TOLERANCE


def test_images_are_seen(family: Family, runner: HFRunner, sees: bool) -> None:
    """Another image, none, or two in the other order: the first token's logits tell."""
    refused = REFUSED.get(family.model_type, {})
    pairs = {"another": (ONE, OTHER)}
    if NONE.sample_id not in refused:
        pairs["none"] = (ONE, BLIND)
    if TWO.sample_id not in refused:
        pairs["swapped"] = (TWO, SWAPPED)
    found = {name: difference(runner, *pair) for name, pair in pairs.items()}
    # Batches differ by less than 1e-5; what is seen, by more than 0.1.
    assert all(value > 0.1 for value in found.values()) if sees else not any(found.values())


def test_images_stay_between_their_texts(family: Family, runner: HFRunner, sees: bool) -> None:
    in_place = runner.describe()["images_in_place"]
    assert in_place is (family.model_type not in IMAGES_FIRST if sees else None)
    if in_place:
        moved = ask(2, *(part for part in _images_first(TWO)))
        assert difference(runner, TWO, moved) > 0.01


def test_pixels_are_bounded_or_refused(family: Family, folder: Path, runner: HFRunner) -> None:
    pixels = known_families()[family.model_type].pixels
    given = family.pixels or {}
    for option, bound in (("min_pixels", pixels.min), ("max_pixels", pixels.max)):
        assert (bound is not None) == (option in given), "a bound that is not tested"
        if bound is None:
            with pytest.raises(UsageError, match=f"no bound that --{option.replace('_', '-')}"):
                load(folder, **{option: 10**6})
            continue
        bounded = load(folder, **{option: given[option]})
        sizes = [_values(bounded, shown) for shown in SHOWN]
        plain = [_values(runner, shown) for shown in SHOWN]
        assert any(_grows(*pair, option) for pair in zip(plain, sizes, strict=True))
        assert not any(one.error for one in bounded.generate(SHOWN[:1]))


def test_a_system_prompt_reaches_the_model(runner: HFRunner, family: Family) -> None:
    polite = ask(1, *(part for part in _parts(ONE)), system="丁寧に答えてください。")
    text = runner._ready().tokenizer.decode(runner.encode([polite]).inputs["input_ids"][0])
    assert "丁寧に答えてください。" in text
    before = {"paligemma", "blip-2", "gemma2"}
    expected = "before the question" if family.model_type in before else "system turn"
    assert runner.describe()["system_prompt"] == expected
    assert not (logits(runner, [polite]) == logits(runner, [ONE])).all()


def test_the_page_says_what_was_observed(family: Family, runner: HFRunner) -> None:
    row = family_row(seen.observe(family, runner))
    assert row in PAGE.read_text(encoding="utf-8").splitlines(), (
        "run: python tests/runners/hf/families/observe.py | python docs/build/family_pages.py"
    )


def test_every_family_of_the_table_is_tested() -> None:
    local = {name for name, one in known_families().items() if one.recipe is None}
    # Of one architecture with a family that is tested, without a recipe for its code, or with
    # other answers in a batch where prompts have other counts of images (mllama).
    others = {"qwen3_vl_moe", "gemma3_text", "evovlm-jp", "mllama"}
    assert local - others == {family.model_type for family in FAMILIES}


def _parts(request: Any) -> list[Any]:
    return [getattr(part, "text", None) or part.image for part in request.parts]


def _images_first(request: Any) -> list[Any]:
    return sorted(_parts(request), key=lambda part: isinstance(part, str))


def _values(runner: HFRunner, request: Any) -> int:
    """How many numbers the model gets of an image."""
    inputs = runner.encode([request]).inputs
    return sum(value.numel() for name, value in inputs.items() if "pixel_values" in name)


def _grows(before: int, after: int, option: str) -> bool:
    return after > before if option == "min_pixels" else after < before
