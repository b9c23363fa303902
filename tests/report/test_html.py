from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import PIL.Image
import pytest
from made_runs import answered_run, make_run, make_task, picture, question
from made_site import Page, answers, data, index, samples

from vlmbench.cli.main import main
from vlmbench.records import Image
from vlmbench.report.html import build_report
from vlmbench.report.images import ImageStore
from vlmbench.report.model_facts import model_facts
from vlmbench.report.site import Site
from vlmbench.runs.directory import RunDir

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


@pytest.fixture
def site(tmp_path: Path) -> Path:
    task = make_task(tmp_path / "tasks", ROWS)
    texts = {"q0": "赤", "q1": "青", "q2": "", "q3": "赤です。", "q4": "あか"}
    answered_run(task, tmp_path / "runs", "m", texts)
    make_run(task, tmp_path / "runs", "baseline:oracle")
    return build_report([tmp_path / "runs"], tmp_path / "site").parent


def test_samples_hold_prompt_answers_and_errors(site: Path) -> None:
    models = index(site, "ja-small")["models"]
    assert [model["name"] for model in models] == ["scripted-m", "baseline-oracle"]
    parts = samples(site, "ja-small")["q0"]["parts"]
    assert [one if isinstance(one, str) else "image" for one in parts] == [
        "これは春です。",
        "image",
        "これは秋です。",
        "image",
        "違いは何色ですか。",
    ]
    found = answers(site, "ja-small", "scripted-m")
    assert {name: one["outcome"] for name, one in found.items()} == {
        "q0": "right",
        "q1": "wrong",
        "q2": "wrong",
        "q3": "right",
        "q4": "wrong",
        "q5": "error",
    }
    assert found["q5"]["error"]["kind"] == "runner"
    assert found["q5"]["value"] is None
    slug = models[0]["slug"]
    assert data(site / "samples" / "ja-small" / f"{slug}.head.js")["outcomes"] == "rwwrwe"


def test_each_image_is_written_once_and_all_links_lead_to_files(site: Path) -> None:
    parts = [one for sample in samples(site, "ja-small").values() for one in sample["parts"]]
    images = {one["src"] for one in parts if isinstance(one, dict)}
    # a.png and b.png of the first row, then 1.png, 2.png and 0.png.
    assert len(images) == len(list((site / "images").iterdir())) == 5
    assert all((site / image).is_file() for image in images)
    for path in pages(site):
        links = [
            link.partition("#")[0]
            for _, attributes in Page(path).tags
            for link in (attributes.get("href"), attributes.get("src"))
            if link and not link.startswith(("data:", "#", "https:"))
        ]
        assert links
        assert [link for link in links if not (path.parent / link).is_file()] == []


def pages(site: Path) -> list[Path]:
    found = [path for path in site.rglob("*.html") if ".cache" not in path.parts]
    assert len(found) == 6  # the leaderboard, the comparison, a task, its samples, two models
    return found


def test_sections_are_labelled_by_headings_that_are_there(site: Path) -> None:
    tags = Page(site / "tasks" / "ja-small.html").tags
    ids = {attributes.get("id") for tag, attributes in tags if tag == "h2"}
    labels = [attributes.get("aria-labelledby") for tag, attributes in tags if tag == "section"]
    assert len(labels) >= 4 and {*labels} <= ids | {None}


def test_pages_hold_no_inline_script_style_or_handler(site: Path) -> None:
    for path in pages(site):
        for tag, attributes in Page(path).tags:
            assert tag != "style"
            assert not any(name == "style" or name.startswith("on") for name in attributes)
            if tag == "script":
                assert "src" in attributes
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
    assert index(site, "ja-small")["ids"] == ["q1", "q3", "q5"]
    assert answers(site, "ja-small", "scripted-m")["q3"]["outcome"] == "right"
    # The page says that it is a selection; the scores stay those of all samples.
    assert "3 / 6" in (site / "samples" / "ja-small.html").read_text()
    assert "5 / 6" in re.sub(r"\s+", " ", (site / "index.html").read_text())


def test_lost_data_still_gives_a_report(tmp_path: Path, site: Path) -> None:
    (tmp_path / "tasks" / "ja-small.jsonl").unlink()
    build_report([tmp_path / "runs"], tmp_path / "other")
    page = (tmp_path / "other" / "samples" / "ja-small.html").read_text()
    assert "ja-small.jsonl" in page
    found = samples(tmp_path / "other", "ja-small")
    assert len(found) == 6
    # Prompts and references come from the journal; only the pictures are missing.
    assert all(sample["references"] for sample in found.values())
    shown = found["q1"]["parts"]
    assert shown[-1] == "何色ですか。" and shown[0]["src"] is None
    assert answers(tmp_path / "other", "ja-small", "scripted-m")["q0"]["value"] == 1.0


