from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_tasks import color_rows, write_task

from vlmbench.errors import DataError
from vlmbench.records import Request, TextPart
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.spec import TaskSpec
from vlmbench.tasks.variants.variant import Variant, variant_requests


def requests(task: TaskSpec, mode: str | None, **options: Any) -> list[Request]:
    only, seed = options.get("only"), options.get("seed", 0)
    variant = Variant("image", mode, seed) if mode else None
    found = variant_requests(task, variant, only=only, seed=0)
    return [request for request, _ in found]


def texts(request: Request) -> str:
    return "".join(part.text for part in request.parts if isinstance(part, TextPart))


def digests(found: Sequence[Request]) -> list[list[str]]:
    return [[image.digest for image in request.images] for request in found]


@pytest.fixture
def task(tmp_path: Path) -> TaskSpec:
    return load_task(str(write_task(tmp_path, color_rows(40, images=2))))


@pytest.mark.parametrize("mode", ["blind", "shuffled", "noise"])
def test_words_and_order_stay(task: TaskSpec, mode: str) -> None:
    plain, other = requests(task, None), requests(task, mode)
    assert [one.sample_id for one in other] == [one.sample_id for one in plain]
    assert [texts(one) for one in other] == [texts(one) for one in plain]
    assert not {one.key for one in plain} & {one.key for one in other}
    assert requests(task, mode) == other


def test_blind_shows_nothing(task: TaskSpec) -> None:
    assert digests(requests(task, "blind")) == [[]] * 40


def test_noise_has_the_size_of_the_image(task: TaskSpec) -> None:
    plain, other = requests(task, None), requests(task, "noise")
    sizes = [[image.decode().size for image in one.images] for one in other]
    assert sizes == [[image.decode().size for image in one.images] for one in plain]
    assert digests(requests(task, "noise", seed=1)) != digests(other)


def test_nobody_sees_the_own_image(task: TaskSpec) -> None:
    plain = requests(task, None)
    for seed in range(5):
        other = digests(requests(task, "shuffled", seed=seed))
        assert all(len(images) == 2 for images in other)
        for own, shown in zip(digests(plain), other, strict=True):
            assert not set(own) & set(shown)
        # With a limit the donors are still those of the whole task.
        for only in ([0, 1, 2], [3], [0, 17, 18, 39], [39]):
            part = digests(requests(task, "shuffled", seed=seed, only=only))
            assert part == [other[position] for position in only]


def test_questions_on_one_image_see_another_one(tmp_path: Path) -> None:
    rows = [
        {**row, "images": color_rows(40)[number // 5]["images"]}
        for number, row in enumerate(color_rows(40))
    ]
    task = load_task(str(write_task(tmp_path, rows)))
    for seed in range(5):
        shown = digests(requests(task, "shuffled", seed=seed))
        for own, other in zip(digests(requests(task, None)), shown, strict=True):
            assert own != other


def test_one_sample_has_nobody_to_swap_with(tmp_path: Path) -> None:
    task = load_task(str(write_task(tmp_path, color_rows(1))))
    with pytest.raises(DataError, match="has one sample only"):
        requests(task, "shuffled")
