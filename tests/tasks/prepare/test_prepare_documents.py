"""Documents: real PDFs of colored pages, made here by Pillow, become the rows of a task."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageColor
import pytest

from vlmbench.check import check_task
from vlmbench.cli.main import main
from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.tasks.prepare.documents import LARGEST, page_image
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples

pytest.importorskip("pypdfium2", reason="rendering pages needs vlmbench-ja[documents]")

COLORS = ["red", "lime", "blue", "yellow", "white"]


def pdf(file: Path, *, points: tuple[int, int] = (144, 72)) -> None:
    """A page of each color; Pillow makes a pixel a point at 72 dots an inch."""
    file.parent.mkdir(exist_ok=True)
    first, *others = (PIL.Image.new("RGB", points, color) for color in COLORS)
    first.save(file, save_all=True, append_images=others, resolution=72)


def colors(images: tuple[Image, ...]) -> list[str]:
    """The name of the color in the middle of each picture."""
    known = {PIL.ImageColor.getrgb(name): name for name in COLORS}
    found = []
    for image in images:
        picture = image.decode()
        pixel = picture.getpixel((picture.width // 2, picture.height // 2))
        assert isinstance(pixel, tuple)
        # JPEG, which Pillow writes into PDFs, shifts them a bit.
        found.append(known[tuple(255 * round(value / 255) for value in pixel)])
    return found


def annotation(**columns: Any) -> str:
    """A line as mizuumi/JDocQA's dataset/README.md describes it."""
    row = {
        "pdf_name": "a.pdf",
        "question_page_number": "2",
        "question": "総額は？\n解答は数量のみで答えてください。",
        "answer": "12個",
        "answer_type": "3",
    }
    return json.dumps({**row, **columns}, ensure_ascii=False)


def prepare(name: str, folder: Path) -> int:
    return main(["tasks", "prepare", name, "--data-dir", str(folder)])


def test_the_size_of_a_picture(tmp_path: Path) -> None:
    """A point is 1/72 inch (ISO 32000-1, 8.3.2.3), so 144 x 72 points are 400 x 200 at 200 dpi."""
    pdf(tmp_path / "a.pdf")
    picture = Image(page_image(tmp_path / "a.pdf", 1, dpi=200)).decode()
    assert picture.size == (400, 200)
    pdf(tmp_path / "poster.pdf", points=(4000, 2000))
    poster = Image(page_image(tmp_path / "poster.pdf", 1, dpi=200)).decode()
    assert 0.99 * LARGEST < poster.width * poster.height < 1.01 * LARGEST


@pytest.mark.parametrize("number", [0, 6])
def test_a_page_that_there_is_not(tmp_path: Path, number: int) -> None:
    pdf(tmp_path / "a.pdf")
    with pytest.raises(DataError, match=f"has 5 pages and not a page {number}"):
        page_image(tmp_path / "a.pdf", number, dpi=200)


def test_jdocqa(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Question pages count from 1, and answer types from 1 there and from 0 in the task."""
    pdf(tmp_path / "jdocqa-pdfs" / "a.pdf")
    pdf(tmp_path / "jdocqa-pdfs" / "b.pdf")
    lines = [
        annotation(),
        annotation(question_page_number="3,1", answer_type="4", pdf_name="../jdocqa-pdfs/b.pdf"),
        annotation(question_page_number="1,2,3,4,5", answer_type="1", answer="はい"),
        annotation(question_page_number=""),
    ]
    (tmp_path / "jdocqa.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert prepare("jdocqa", tmp_path) == 0
    said = capsys.readouterr().out
    assert "jdocqa.parquet: 3 rows. 1 rows without an image are left out." in said
    task = load_task("jdocqa", data_dir=tmp_path)
    assert check_task(task).problems == ()
    one, two, three = read_samples(task)
    assert [sample.id for sample in (one, two, three)] == ["0", "1", "2"]
    kinds = [sample.meta["kind"] for sample in (one, two, three)]
    assert kinds == ["numerical", "open-ended", "yesno"]
    assert colors(one.images) == ["lime"]
    assert colors(two.images) == ["blue", "red"]
    assert colors(three.images) == ["red", "lime", "blue", "yellow"]
    assert one.images[0].decode().size == (400, 200)


def test_business_slides(tmp_path: Path) -> None:
    name = "f3481b9f65c75efec1e5398f76bd8347e64661573961b69423568699f1d7083a"
    pdf(tmp_path / "business-slide-vqa-pdfs" / f"{name}.pdf")
    row = {"question_id": 7, "image type": "表", "question": "店名は？", "answer": "山田屋です。"}
    questions = [{**row, "image": f"{name}_page_003.png"}]
    (tmp_path / "business-slide-vqa.json").write_text(json.dumps(questions), encoding="utf-8")
    assert prepare("business-slide-vqa", tmp_path) == 0
    (sample,) = read_samples(load_task("business-slide-vqa", data_dir=tmp_path))
    assert (sample.id, sample.references) == ("7", ("山田屋です。",))
    assert colors(sample.images) == ["blue"]


def test_missing_pdfs_are_named_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pdf(tmp_path / "jdocqa-pdfs" / "a.pdf")
    lines = [annotation(), *(annotation(pdf_name=f"{n}.pdf") for n in range(5))]
    (tmp_path / "jdocqa.json").write_text("\n".join(lines), encoding="utf-8")
    assert prepare("jdocqa", tmp_path) == 2
    said = capsys.readouterr().err
    assert "5 of 6 PDFs are not in" in said and "0.pdf, 1.pdf, 2.pdf and so on; add them." in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("jdocqa.par*"))


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("{", "Line 1 of"),
        ('{"pdf_name": "a.pdf"}', "does not hold JDocQA's annotations"),
        (annotation(answer_type="5"), "does not hold JDocQA's annotations"),
        (annotation(question_page_number="9"), "has 5 pages and not a page 9"),
        (annotation(pdf_name="broken.pdf"), "cannot be read as a PDF"),
    ],
)
def test_what_is_broken_leaves_nothing_half_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, fragment: str
) -> None:
    pdf(tmp_path / "jdocqa-pdfs" / "a.pdf")
    (tmp_path / "jdocqa-pdfs" / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    lines = [*[annotation()] * 20, content] if content.startswith('{"pdf_name": "') else [content]
    (tmp_path / "jdocqa.json").write_text("\n".join(lines), encoding="utf-8")
    assert prepare("jdocqa", tmp_path) == 2
    said = capsys.readouterr().err
    assert fragment in said and said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"jdocqa.json", "jdocqa-pdfs"}


def test_the_package_is_named_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pdf(tmp_path / "jdocqa-pdfs" / "a.pdf")
    (tmp_path / "jdocqa.json").write_text(annotation(), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    assert prepare("jdocqa", tmp_path) == 2
    assert "run pip install 'vlmbench-ja[documents]'" in capsys.readouterr().err


def test_without_documents_one_sentence_says_what_to_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare("jdocqa", tmp_path) == 0
    said = capsys.readouterr().out
    assert "is read from the Hub (speed/JDocQA)" in said
    assert "put dataset/annotation_files/jdocqa_test_all.json of mizuumi/JDocQA into" in said
