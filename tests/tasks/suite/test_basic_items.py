"""The frozen basic items: what today's code builds, balanced, half of them in the unseen style."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import basic_items
import pytest

from vlmbench.records import Image
from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.train.synthetic.concepts import ART_STYLES, UNSEEN_STYLE
from vlmbench.train.synthetic.items import SuiteItem
from vlmbench.train.synthetic.resources import data_file

BUILDERS: dict[str, Callable[[], list[SuiteItem]]] = {
    "ja-caption": basic_items.caption_items,
    "ja-vqa": basic_items.vqa_items,
    "ja-chart": basic_items.chart_items,
    "ja-multi-image": basic_items.multi_image_items,
}
TEXT_COLUMNS = ("id", "question", "level", "kind", "style", "answer", "source")

LARGEST_SHARE = {
    # Two answers, equally often.
    **dict.fromkeys(("exists", "most", "which_has", "same_ground"), 0.5),
    # Four to six answers.
    **dict.fromkeys(("position", "bars", "count", "count_of", "count_in"), 0.3),
    # Eight colors.
    **dict.fromkeys(
        ("colour", "ground_of", "maximum", "minimum", "colour_at", "compare"),
        0.17,
    ),
    # A hundred names, twenty countries, many figures.
    **dict.fromkeys(("what", "where", "more", "difference", "common", "label", "value"), 0.08),
    "scene": 0.01,
}
"""How often the most frequent answer of a kind may occur: what always giving it would score."""
BLIND = {"ja-caption": 0.01, "ja-vqa": 0.55, "ja-chart": 0.35, "ja-multi-image": 0.4}
"""What knowing the best answer to each exact question, without the picture, may score."""


@lru_cache(maxsize=4)
def rows(task: str) -> list[dict[str, Any]]:
    """The frozen basic items."""
    import pyarrow.parquet as pq

    table = pq.read_table(data_file(f"{task}.parquet")).to_pylist()
    return [row for row in table if row["level"] == "basic"]


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Size and content, which stay the same where another Pillow compresses differently."""
    picture = Image(data).decode()
    return picture.size, picture.tobytes()


@pytest.mark.parametrize("task", BUILDERS)
def test_the_frozen_items_are_what_the_code_builds(task: str) -> None:
    built = BUILDERS[task]()
    assert [item.id for item in built] == [row["id"] for row in rows(task)]
    for item, row in zip(built, rows(task), strict=True):
        for column in TEXT_COLUMNS:
            assert getattr(item, column) == row[column], item.id
        assert list(item.references) == row["references"], item.id
        frozen = [picture["bytes"] for picture in row["images"]]
        assert [pixels(data) for data in item.images] == [pixels(data) for data in frozen], item.id


@pytest.mark.parametrize("task", BUILDERS)
def test_items_differ_and_show_every_image_once(task: str) -> None:
    seen = Counter(
        (row["question"], *(picture["bytes"] for picture in row["images"])) for row in rows(task)
    )
    assert max(seen.values()) == 1
    images = {"ja-multi-image": 2}.get(task, 1)
    for row in rows(task):
        assert len(row["images"]) == images
        assert row["question"].count(IMAGE_PLACEHOLDER) == (0 if task == "ja-caption" else images)
        assert len(set(row["references"])) == len(row["references"])


@pytest.mark.parametrize("task", ["ja-caption", "ja-vqa", "ja-multi-image"])
def test_half_of_every_kind_is_in_the_unseen_style(task: str) -> None:
    for row in rows(task):
        assert row["source"] in ART_STYLES
        assert (row["style"] == "unseen") == (row["source"] == UNSEEN_STYLE)
    kinds = Counter((row["kind"], row["style"]) for row in rows(task))
    for kind, _ in kinds:
        assert kinds[kind, "unseen"] == kinds[kind, "seen"]
    seen = Counter(row["source"] for row in rows(task) if row["style"] == "seen")
    assert max(seen.values()) - min(seen.values()) <= len({kind for kind, _ in kinds})
    assert len(seen) == len(ART_STYLES) - 1


def test_charts_have_no_art_style() -> None:
    assert {(row["style"], row["source"]) for row in rows("ja-chart")} == {(None, "gapminder")}


@pytest.mark.parametrize("task", BUILDERS)
def test_no_answer_is_a_good_guess(task: str) -> None:
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows(task):
        answers[row["kind"]][row["references"][0]] += 1
    for kind, found in answers.items():
        assert max(found.values()) / found.total() <= LARGEST_SHARE[kind], (kind, found)


@pytest.mark.parametrize("task", BUILDERS)
def test_the_wording_gives_little_away(task: str) -> None:
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows(task):
        answers[row["question"]][row["references"][0]] += 1
    best = sum(max(found.values()) for found in answers.values())
    assert best / len(rows(task)) <= BLIND[task]


@pytest.mark.parametrize(
    ("task", "kind", "first", "second"),
    [
        ("ja-vqa", "exists", "はい", "いいえ"),
        ("ja-multi-image", "same_ground", "はい", "いいえ"),
        ("ja-multi-image", "most", "1枚目", "2枚目"),
        ("ja-multi-image", "which_has", "1枚目", "2枚目"),
    ],
)
def test_two_answers_are_right_equally_often_in_both_styles(
    task: str, kind: str, first: str, second: str
) -> None:
    for style in ("seen", "unseen"):
        chosen = [row for row in rows(task) if (row["kind"], row["style"]) == (kind, style)]
        answers = Counter(row["references"][0] for row in chosen)
        assert answers[first] == answers[second] == len(chosen) / 2