def test_answer_to_another_version_of_the_prompt_is_marked(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for folder, models in (("a", ("oracle", "majority")), ("b", ("random",))):
        prompt = f"{folder}: {{{{ row.question | interleave }}}}"
        task = make_task(tmp_path / folder, ROWS, prompt=prompt)
        for model in models:
            make_run(task, runs, f"baseline:{model}")
    site = build_report([runs], tmp_path / "site").parent
    names = [model["name"] for model in index(site, "ja-small")["models"]]
    marked = {name for name in names if answers(site, "ja-small", name)["q0"].get("other_prompt")}
    assert marked == {"baseline-random"}


def test_metrics_added_later_reach_the_samples(tmp_path: Path, site: Path) -> None:
    assert main(["score", str(tmp_path / "runs"), "--metrics", "overlap.chrf"]) == 0
    build_report([tmp_path / "runs"], site)
    found = answers(site, "ja-small", "scripted-m")
    # By hand: 赤 is the reference, and 青 shares no character with it.
    assert found["q0"]["others"]["overlap.chrf"] == 1.0
    assert found["q1"]["others"]["overlap.chrf"] == 0.0


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("BMP", ".png"), ("GIF", ".png")],
)
def test_images_stay_as_they_are_or_become_png(tmp_path: Path, kind: str, suffix: str) -> None:
    data_ = picture(3, kind)
    stored = ImageStore(Site(tmp_path, tmp_path / "none")).add(Image(data_))
    path = tmp_path / str(stored["src"])
    assert (path.suffix, stored["width"], stored["height"]) == (suffix, 64, 48)
    if kind in ("PNG", "JPEG", "WEBP"):
        assert path.read_bytes() == data_
    else:
        assert PIL.Image.open(io.BytesIO(path.read_bytes())).format == "PNG"


def test_what_is_no_image_is_not_written(tmp_path: Path) -> None:
    stored = ImageStore(Site(tmp_path, tmp_path / "none")).add(Image(b"<script>alert(1)</script>"))
    assert stored["src"] is None
    assert not (tmp_path / "images").exists()


def test_a_large_image_has_a_smaller_one_to_show(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (1440, 900), "red").save(buffer, format="PNG")
    stored = ImageStore(Site(tmp_path, tmp_path / "none")).add(Image(buffer.getvalue()))
    assert (stored["width"], stored["height"]) == (1440, 900)
    with PIL.Image.open(tmp_path / str(stored["thumb"])) as small:
        assert small.size == (720, 450)


def test_one_is_no_plural_and_a_part_is_named_in_both_languages(tmp_path: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    answered_run(task, tmp_path / "runs", "m", {"q0": "赤", "q1": "青"}, limit=2)
    page = build_report([tmp_path / "runs"], tmp_path / "site").read_text(encoding="utf-8")
    counts = re.sub("<[^>]+>", "", page.split('class="counts">')[1].partition("</p>")[0])
    assert counts == "1 model 1 task 2 samples"
    assert "2 / 6" in page and "2 of 6" not in page


def test_the_hardest_are_those_that_some_models_get(tmp_path: Path) -> None:
    task = make_task(tmp_path / "tasks", ROWS)
    for name, texts in (("a", "赤赤青赤赤青"), ("b", "赤青青赤赤青")):
        answers_of = {f"q{n}": text for n, text in enumerate(texts)}
        answered_run(task, tmp_path / "runs", name, answers_of)
    site = build_report([tmp_path / "runs"], tmp_path / "site").parent
    page = (site / "tasks" / "ja-small.html").read_text(encoding="utf-8")
    lists = re.findall(r'<ul class="sample-links">(.*?)</ul>', page, re.DOTALL)
    found = [re.findall(r"#id=(\w+)", one) for one in lists]
    assert found == [["q1"], ["q2", "q5"], ["q1"]]


@pytest.mark.parametrize(
    ("runner", "endpoint", "weights"),
    [
        ("openai_api", "https://api.example.com/v1", False),
        ("openai_api", "http://gpu7:8000/v1", None),  # the open model of somebody's cluster
        ("served", "", True),
        ("imported", "", None),
    ],
)
def test_weights_are_called_closed_of_a_service_only(
    site: Path, runner: str, endpoint: str, weights: bool | None
) -> None:
    record = RunDir(site.parent / "runs" / "scripted-m" / "ja-small").read_record()
    spec = {**record.model_spec, "runner": runner}
    environment = {**record.environment, "endpoint": endpoint}
    changed = dataclasses.replace(record, model_spec=spec, environment=environment)
    assert model_facts([changed]).open is weights
