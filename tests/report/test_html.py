from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from made_runs import answered_run, make_run, make_task, picture, question

from vlmbench.records import Image
from vlmbench.report.html import build_report
from vlmbench.report.images import ImageStore

ROWS = [
    question(
        n,
        text="これは春です。<image>これは秋です。<image>違いは何色ですか。"
        if n == 0
        else "何色ですか。",
        images=["a.png", "b.png"] if n == 0 else [f"{n % 3}.png"],
        files={"b.png": picture(99)} if n == 0 else {},
        answer="赤",
    )
    for n in range(6)
]


class Page(HTMLParser):
    """Tags with their attributes, and the content of JSON elements."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.json: dict[str, Any] = {}
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") or "" if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.json[self._inside] = json.loads(data)
            self._inside = ""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    task = make_task(tmp_path / "tasks", ROWS)
    texts = {"q0": "赤", "q1": "青", "q2": "", "q3": "赤です。", "q4": "あか"}
    answered_run(task, tmp_path / "runs", "m", texts)
    make_run(task, tmp_path / "runs", "baseline:oracle")
    return build_report([tmp_path / "runs"], tmp_path / "site").parent


def test_samples_hold_prompt_answers_and_errors(site: Path) -> None:
    data = Page(site / "tasks" / "ja-small.html").json["data"]
    assert [model["name"] for model in data["models"]] == ["scripted-m", "baseline-oracle"]
    samples = {sample["id"]: sample for sample in data["samples"]}
    assert samples["q0"]["parts"] == [
        "これは春です。",
        0,
        "これは秋です。",
        1,
        "違いは何色ですか。",
    ]
    outcomes = {name: sample["answers"][0]["outcome"] for name, sample in samples.items()}
    assert outcomes == {
        "q0": "right",
        "q1": "wrong",
        "q2": "wrong",
        "q3": "right",
        "q4": "wrong",
        "q5": "error",
    }
    assert samples["q5"]["answers"][0]["error"]["kind"] == "runner"
    assert samples["q5"]["answers"][0]["value"] is None


def test_each_image_is_written_once_and_all_links_lead_to_files(site: Path) -> None:
    data = Page(site / "tasks" / "ja-small.html").json["data"]
    # a.png and b.png of the first row, then 1.png, 2.png and 0.png.
    assert len(data["images"]) == len(list((site / "images").iterdir())) == 5
    assert all((site / image["src"]).is_file() for image in data["images"])
    for path in (site / "index.html", site / "tasks" / "ja-small.html"):
        links = [
            link
            for _, attributes in Page(path).tags
            for link in (attributes.get("href"), attributes.get("src"))
            if link and not link.startswith(("data:", "#"))
        ]
        assert links
        assert all((path.parent / link).is_file() for link in links)


def test_sections_are_labelled_by_headings_that_are_there(site: Path) -> None:
    tags = Page(site / "tasks" / "ja-small.html").tags
    ids = {attributes.get("id") for tag, attributes in tags if tag == "h2"}
    labels = [attributes.get("aria-labelledby") for tag, attributes in tags if tag == "section"]
    assert len(labels) >= 4 and set(labels) <= ids


def test_pages_hold_no_inline_script_style_or_handler(site: Path) -> None:
    for path in (site / "index.html", site / "tasks" / "ja-small.html"):
        for tag, attributes in Page(path).tags:
            assert tag != "style"
            assert not any(name == "style" or name.startswith("on") for name in attributes)
            if tag == "script":
                assert "src" in attributes or attributes["type"] == "application/json"
        assert "unsafe" not in path.read_text()


def test_numbers_are_those_of_the_run_records(tmp_path: Path, site: Path) -> None:
    record = json.loads((tmp_path / "runs/scripted-m/ja-small/run.json").read_text())
    whole = next(e for e in record["estimates"] if e["slice"] is None)
    text = (site / "index.html").read_text()
    for number in (whole["value"], whole["low"], whole["high"], *whole["bounds"]):
        assert f"{number:.3f}" in text
    assert "5 / 6" in re.sub(r"\s+", " ", text)


def test_building_again_gives_the_same_bytes(tmp_path: Path, site: Path) -> None:
    again = build_report([tmp_path / "runs"], tmp_path / "again").parent
    files = [path.relative_to(site) for path in site.rglob("*") if path.is_file()]
    assert len(files) >= 10
    assert all((site / name).read_bytes() == (again / name).read_bytes() for name in files)


def test_fewer_samples_are_spread_over_the_task(tmp_path: Path, site: Path) -> None:
    build_report([tmp_path / "runs"], site, samples_per_task=3)
    data = Page(site / "tasks" / "ja-small.html").json["data"]
    assert [sample["id"] for sample in data["samples"]] == ["q1", "q3", "q5"]


def test_lost_data_still_gives_a_report(tmp_path: Path, site: Path) -> None:
    (tmp_path / "tasks" / "ja-small.jsonl").unlink()
    build_report([tmp_path / "runs"], site)
    data = Page(site / "tasks" / "ja-small.html").json["data"]
    assert "ja-small.jsonl" in data["problem"]
    assert len(data["samples"]) == 6
    # Prompts and references come from the journal; only the pictures are missing.
    assert all(sample["references"] for sample in data["samples"])
    assert (4, "何色ですか。") in {tuple(sample["parts"]) for sample in data["samples"]}
    assert all(image["src"] is None for image in data["images"])
    assert data["samples"][0]["answers"][0]["value"] == 1.0


def test_answer_to_another_version_of_the_prompt_is_marked(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for folder, models in (("a", ("oracle", "majority")), ("b", ("random",))):
        prompt = f"{folder}: {{{{ row.question | interleave }}}}"
        task = make_task(tmp_path / folder, ROWS, prompt=prompt)
        for model in models:
            make_run(task, runs, f"baseline:{model}")
    build_report([runs], tmp_path / "site")
    data = Page(tmp_path / "site" / "tasks" / "ja-small.html").json["data"]
    marked = {
        model["name"]
        for model, answer in zip(data["models"], data["samples"][0]["answers"], strict=True)
        if answer["other_prompt"]
    }
    assert marked == {"baseline-random"}


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("BMP", ".png"), ("GIF", ".png")],
)
def test_images_stay_as_they_are_or_become_png(tmp_path: Path, kind: str, suffix: str) -> None:
    data = picture(3, kind)
    stored = ImageStore(tmp_path / "images").add(Image(data))
    path = tmp_path / str(stored["src"])
    assert (path.suffix, stored["width"], stored["height"]) == (suffix, 64, 48)
    if kind in ("PNG", "JPEG", "WEBP"):
        assert path.read_bytes() == data
    else:
        assert PIL.Image.open(io.BytesIO(path.read_bytes())).format == "PNG"


def test_what_is_no_image_is_not_written(tmp_path: Path) -> None:
    stored = ImageStore(tmp_path / "images").add(Image(b"<script>alert(1)</script>"))
    assert stored["src"] is None
    assert not (tmp_path / "images").exists()
