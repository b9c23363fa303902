"""What several tests share: a real, tiny, untrained Qwen2-VL checkpoint."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# A busy machine is no bug: what may take how long is said by the benchmarks.
settings.register_profile("vlmbench", deadline=None)
settings.load_profile("vlmbench")

# Before anything imports torch: tests share the machine with each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


LONGEST = ("test_real_parts.py", "test_distributed.py", "test_stages.py", "test_training_page.py")
"""Files that take minutes: begun first, so that no process is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the order of all others stays."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads answers of the user's, or writes there."""
    os.environ["VLMBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def one_process() -> Iterator[pytest.MonkeyPatch]:
    """A checkpoint's second look, which has a process of its own, takes none here: seconds each.

    The tests that are about it ask for `own_process`.
    """

    def answered(folder: Path) -> None:
        _reload().answer(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reload(), "run_process", answered)
        yield patch


@pytest.fixture
def own_process(one_process: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets a checkpoint be looked at by a process of its own, as outside of tests."""
    replaced = _reload().run_process
    one_process.undo()
    yield
    one_process.setattr(_reload(), "run_process", replaced)


def _reload() -> ModuleType:
    """The module; `vlmbench.train` alone may be the function of that name."""
    return importlib.import_module("vlmbench.train.reload")


TEXTS = (
    "何色ですか。短く答えてください。",
    "この画像を日本語の一文で説明してください。",
    "赤青緑黄色",
)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint directory with random weights, loaded as any other one.

    The weights are large, so that answers differ from sample to sample.
    """
    import torch

    from vlmbench.train.scratch import ScratchSpec, build_model, build_processor, build_tokenizer

    folder = tmp_path_factory.mktemp("checkpoints") / "untrained"
    spec = ScratchSpec(
        vocabulary=400,
        patch_size=8,
        vision_width=32,
        vision_depth=1,
        vision_heads=2,
        text_width=32,
        text_feed_forward=64,
        text_depth=2,
        text_heads=2,
        min_pixels=16 * 16,
        max_pixels=64 * 64,
    )
    torch.manual_seed(1)
    tokenizer = build_tokenizer(TEXTS, spec.vocabulary)
    model = build_model(tokenizer, spec)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(12)
    model.save_pretrained(folder)
    build_processor(tokenizer, spec).save_pretrained(folder)
    return folder
