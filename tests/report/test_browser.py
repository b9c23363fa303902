"""The built site in a real browser, opened from the file system."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_runs import answered_run, make_run, make_task, question
from made_training import running, write_log
from playwright.sync_api import Browser, Page, sync_playwright

from vlmbench.report.html import build_report
from vlmbench.report.training import write_training_page

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
]

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "{{ 7 * 7 }} &amp; <b>bold</b>",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not complain and not ask for anything but files."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    opened.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file://", "data:")) else complaints.append(request.url)
        ),
    )
    yield opened
    opened.close()
    assert complaints == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, three models, baselines; 45 samples; hostile texts wherever texts may stand."""
    folder = tmp_path_factory.mktemp("report")
    rows = [
        question(n, level="basic" if n < 30 else "real", kind=("what", "colour")[n % 2])
        for n in range(45)
    ]
    for row, text in zip(rows, HOSTILE, strict=False):
        row["question"] = row["references"][0] = text
        row["id"] = f"{row['id']} {text}"
        row["kind"] = text
    rows[2]["files"] = {}
    rows[2]["images"] = ['"><img src=x onerror=window.hacked=1>.png']
    runs = folder / "runs"
    for name in ("ja-first", "ja-second"):
        task = make_task(folder / "tasks", rows, name=name, title=f"{name} {HOSTILE[1]}")
        for count, model in ((10, "low"), (30, "high"), (20, "middle")):
            right = {row["id"]: row["references"][0] for row in rows[:count]}
            wrong = {row["id"]: HOSTILE[n % 4] + "?" for n, row in enumerate(rows[count:])}
            answered_run(task, runs, model, {**right, **wrong})
        for kind in ("oracle", "blind-majority"):
            make_run(task, runs, f"baseline:{kind}")
        add_blind_variant(runs / "scripted-high" / name)
        rename(runs / "scripted-low" / name / "run.json", HOSTILE[1])
    return build_report([runs], folder / "site").parent


def add_blind_variant(plain: Path) -> None:
    """The same answers as those of the same questions without the image."""
    variant = plain.with_name(f"{plain.name}@blind")
    shutil.copytree(plain, variant)
    record = json.loads((variant / "run.json").read_text())
    (variant / "run.json").write_text(json.dumps({**record, "variant": "blind"}))


def rename(record: Path, model: str) -> None:
    data = json.loads(record.read_text())
    record.write_text(json.dumps({**data, "model": model}))


def names(page: Page) -> list[str]:
    return page.locator("[data-panel=overall] tbody:first-of-type th[scope=row]").all_inner_texts()


def open_task(page: Page, site: Path, state: str = "") -> None:
    page.goto((site / "tasks" / "ja-first.html").as_uri() + state)


def test_sorting_by_mouse_and_keyboard(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    assert names(page) == ["scripted-high", "scripted-middle", HOSTILE[1]]
    button = page.locator("[data-panel=overall] th .sort").nth(1)
    button.click()
    assert names(page)[0] == "scripted-high"
    button.focus()
    page.keyboard.press("Enter")
    assert names(page) == [HOSTILE[1], "scripted-middle", "scripted-high"]
    assert button.locator("..").get_attribute("aria-sort") == "ascending"
    rows = page.locator("[data-panel=overall] tbody.baselines th").all_inner_texts()
    assert rows == ["Baselines", "baseline-blind-majority", "baseline-oracle"]


def test_views_by_slice(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    shown = page.locator("section[data-panel]:visible")
    assert shown.count() == 1
    page.get_by_role("button", name="By level").click()
    assert shown.count() == 1
    assert shown.locator("thead th").all_inner_texts()[:3] == ["Model", "basic", "real"]


def test_filters_search_and_pages(page: Page, site: Path) -> None:
    open_task(page, site)
    articles = page.locator("article.sample")
    assert articles.count() == 20
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    assert articles.count() == 5
    page.locator("select[name='field.level']").select_option("real")
    assert articles.count() == 15
    page.locator("select[name=model]").select_option("scripted-high")
    page.locator("select[name=outcome]").select_option("right")
    assert articles.count() == 0
    page.get_by_role("button", name="Reset").click()
    page.locator("input[name=q]").fill("ｑ４４")  # full-width letters find half-width ones
    assert articles.count() == 1
    address = page.url.partition("#")[2]
    open_task(page, site, f"#{address}")
    assert articles.count() == 1


@pytest.mark.parametrize("name", ["index.html", "tasks/ja-first.html"])
def test_texts_stay_texts(page: Page, site: Path, name: str) -> None:
    page.goto((site / name).as_uri())
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    body = page.locator("body").inner_text()
    expected = HOSTILE if "tasks" in name else [HOSTILE[1]]
    assert [text for text in expected if text not in body] == []


def test_variant_answers_are_there_on_demand(page: Page, site: Path) -> None:
    open_task(page, site, "#model=scripted-high&outcome=wrong")
    row = page.locator("article.sample").first.locator("tr.variants")
    assert row.count() == 1
    summary = " ".join(row.locator("summary").inner_text().split())
    assert summary == "With a perturbed prompt or image no image ✗"
    assert not row.locator("dd").is_visible()
    row.locator("summary").click()
    assert row.locator("dd").is_visible() and row.locator("dd").inner_text().endswith("?")
    assert page.evaluate("window.hacked") is None


def test_baselines_are_shown_on_demand(page: Page, site: Path) -> None:
    open_task(page, site)
    rows = page.locator("article.sample").first.locator("tbody th")
    assert rows.all_inner_texts() == ["scripted-high", "scripted-middle", HOSTILE[1]]
    page.get_by_label("Show baselines").check()
    assert rows.count() == 5


def test_unreadable_image_is_said_to_be_so(page: Page, site: Path) -> None:
    open_task(page, site, "#q=q2+")
    assert page.locator("article.sample .badge", has_text="unreadable image").count() == 1


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["index.html", "tasks/ja-first.html"])
def test_the_page_never_scrolls_sideways(page: Page, site: Path, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto((site / name).as_uri())
    for panel in page.locator(".views button").all() or [None]:
        if panel is not None:
            panel.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_language_is_switched_and_remembered(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "リーダーボード"
    assert page.locator("html").get_attribute("lang") == "ja"
    open_task(page, site)
    assert "サンプル" in page.locator("h2").all_inner_texts()
    assert page.locator("input[type=search]").get_attribute("placeholder")
    english = page.evaluate(
        "[...document.querySelectorAll('[data-t]')].filter("
        "(e) => e.textContent === STRINGS[e.dataset.t][0] && STRINGS[e.dataset.t][0]"
        " !== STRINGS[e.dataset.t][1]).map((e) => e.dataset.t)"
    )
    assert english == []


def test_the_page_of_a_training(page: Page, tmp_path: Path) -> None:
    path = write_training_page(write_log(tmp_path, running(HOSTILE[0])))
    page.goto(path.as_uri())
    assert page.title().startswith(HOSTILE[0])
    assert page.evaluate("window.hacked") is None
    assert page.locator("h1").text_content() == HOSTILE[0]
    # The style is the page's own, allowed by its digest, and a picture inside it is shown.
    assert page.locator(".charts").first.evaluate("e => getComputedStyle(e).display") == "grid"
    assert page.locator(".probes img").first.evaluate("e => e.naturalWidth") == 1
    page.click("#language")
    assert page.locator("h3").first.text_content() == "推移"
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
