"""Images stand where the prompt puts them, and nothing else can put them anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from made_tasks import picture, task_data

from vlmbench.errors import ConfigError, DataError
from vlmbench.records import Generation, Image, ImagePart, Sample
from vlmbench.schema import parse
from vlmbench.tasks.prompt import build_parts, build_request
from vlmbench.tasks.spec import TaskSpec

FIRST, SECOND = Image(picture("赤")), Image(picture("青"))


def shown(prompt: str, images: int = 1, order: str = "marked", **row: Any) -> list[str | int]:
    """The parts of a prompt, images by their number."""
    task = parse(TaskSpec, task_data(prompt=prompt, image_order=order), location="test")
    pictures = (FIRST, SECOND)[:images]
    sample = Sample("s1", pictures, ("赤",), row=row, choices=("赤", "青"))
    return [
        pictures.index(part.image) if isinstance(part, ImagePart) else part.text
        for part in build_parts(task, sample)
    ]


@pytest.mark.parametrize(
    ("prompt", "images", "row", "parts"),
    [
        ("{{ row.q }}\n", 1, {"q": "何？"}, [0, "何？\n"]),
        ("{{ row.q }}", 0, {"q": "何？"}, ["何？"]),
        ("{{ row.q }}", 2, {"q": "違いは？"}, [0, 1, "違いは？"]),
        (
            "{{ row.q | interleave }}答え",
            2,
            {"q": "日本<image>と独<image>の差"},
            ["日本", 0, "と独", 1, "の差答え"],
        ),
        ("{{ row.q | interleave }}", 1, {"q": "印なし"}, [0, "印なし"]),
        ("{{ image(1) }}と{{ image(0) }}", 2, {}, [1, "と", 0]),
        (
            "{{ row.q | interleave }}{{ row.o | interleave }}",
            2,
            {"q": "<image>", "o": "<image>"},
            [0, 1],
        ),
        # Only a template places images: marks in plain data are text.
        ("{{ row.q }}", 1, {"q": "<image>は何？"}, [0, "<image>は何？"]),
        ("{{ row.q }}", 1, {"q": "\x020:0\x03"}, [0, "\x020:0\x03"]),
        ("{{ row.q }}", 1, {"q": "{{ image(0) }}"}, [0, "{{ image(0) }}"]),
        ("{{ choices | join('・') }}", 0, {}, ["赤・青"]),
    ],
)
def test_places(prompt: str, images: int, row: dict[str, str], parts: list[str | int]) -> None:
    assert shown(prompt, images, **row) == parts


NUMBERED = "{{ row.q | interleave }}\n{{ row.o | interleave }}"


@pytest.mark.parametrize(
    ("text", "option", "marked", "reference"),
    [
        ("図<image 1>は", "B", ["図", 0, "は\nB"], [0, "図は\nB"]),
        ("図<image 2>と<image 1>", "B", ["図", 1, "と", 0, "\nB"], [0, 1, "図と\nB"]),
        # An image that is named twice is shown twice, one that isn't named not at all.
        ("図<image 1>は", "<image 1>", ["図", 0, "は\n", 0], [0, "図は\n"]),
        ("図は", "<image 2>", ["図は\n", 1], [1, "図は\n"]),
        ("図は", "B", [0, 1, "図は\nB"], [0, 1, "図は\nB"]),
    ],
)
def test_images_named_by_number(
    text: str, option: str, marked: list[str | int], reference: list[str | int]
) -> None:
    """As (J)MMMU marks them; the reference order is llm-jp-eval-mm's: each once, by number."""
    assert shown(NUMBERED, 2, q=text, o=option) == marked
    assert shown(NUMBERED, 2, "reference", q=text, o=option) == reference


def test_a_number_without_an_image() -> None:
    with pytest.raises(DataError, match=r"sample 's1' .* marks <image 3> where the sample has 2"):
        shown(NUMBERED, 2, q="<image 3>", o="")


@pytest.mark.parametrize(
    ("prompt", "images", "row", "error", "fragment"),
    [
        (
            "{{ row.q | interleave }}",
            1,
            {"q": "<image><image>"},
            DataError,
            "marks <image> 2 times where the sample has 1 image",
        ),
        ("{{ row.q | interleave }}", 2, {"q": "<image>"}, DataError, "exactly once"),
        ("{{ image(0) }}{{ image(0) }}", 1, {}, DataError, "exactly once"),
        ("{{ image(-1) }}", 1, {}, DataError, r"places image\(-1\), counted from 0, where"),
        ("{{ row.qestion }}", 1, {"question": "何？"}, DataError, "did you mean 'question'?"),
        ("{{ row.items }}", 0, {"item": "x"}, DataError, "no column 'items'"),
        ("{{ rwo.q }}", 0, {"q": "x"}, ConfigError, "'rwo' is undefined"),
        ("{{ row.q.__class__.__mro__ }}", 0, {"q": "x"}, ConfigError, "unsafe"),
        ("{{ row.q | interleave(1) }}", 0, {"q": "x"}, ConfigError, "fails at sample 's1'"),
        ("{{ row.q + 1 }}", 0, {"q": "x"}, ConfigError, "fails at sample 's1'"),
    ],
)
def test_refused(
    prompt: str, images: int, row: dict[str, str], error: type[Exception], fragment: str
) -> None:
    with pytest.raises(error, match=fragment.replace("?", r"\?")) as caught:
        shown(prompt, images, **row)
    assert "\n" not in str(caught.value)


def test_the_key_follows_from_the_content() -> None:
    def key(prompt: str, image: Image = FIRST, **generation: Any) -> str:
        task = parse(TaskSpec, task_data(prompt=prompt), location="test")
        sample = Sample("s1", (image,), ("赤",))
        return build_request(task, sample, generation=Generation(**generation)).key

    keys = [
        key("a"),
        key("b"),
        key("a", SECOND),
        key("a", max_new_tokens=5),
        key("{{ image(0) }}a"),
    ]
    assert len(set(keys[:4])) == 4
    # Placed first by the template or by default: the model is asked the same.
    assert keys[4] == keys[0]
