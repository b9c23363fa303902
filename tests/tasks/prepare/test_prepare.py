"""`tasks prepare`: downloaded files become what the task reads, or one sentence says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from made_tasks import picture

from vlmbench.check import check_task
from vlmbench.cli.main import main
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples


def prepare(name: str, folder: Path) -> int:
    return main(["tasks", "prepare", name, "--data-dir", str(folder)])


def coco(folder: Path, images: int = 2) -> None:
    """Two captioned images in COCO's form."""
    annotations = [
        {"id": n, "image_id": number, "caption": f"{number}枚目の説明{n}。"}
        for number in (7, 9)
        for n in range(3)
    ]
    content = {"images": [{"id": 9, "file_name": "../nine.jpg"}], "annotations": annotations}
    (folder / "stair-captions.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "coco").mkdir()
    for name in ("COCO_val2014_000000000007.jpg", "nine.jpg")[:images]:
        (folder / "coco" / name).write_bytes(picture())


def test_captions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco(tmp_path)
    assert prepare("stair-captions", tmp_path) == 0
    assert "stair-captions.parquet: 2 rows." in capsys.readouterr().out
    task = load_task("stair-captions", data_dir=tmp_path)
    assert check_task(task).problems == ()
    first, second = read_samples(task)
    assert (first.id, second.id) == ("7", "9")
    assert first.references == ("7枚目の説明0。", "7枚目の説明1。", "7枚目の説明2。")
    assert prepare("stair-captions", tmp_path) == 0
    assert "already" in capsys.readouterr().out


def test_a_table_with_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["id,url,category,question"]
    lines += [f"{n},http://x/{n},桜,この花は何ですか？桜、梅から。" for n in (1, 2)]
    (tmp_path / "jic-vqa.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "jic-vqa-images").mkdir()
    (tmp_path / "jic-vqa-images" / "2.png").write_bytes(picture())
    assert prepare("jic-vqa", tmp_path) == 0
    assert "1 rows. 1 rows without an image are left out." in capsys.readouterr().out
    task = load_task("jic-vqa", data_dir=tmp_path)
    (sample,) = read_samples(task)
    assert (sample.id, sample.references, sample.meta) == ("2", ("桜",), {"domain": "jaflower30"})


@pytest.mark.parametrize(
    ("name", "column", "image"),
    [
        ("llava-bench-coco-ja", "text_JA", "COCO_val2014_001.jpg"),
        ("llava-bench-in-the-wild-ja", "jp", "001.jpg"),
    ],
)
def test_questions_and_answers_of_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, column: str, image: str
) -> None:
    """The columns are those of turingmotors/heron's playground/data at 883cd7c."""
    question = {"image": "../001.jpg", "text": "What?", "category": "conv"}
    questions = [{**question, "question_id": n, column: f"問{n}は何ですか？"} for n in (0, 1)]
    answers = [{"question_id": n, "text": "It is.", column: f"答{n}です。"} for n in (1, 0)]
    for kind, rows in (("questions", questions), ("answers", answers)):
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (tmp_path / f"{name}-{kind}.jsonl").write_text(text + "\n", encoding="utf-8")
    assert prepare(name, tmp_path) == 2
    assert "1 of 1 images are not in" in capsys.readouterr().err
    (tmp_path / f"{name}-images").mkdir()
    (tmp_path / f"{name}-images" / image).write_bytes(picture())
    assert prepare(name, tmp_path) == 0
    task = load_task(name, data_dir=tmp_path)
    assert check_task(task).problems == ()
    found = [(one.id, one.references, one.images[0].data) for one in read_samples(task)]
    assert found == [("0", ("答0です。",), picture()), ("1", ("答1です。",), picture())]

    (tmp_path / f"{name}.parquet").unlink()
    (tmp_path / f"{name}-answers.jsonl").write_text(json.dumps(answers[0]), encoding="utf-8")
    assert prepare(name, tmp_path) == 2
    assert "do not belong together" in capsys.readouterr().err


def test_missing_images_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco(tmp_path, images=1)
    assert prepare("stair-captions", tmp_path) == 2
    assert "1 of 2 images are not in" in capsys.readouterr().err
    assert not (tmp_path / "stair-captions.parquet").exists()


@pytest.mark.parametrize(
    ("name", "code", "fragment"),
    [
        ("ja-vqa", 0, "ships with vlmbench; nothing is to be prepared."),
        ("jmmmu", 0, "is read from the Hub (JMMMU/JMMMU); nothing is to be prepared, and"),
        ("yj-captions", 2, "There is no yj-captions.json in"),
        ("jic-vqa", 2, "There is no jic-vqa.csv in"),
        ("llava-bench-coco-ja", 2, "There is no llava-bench-coco-ja-questions.jsonl in"),
    ],
)
def test_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, fragment: str
) -> None:
    assert prepare(name, tmp_path) == code
    captured = capsys.readouterr()
    text = (captured.out + captured.err).strip()
    assert fragment in text
    assert "\n" not in text


def test_a_task_without_a_recipe_says_what_to_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = load_task("stair-captions").as_dict()
    task = {**task, "name": "mine", "data": {"manual": "bring the rows."}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(task, allow_unicode=True), encoding="utf-8")
    assert prepare(str(tmp_path / "mine.yaml"), tmp_path) == 2
    assert "mine cannot be prepared without you: bring the rows." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "fragment"),
    [("{", "is not JSON"), ("[]", "is not in COCO's form"), ('{"annotations": [1]}', "form")],
)
def test_broken_annotations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fragment: str
) -> None:
    (tmp_path / "stair-captions.json").write_text(text, encoding="utf-8")
    assert prepare("stair-captions", tmp_path) == 2
    assert fragment in capsys.readouterr().err


def test_a_directory_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "prepare", "jic-vqa"]) == 2
    assert "add '--data-dir DIR'" in capsys.readouterr().err
