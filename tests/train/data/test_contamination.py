"""Training data that holds the embedded suite's pictures and texts is found out."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import imagehash
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest
from locations import ROOT
from made_tasks import color_rows, write_task
from pydantic import ValidationError

from vlmbench.errors import DataError
from vlmbench.models.training_data import training_overlap
from vlmbench.records import Image
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples
from vlmbench.tasks.spec import TaskSpec
from vlmbench.train.data.contamination import (
    Finding,
    Guard,
    GuardReport,
    check,
    decide,
)
from vlmbench.train.data.evaluation_index import EvaluationIndex
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.synthetic.split import training_group

SUITE = ("ja-caption", "ja-vqa", "ja-chart", "ja-multi-image")

Picture = PIL.Image.Image


@pytest.fixture(scope="module")
def index() -> EvaluationIndex:
    return EvaluationIndex.of_tasks([load_task(name) for name in SUITE])


@pytest.fixture(scope="module")
def pictures() -> list[tuple[str, str, Picture]]:
    """Task, sample and picture: 15 of each task that shows one, drawn with a seed."""
    chosen = []
    for name in SUITE[:3]:
        samples = list(read_samples(load_task(name)))
        random.Random(4).shuffle(samples)
        chosen += [(name, one.id, one.images[0].decode()) for one in samples[:15]]
    return chosen


def encoded(picture: Picture, form: str = "BMP", **options: object) -> Image:
    """The picture in a file; a BMP is written and read many times faster than a PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return Image(buffer.getvalue())


def example(
    *images: Image, ask: str = "変わったところはありますか。", say: str = "ない", **fields: object
) -> Example:
    turns = (Turn("user", (*images, ask)), Turn("assistant", (say,)))
    return Example(**{"id": "e0", "turns": turns, "source": "made", **fields})  # type: ignore[arg-type]


def only(examples: Iterable[Example], index: EvaluationIndex) -> Finding:
    (finding,) = check(examples, index, workers=1).findings
    return finding


def again(picture: Picture, form: str, **options: object) -> Picture:
    return encoded(picture, form, **options).decode()


def scaled(picture: Picture, factor: float) -> Picture:
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, PIL.Image.Resampling.BICUBIC)


def cropped(picture: Picture) -> Picture:
    x, y = picture.width // 20, picture.height // 20
    return picture.crop((x, y, picture.width - x, picture.height - y))


COPIES: dict[str, tuple[Callable[[Picture], Picture], float, float]] = {
    "as it is": (lambda one: one, 1.0, 1.0),
    "JPEG 75": (lambda one: again(one, "JPEG", quality=75), 1.0, 1.0),
    "JPEG 40": (lambda one: again(one, "JPEG", quality=40), 0.95, 1.0),
    "WebP 75": (lambda one: again(one, "WEBP", quality=75), 0.95, 1.0),
    "half": (lambda one: scaled(one, 0.5), 1.0, 1.0),
    "double": (lambda one: scaled(one, 2), 1.0, 1.0),
    "448x448": (lambda one: one.resize((448, 448)), 1.0, 1.0),
    "gray": (lambda one: PIL.ImageOps.grayscale(one), 1.0, 1.0),
    "less contrast": (lambda one: PIL.ImageEnhance.Contrast(one).enhance(0.8), 1.0, 1.0),
    "darker": (lambda one: PIL.ImageEnhance.Brightness(one).enhance(0.8), 1.0, 1.0),
    "brighter": (lambda one: PIL.ImageEnhance.Brightness(one).enhance(1.1), 0.95, 1.0),
    "much brighter": (lambda one: PIL.ImageEnhance.Brightness(one).enhance(1.2), 0.8, 0.95),
    "more color": (lambda one: PIL.ImageEnhance.Color(one).enhance(1.5), 0.9, 1.0),
    "mirrored": (PIL.ImageOps.mirror, 1.0, 1.0),
    "mirrored JPEG": (lambda one: again(PIL.ImageOps.mirror(one), "JPEG", quality=75), 1.0, 1.0),
}
"""Change, least share of copies that are hits, least share that are hits or listed."""

