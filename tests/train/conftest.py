"""A very small Qwen2-VL to train from, and what a training of it leaves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_recipes import drawn_recipe


@pytest.fixture(autouse=True, scope="session")
def quick_collections() -> Iterator[None]:
    """Closing a model collects garbage; what is imported by then need not be looked through."""
    import peft  # noqa: F401
    import transformers  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="session")
def short_answers() -> Iterator[None]:
    """Tiny models hardly ever stop; a dozen tokens show as well as 64 whether answers are equal."""
    from vlmbench.train import live

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "ANSWER_TOKENS", 12)
        yield


@pytest.fixture(scope="session")
def seedling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with small random weights and a tokenizer that knows the tasks' words."""
    import torch

    from vlmbench.train.scratch import ScratchSpec, build_model, build_processor, build_tokenizer

    spec = ScratchSpec(
        vocabulary=500,
        vision_width=32,
        vision_depth=1,
        vision_heads=2,
        text_width=64,
        text_feed_forward=64,
        text_depth=2,
        text_heads=2,
    )
    folder = tmp_path_factory.mktemp("seedling") / "seedling"
    torch.manual_seed(4)
    tokenizer = build_tokenizer(
        ["単語か数値だけで短く答えてください。これは何ですか。背景は何色ですか。"] * 3,
        spec.vocabulary,
    )
    build_model(tokenizer, spec).save_pretrained(folder)
    build_processor(tokenizer, spec).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def trained(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a training that nothing interrupted."""
    from vlmbench.train.run import train_by_recipe

    folder = tmp_path_factory.mktemp("trained")
    return train_by_recipe(drawn_recipe(folder, seedling), out=folder / "out", quiet=True)


@pytest.fixture(scope="session")
def whole(seedling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training by LoRA with dropout, on rows, that nothing interrupted."""
    from made_trainings import resumable

    from vlmbench.train.run import train_by_recipe

    folder = tmp_path_factory.mktemp("whole")
    return train_by_recipe(resumable(folder, seedling), out=folder / "out", quiet=True)
