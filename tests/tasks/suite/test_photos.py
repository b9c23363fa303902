"""The photographs of the real level: what the content files say, and that bad ones are refused."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import photos
import PIL.Image
import pytest
import yaml
from photo_files import packaged_file, shrunken
from qt_resources import read_resource

from vlmbench.errors import ConfigError, DataError
from vlmbench.records import Image
from vlmbench.tasks.prompt import IMAGE_PLACEHOLDER
from vlmbench.train.synthetic.resources import data_file

# a.txt ("plain") and folder/long.txt ("vlmbench " 60 times, compressed), packed by rcc of
# Qt 5.15.8: rcc --binary --format-version 1 and 3.
BUNDLES = {
    1: "cXJlcwAAAAEAAAB0AAAAFAAAADwAAAAFcGxhaW4AAAAbAAACHHicK8vJTUrNS85QKBtljDJQGQATbM4FAAUAZFv0AG"
    "EALgB0AHgAdAAGBtYqwgBmAG8AbABkAGUAcgAIBkpVlABsAG8AbgBnAC4AdAB4AHQAAAAAAAIAAAACAAAAAQAAAAAAAAAA"
    "AAEAAAAAAAAAEAACAAAAAQAAAAMAAAAiAAEAAAABAAAACQ==",
    3: "cXJlcwAAAAMAAAB4AAAAGAAAAEAAAAABAAAABXBsYWluAAAAGwAAAhx4nCvLyU1KzUvOUCgbZYwyUBkAE2zOBQAFAG"
    "Rb9ABhAC4AdAB4AHQABgbWKsIAZgBvAGwAZABlAHIACAZKVZQAbABvAG4AZwAuAHQAeAB0AAAAAAACAAAAAgAAAAEAAAAA"
    "AAAAAAAAAAAAAAAAAAEAAAAAAAABoghpgmkAAAAQAAIAAAABAAAAAwAAAAAAAAAAAAAAIgABAAAAAQAAAAkAAAGiCGmDVw"
    "==",
}


@pytest.mark.parametrize("version", BUNDLES)
@pytest.mark.parametrize(
    ("member", "expected"), [("a.txt", b"plain"), ("folder/long.txt", b"vlmbench " * 60)]
)
def test_reads_what_qt_packed(tmp_path: Path, version: int, member: str, expected: bytes) -> None:
    bundle = tmp_path / "r.rcc"
    bundle.write_bytes(base64.b64decode(BUNDLES[version]))
    assert read_resource(bundle, member) == expected


@pytest.mark.parametrize("member", ["b.txt", "folder", "a.txt/c", "folder/a.txt"])
def test_a_member_that_is_no_file_is_named(tmp_path: Path, member: str) -> None:
    bundle = tmp_path / "r.rcc"
    bundle.write_bytes(base64.b64decode(BUNDLES[3]))
    with pytest.raises(DataError, match=rf"r\.rcc holds no file '{member}'"):
        read_resource(bundle, member)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" * 20, base64.b64decode(BUNDLES[3])[:100]])
def test_a_broken_bundle_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    bundle = tmp_path / "r.rcc"
    bundle.write_bytes(content)
    with pytest.raises(DataError, match=r"r\.rcc is not a readable Qt resource bundle"):
        read_resource(bundle, "a.txt")


def test_every_photograph_has_captions_questions_and_a_credit() -> None:
    book = photos.read_photos()
    assert len(book.photos) >= 24
    for photo in book.photos:
        assert len(set(photo.captions)) == 5
        assert all(8 <= len(caption) <= 45 for caption in photo.captions), photo.key
        assert len({question.ask for question in photo.questions}) == 3
    listed = [credit.key for credit in photos.credits()]
    assert listed == [f"photo-{photo.key}" for photo in book.photos]


def test_no_licence_asks_for_share_alike() -> None:
    allowed = {"CC0-1.0", "Public domain", "CC-BY-2.0", "CC-BY-4.0"}
    assert {credit.licence for credit in photos.credits()} <= allowed


def test_answers_are_listed_once_and_questions_say_how_to_answer() -> None:
    questions = [question for photo in photos.read_photos().photos for question in photo.questions]
    for question in questions:
        assert len(set(question.answers)) == len(question.answers), question.ask
        yes_no = set(question.answers) <= {"はい", "いいえ"}
        assert yes_no == ("はいかいいえで答えてください。" in question.ask), question.ask
        number = question.answers[0].isdigit()
        assert number == ("数字で答えてください。" in question.ask), question.ask


def test_guessing_yes_does_not_pay() -> None:
    answers = [q.answers[0] for photo in photos.read_photos().photos for q in photo.questions]
    answers += [comparison.answers[0] for comparison in photos.read_comparisons()]
    counts = Counter(answer for answer in answers if answer in ("はい", "いいえ"))
    assert abs(counts["はい"] - counts["いいえ"]) <= 2


def test_comparisons_mix_lengths_marks_and_places() -> None:
    comparisons = photos.read_comparisons()
    short = [one for one in comparisons if one.answer == "short"]
    marked = [one for one in comparisons if IMAGE_PLACEHOLDER in one.question]
    assert abs(2 * len(short) - len(comparisons)) <= 4
    assert 3 * len(marked) >= len(comparisons)
    for one in comparisons:
        if one.answer == "open":
            assert len(one.answers) == 3
            assert all(20 <= len(text) <= 60 for text in one.answers), one.id
    places = Counter(one.answers[0] for one in short if one.answers[0].endswith("枚目"))
    assert max(places.values()) <= 4


BROKEN_PHOTOS = [
    (lambda photo: photo["captions"].pop(), "captions"),
    (lambda photo: photo["questions"].pop(), "questions"),
    (lambda photo: photo["questions"][0].update(answers=[]), "answers"),
    (lambda photo: photo.update(licence="CC-BY-SA-4.0"), "licence"),
    (lambda photo: photo.update(key="珈琲"), "key"),
    (lambda photo: photo.update(key="camera"), "'camera' stands twice"),
    (lambda photo: photo.update(package="scikit-imag"), "Did you mean 'scikit-image'"),
]


@pytest.mark.parametrize(("spoil", "message"), BROKEN_PHOTOS)
def test_a_broken_photo_file_is_refused(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = yaml.safe_load(data_file("content/photos.yaml").read_text(encoding="utf-8"))
    spoil(content["photos"][0])
    path = tmp_path / "photos.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        photos.read_photos(path)


BROKEN_COMPARISONS = [
    ({"photos": ["coffe", "wine"]}, "Did you mean 'coffee'"),
    ({"photos": ["coffee"]}, "photos"),
    ({"question": "<image>これは何ですか。"}, "1 <image> marks for 2 photographs"),
    ({"answers": []}, "answers"),
    ({"answer": "long"}, "answer"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN_COMPARISONS)
def test_a_broken_comparison_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    good = {
        "id": "x",
        "photos": ["coffee", "wine"],
        "kind": "which",
        "question": "どちらですか。",
        "answers": ["1枚目"],
    }
    path = tmp_path / "comparisons.yaml"
    path.write_text(yaml.safe_dump([{**good, **change}], allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        photos.read_comparisons(path)


def test_a_missing_source_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run 'tasks/data/fetch_sources.sh .*' first"):
        packaged_file("gcompris-qt-data", "explore_monuments.rcc", None, tmp_path)


def test_the_fetch_script_pins_the_versions_that_are_credited() -> None:
    script = data_file("fetch_sources.sh").read_text(encoding="utf-8")
    for credit in photos.credits():
        if not credit.package.startswith("scikit-"):
            assert f"{credit.package}={credit.version}" in script


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1536, 1024), (768, 512)), ((300, 900), (256, 768)), ((40, 30), (40, 30))],
)
def test_large_pictures_shrink_and_small_ones_stay(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGBA", size, (200, 30, 30, 255)).save(buffer, "PNG")
    first, second = (shrunken(Image(buffer.getvalue())) for _ in range(2))
    assert first == second
    with PIL.Image.open(io.BytesIO(first)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", expected)


def test_a_packaged_photograph_is_the_one_that_was_described(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    for photo in photos.read_photos().photos:
        if photo.package == "scikit-image":
            data = packaged_file(photo.package, photo.file, photo.member, tmp_path)
            assert Image(data).digest == photo.digest, photo.key