ESCAPES: dict[str, Callable[[Picture], Picture]] = {
    "crop": cropped,
    "rotation": lambda one: one.rotate(5, fillcolor="white"),
    "quarter turn": lambda one: one.transpose(PIL.Image.Transpose.ROTATE_90),
}


def found(
    change: Callable[[Picture], Picture],
    pictures: list[tuple[str, str, Picture]],
    index: EvaluationIndex,
) -> Counter[str]:
    """How the copies of the pictures are found; each that is must be found as what it is."""
    examples = [
        example(encoded(change(picture)), id=f"{task}/{sample}")
        for task, sample, picture in pictures
    ]
    report = check(examples, index)
    for finding in report.of_kind("leak", "picture"):
        assert finding.example in {f"{task}/{sample}" for task, sample in finding.touched}
    return Counter(finding.kind for finding in report.findings)


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found(
    name: str, pictures: list[tuple[str, str, Picture]], index: EvaluationIndex
) -> None:
    change, hits, hits_or_listed = COPIES[name]
    kinds = found(change, pictures, index)
    assert kinds["leak"] + kinds["picture"] >= hits * len(pictures)
    assert kinds.total() >= hits_or_listed * len(pictures)


@pytest.mark.parametrize("name", ESCAPES)
def test_what_escapes_is_said(
    name: str, pictures: list[tuple[str, str, Picture]], index: EvaluationIndex
) -> None:
    kinds = found(ESCAPES[name], pictures, index)
    assert kinds["leak"] + kinds["picture"] <= 0.05 * len(pictures)
    page = (ROOT / "docs" / "contamination.md").read_text(encoding="utf-8")
    escaping = page.partition("## What escapes")[2].partition("\n## ")[0]
    assert name in escaping


def test_different_charts_are_no_hit() -> None:
    """All pairs of ja-chart. One is a recolored copy: same countries, values and year."""
    samples = list(read_samples(load_task("ja-chart")))
    images = {image.digest: (one.id, image) for one in samples for image in one.images}
    hashes = [
        (name, imagehash.phash(image.decode(), hash_size=16)) for name, image in images.values()
    ]
    close = [
        {one, other}
        for number, (one, left) in enumerate(hashes)
        for other, right in hashes[:number]
        if left - right <= 16
    ]
    assert len(hashes) == 245
    assert close == [{"bars-bars-20", "bars-maximum-25"}]


def test_drawn_training_scenes_are_no_hit(index: EvaluationIndex) -> None:
    """tiny-ja's own training data: held apart from the suite by what is drawn."""
    examples = []
    for number in range(300):
        group = training_group(("grid", "scatter", "pair")[number % 3], str(number), questions=1)
        question = group.questions[0]
        images = [encoded(picture) for picture in group.images]
        examples.append(
            example(*images, ask=question.text, say=question.answers[0], id=f"{number}")
        )
    report = check(examples, index)
    assert not report.of_kind("leak", "picture")
    assert report.counts["text"]  # the questions come from the same templates
    assert decide(report, Guard()) == set()


def test_same_question_makes_a_leak(index: EvaluationIndex) -> None:
    sample = next(one for one in read_samples(load_task("ja-vqa")) if "何色" in one.row["question"])
    image = encoded(sample.images[0].decode(), "JPEG", quality=90)
    question = sample.row["question"].removeprefix("<image>")
    for ask, kind in (
        (question, "leak"),
        (f"画像を見て答えなさい。\n{question}\n一語で。", "leak"),
        ("この絵の題名を考えてください。", "picture"),
    ):
        finding = only([example(image, ask=ask, say="?")], index)
        assert (finding.kind, finding.by) == (kind, "hash")
        assert finding.task == "ja-vqa"
        assert ("ja-vqa", sample.id) in finding.touched


def test_same_caption_makes_a_leak(index: EvaluationIndex) -> None:
    """All samples of a caption task are asked the same, so that only the answer tells."""
    sample = next(read_samples(load_task("ja-caption")))
    image = encoded(sample.images[0].decode())
    caption, other = sample.references[0], "楽しい絵です。"
    assert only([example(image, ask="説明して", say=caption)], index).kind == "leak"
    assert only([example(image, ask="説明して", say=other)], index).kind == "picture"


def test_a_later_turn_is_compared_too(index: EvaluationIndex) -> None:
    sample = next(read_samples(load_task("ja-vqa")))
    turns = (
        Turn("user", (sample.images[0], "何枚の絵ですか。")),
        Turn("assistant", ("1枚",)),
        Turn("user", (sample.row["question"],)),
        Turn("assistant", (sample.references[0],)),
    )
    finding = only([Example("e", turns, "made")], index)
    assert (finding.kind, finding.by, finding.sample) == ("leak", "pixels", sample.id)


def test_mirrored_and_resized_is_told_apart(index: EvaluationIndex) -> None:
    picture = next(read_samples(load_task("ja-caption"))).images[0].decode()
    finding = only([example(encoded(PIL.ImageOps.mirror(scaled(picture, 3))))], index)
    assert finding.by == "mirror"
    assert finding.distance is not None
    assert finding.distance <= 16


def test_text_alone_is_counted(index: EvaluationIndex) -> None:
    sample = next(read_samples(load_task("ja-vqa")))
    photo = encoded(PIL.Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), 50))
    copied = example(photo, ask=sample.row["question"], say=sample.references[0])
    report = check([copied, example(photo, ask="別の質問です。", say="別の答え")], index)
    assert [one.kind for one in report.findings] == ["text"]
    assert report.findings[0].similarity == 1.0
    assert decide(report, Guard()) == set()
    assert report.as_dict()["seen"] == {}


def one_task(folder: Path, **changes: object) -> TaskSpec:
    return load_task(str(write_task(folder, color_rows(8), **changes)))


def test_a_task_without_pictures_leaks_by_text(tmp_path: Path) -> None:
    fields = {"id": "{{ row.id }}", "references": {"column": "references"}}
    task = one_task(tmp_path, fields=fields, slices=[], prompt="{{ row.question }}")
    own = EvaluationIndex.of_tasks([task])
    finding = only([example(ask="何色ですか。", say="赤")], own)
    assert (finding.kind, finding.by) == ("leak", "text")
    with pytest.raises(DataError, match="has the text of sample"):
        decide(check([example(ask="何色ですか。", say="赤")], own), Guard())
    with_picture = example(
        Image(color_rows(1)[0]["images"][0]["bytes"]), ask="何色ですか。", say="赤"
    )
    assert only([with_picture], own).kind == "text"


def test_pictures_of_one_color_are_told_apart_by_pixels(tmp_path: Path) -> None:
    """All of them have the same hash, blank placeholders in training data among them."""
    own = EvaluationIndex.of_tasks([one_task(tmp_path)])
    same = Image(color_rows(1)[0]["images"][0]["bytes"])
    assert only([example(same)], own).by == "pixels"
    blank = [encoded(PIL.Image.new("RGB", (32, 40), color)) for color in ("white", "black")]
    assert check([example(one) for one in blank], own).findings == ()


def rows_with_ids() -> list[dict[str, object]]:
    return [{**row, "coco_id": 100 + n, "image_id": n} for n, row in enumerate(color_rows(4), 1)]


def test_ids_find_what_hashes_do_not(tmp_path: Path) -> None:
    own = EvaluationIndex.of_tasks([load_task(str(write_task(tmp_path, rows_with_ids())))])
    finding = only([example(ids={"image": "train2014/COCO_train2014_000000000102.jpg"})], own)
    assert (finding.kind, finding.by, finding.id) == ("picture", "ids", "coco:102")
    assert finding.sample == "q001"
    asked = example(ask="何色ですか。", say="青", ids={"coco_id": "102"})
    assert only([asked], own).kind == "leak"


def test_image_id_is_listed_only(tmp_path: Path) -> None:
    """Two data sets number different pictures alike."""
    own = EvaluationIndex.of_tasks([load_task(str(write_task(tmp_path, rows_with_ids())))])
    report = check([example(ids={"image_id": "2"})], own)
    assert report.counts == {"listed": {"colors": 1}}
    assert decide(report, Guard()) == set()


def leaking(index: EvaluationIndex) -> GuardReport:
    """A leak, a picture and an example of no concern."""
    first, second = list(read_samples(load_task("ja-vqa")))[:2]
    examples = [
        example(first.images[0], ask=first.row["question"], say=first.references[0], id="1"),
        example(second.images[0], id="2"),
        example(id="3"),
    ]
    return check(examples, index)


def test_refused_unless_told_otherwise(index: EvaluationIndex) -> None:
    report = leaking(index)
    with pytest.raises(DataError, match=r"example '1' of made .* 'ja-vqa' .*on_hit: drop"):
        decide(report, Guard())
    with pytest.raises(DataError, match=r"example '2' of made .*same_picture: drop"):
        decide(report, Guard(on_hit="drop"))
    assert decide(report, Guard(on_hit="drop", same_picture="warn")) == {("made", "1")}
    assert decide(report, Guard(on_hit="warn", same_picture="drop")) == {("made", "2")}
    assert decide(report, Guard(on_hit="warn", same_picture="warn")) == set()
    with pytest.raises(ValidationError):
        Guard.model_validate({"on_hit": "ignore"})


def test_the_report_says_what_was_trained_on(index: EvaluationIndex) -> None:
    report = leaking(index)
    everything = [sample.id for sample in read_samples(load_task("ja-vqa"), images=False)]
    values = json.loads(json.dumps(report.as_dict()))
    assert values["counts"] == {"leak": {"ja-vqa": 1}, "picture": {"ja-vqa": 1}}
    assert [hit["example"] for hit in values["hits"]] == ["1", "2"]
    assert values["samples"]["ja-vqa"] == len(everything)
    assert {"vlmbench", "ImageHash", "datasketch"} <= values["versions"].keys()
    seen = {sample for finding in report.findings for _, sample in finding.touched}
    overlap = training_overlap([values], "ja-vqa")
    assert overlap is not None and overlap.compared
    assert set(overlap.seen) == seen
    assert overlap.rows == {"leak": 1, "picture": 1}
    dropped = decide(report, Guard(on_hit="drop", same_picture="drop"))
    left = report.without(dropped).as_dict()
    assert left["dropped"] == 2
    assert [one["example"] for one in left["left_out"]] == ["1", "2"]
    assert left["hits"] == []
    without = training_overlap([left], "ja-vqa")
    assert without is not None and (without.seen, without.dropped) == ((), 2)
    other = training_overlap([values, left], "jmmmu")
    assert other is not None and not other.compared
    both = training_overlap([left, values], "ja-vqa")  # trained further on other data
    assert both is not None and set(both.seen) == seen


def test_at_most_fifty_are_named(index: EvaluationIndex, tmp_path: Path) -> None:
    image = next(read_samples(load_task("ja-vqa"))).images[0]
    values = check((example(image, id=str(n)) for n in range(60)), index).as_dict()
    assert values["counts"]["picture"] == {"ja-vqa": 60}
    assert len(values["hits"]) == 50
    assert values["pictures"] == 1
    texts = [example(ask="何色ですか。", say="赤", id=str(n)) for n in range(60)]
    task = one_task(tmp_path)
    report = check(texts, EvaluationIndex.of_tasks([task]))
    assert report.counts == {"text": {"colors": 60}}
    assert len(report.findings) == len(report.as_dict()["same_text"]) == 50


def test_unreadable_pictures_are_counted(tmp_path: Path) -> None:
    rows = color_rows(3)
    rows[1]["images"] = [{"bytes": b"no picture", "path": None}]
    own = EvaluationIndex.of_tasks([load_task(str(write_task(tmp_path, rows)))])
    report = check([example(Image(b"\xff\xd8", source="row 7 of x.parquet"))], own)
    assert report.unreadable == ("row 7 of x.parquet", "sample 'q001' of task 'colors'")
    assert report.findings == ()


def test_threads_change_nothing(index: EvaluationIndex) -> None:
    images = [image for one in read_samples(load_task("ja-vqa")) for image in one.images][:150]
    examples = [example(image, id=str(number)) for number, image in enumerate(images)]
    assert check(examples, index, workers=1) == check(examples, index, workers=4)
