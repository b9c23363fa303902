"""The built site in a real browser, opened from the file system: what its readers can do."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import pytest
from locations import ROOT
from made_runs import answered_run, make_run, make_task, question
from made_site import answers, index, samples
from made_training import running, write_log
from playwright.sync_api import Browser, Page, sync_playwright

from vlmbench.report import search_text
from vlmbench.report.html import build_report
from vlmbench.report.search_text import folded
from vlmbench.report.training import write_training_page

CHROMIUM = shutil.which("chromium")
AXE = Path(str(resources.files("axe_playwright_python") / "axe.min.js"))

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
    opened.on(
        "requestfailed",
        lambda request: (
            # What was being read when the page was left.
            None
            if request.failure == "net::ERR_ABORTED"
            else complaints.append(f"failed: {request.url} ({request.failure})")
        ),
    )
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
    rows[5]["question"] = "とても長い質問です。" * 80
    rows[6]["question"] = "赤いりんごとバナナの数は何個ですか。"
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
        train_from(runs / "scripted-high" / name / "run.json", folder / "high", "step-2")
        train_from(runs / "scripted-middle" / name / "run.json", folder / "middle", "step-1")
    partial = make_task(folder / "tasks", rows, name="ja-second", title=f"ja-second {HOSTILE[1]}")
    answered_run(partial, runs, "partial", {row["id"]: row["references"][0] for row in rows[:9]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_text, "LARGEST", 500)  # what is searched lies in several files
        return build_report([runs], folder / "site").parent


def add_blind_variant(plain: Path) -> None:
    """The same answers as those of the same questions without the image."""
    variant = plain.with_name(f"{plain.name}@blind")
    shutil.copytree(plain, variant)
    record = json.loads((variant / "run.json").read_text())
    (variant / "run.json").write_text(json.dumps({**record, "variant": "blind"}))


def train_from(record: Path, folder: Path, step: str) -> None:
    """Makes a run look like that of a checkpoint; those of step 2 were trained from step 1."""
    data = json.loads(record.read_text())
    data["model_spec"] |= {"runner": "hf", "location": str(folder)}
    data["fingerprints"]["model"] = step
    data["environment"] |= {"parameters": 7_000_000_000, "family": f"Family {step}"}
    record.write_text(json.dumps(data))
    folder.mkdir(exist_ok=True)
    facts = {"name": "tuned", "step": int(step[-1]), "base": {"fingerprint": "step-1"}}
    (folder / "checkpoint.json").write_text(json.dumps(facts))


def rename(record: Path, model: str) -> None:
    data = json.loads(record.read_text())
    record.write_text(json.dumps({**data, "model": model}))


PAGES = ("index", "compare", "tasks/ja-first", "samples/ja-first", "models/scripted-high")
WIDTHS = (390, 1280, 2560)


def opened(page: Page, site: Path, name: str, state: str = "") -> None:
    """Go to a page of the site and wait until its scripts have drawn it."""
    page.goto("about:blank")  # another address of the same page would not load it again
    page.goto((site / f"{name}.html").as_uri() + state)
    if name.startswith("samples"):
        page.locator("#card > header, #card > .problem").first.wait_for()
    if name == "compare":
        page.locator("#comparison table").first.wait_for()


def until(page: Page, condition: str) -> None:
    """Wait for a JavaScript expression: `wait_for_function` uses eval, which the policy forbids."""
    for _ in range(1000):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"never true: {condition}")


def ranked(page: Page) -> list[str]:
    """Names of the models that are shown with a rank, from the top."""
    return page.locator("#ranked tr:visible th[scope=row] a").all_inner_texts()


def ranks(page: Page) -> list[str]:
    return page.locator("#ranked tr:visible td.rank").all_inner_texts()


def shown_ids(page: Page) -> list[str]:
    """Ids of the samples at the top of the list."""
    until(page, "!document.querySelector('#count').textContent.includes('searching')")
    return page.locator(".row .row-id").all_inner_texts()


def count(page: Page) -> int:
    until(page, "!document.querySelector('#count').textContent.includes('searching')")
    return int(page.locator("#count").inner_text().split(" /")[0])


def test_every_page_opens_and_never_scrolls_sideways(page: Page, site: Path) -> None:
    """The fixture refuses every console message and every request that leaves the site."""
    files = [path for path in site.rglob("*.html") if ".cache" not in path.parts]
    assert len(files) == 2 + 2 + 2 + 6
    for path in files:
        name = str(path.relative_to(site)).removesuffix(".html")
        opened(page, site, name)
        assert page.locator("h1").count() == 1
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_has_no_violation(
    page: Page, site: Path, scheme: Literal["light", "dark"]
) -> None:
    """axe-core: all its rules in the light, in the dark those that look at colors."""
    page.emulate_media(color_scheme=scheme)
    for name in PAGES:
        opened(page, site, name)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert violations(page, scheme) == [], name
    opened(page, site, "index", "#view=chart")
    page.locator("#scatter .main-svg").first.wait_for()
    assert violations(page, scheme) == []
    opened(page, site, "index", "#view=groups")
    assert violations(page, scheme) == []


def violations(page: Page, scheme: str) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    some = ", runOnly: ['color-contrast', 'link-in-text-block']" if scheme == "dark" else ""
    options = f"{{resultTypes: ['violations'], preload: false{some}}}"
    found = page.evaluate(f"axe.run(document, {options})")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def test_texts_stay_texts(page: Page, site: Path) -> None:
    for name in PAGES:
        opened(page, site, name)
        assert page.evaluate("window.hacked") is None
        assert page.locator("img[src=x]").count() == 0
    body = page.goto((site / "index.html").as_uri()) and page.locator("body").inner_text()
    assert HOSTILE[1] in str(body)
    for n, text in enumerate(HOSTILE):
        opened(page, site, "samples/ja-first", f"#{urlencode({'id': f'q{n} {text}'})}")
        assert text in page.locator("#card").inner_text()
    assert page.evaluate("window.hacked") is None


def test_sorting_by_mouse_keyboard_and_address(page: Page, site: Path) -> None:
    opened(page, site, "index")
    assert ranked(page) == ["scripted-high", "scripted-middle", HOSTILE[1]]
    assert ranks(page) == ["1", "2", "3"]  # 30, 20 and 10 of 45 are right
    button = page.locator("#board thead .sort").nth(2)
    button.click()
    assert ranked(page)[0] == "scripted-high"
    button.focus()
    page.keyboard.press("Enter")
    assert ranked(page) == [HOSTILE[1], "scripted-middle", "scripted-high"]
    assert button.locator("..").get_attribute("aria-sort") == "ascending"
    # Incomplete runs stay apart however the table is sorted, and so do baselines.
    apart = page.locator("#apart tr[data-model]:visible th a").all_inner_texts()
    assert apart == ["scripted-partial"]
    below = page.locator("#baselines th[scope=row] a").all_inner_texts()
    assert below == ["baseline-blind-majority", "baseline-oracle"]
    address = page.url.partition("#")[2]
    opened(page, site, "index", f"#{address}")
    assert ranked(page)[0] == HOSTILE[1]
    page.go_back()


def test_models_and_tasks_are_chosen(page: Page, site: Path) -> None:
    opened(page, site, "index")
    page.locator("input[name=q]").fill("ｓｃｒｉｐｔｅｄ high")  # full-width letters find theirs
    assert ranked(page) == ["scripted-high"] and ranks(page) == ["1"]
    page.locator("input[name=q]").fill("")
    page.locator("select[name=family]").select_option("Family step-1")
    assert ranked(page) == ["scripted-middle"] and ranks(page) == ["1"]
    page.get_by_role("button", name="Reset").click()
    assert len(ranked(page)) == 3
    page.locator(".chooser summary").click()
    page.locator("input[name=hidden][value='scripted-high']").uncheck()
    assert ranked(page) == ["scripted-middle", HOSTILE[1]] and ranks(page) == ["1", "2"]
    page.locator("input[name=tasksoff][value='ja-second']").uncheck()
    assert page.locator("#board thead tr:first-child th:visible").count() == 4
    # Without the task that it did not finish, nothing is known of the incomplete model.
    page.go_back()
    page.go_back()
    assert len(ranked(page)) == 3
    page.locator("input[name=pins][value='scripted-high']").check()
    page.locator("input[name=pins][value='scripted-middle']").check()
    page.locator("input[name=only]").check()
    assert ranked(page) == ["scripted-high", "scripted-middle"]
    page.locator("#compare-pinned").click()
    page.locator("#comparison table").first.wait_for()
    assert page.locator("#partners select").count() == 2


def test_views_have_addresses_and_back_returns(page: Page, site: Path) -> None:
    opened(page, site, "index")
    page.get_by_role("button", name="Chart", exact=True).click()
    page.locator("#scatter .main-svg").first.wait_for()
    assert page.locator("section[data-panel]:visible").count() == 1
    rows = page.locator("#scatter-table tbody tr").all_inner_texts()
    assert len(rows) == 2  # two models have a size
    page.go_back()
    assert page.locator("#board").is_visible()
    opened(page, site, "index", "#view=chart&x=seconds&y=ja-first")
    assert page.locator("#scatter-table").is_visible()


def test_numbers_are_those_of_the_run_records(page: Page, site: Path) -> None:
    """Every value and interval of the leaderboard and of the task's page."""
    runs = site.parent / "runs"
    opened(page, site, "index")
    checked = 0
    for path in runs.glob("*/*/run.json"):
        record = json.loads(path.read_text())
        if record["variant"] is not None:
            continue
        one = next(e for e in record["estimates"] if e["headline"] and e["slice"] is None)
        column = 3 + ["ja-first", "ja-second"].index(record["task"])
        row = page.locator("tr[data-model]").filter(
            has=page.get_by_text(record["model"], exact=True)
        )
        cell = row.locator("> *").nth(column).inner_text()
        for value in (one["value"], one["low"], one["high"]):
            assert f"{value:.3f}" in cell
            checked += 1
        if record["coverage"]["answered"] != record["coverage"]["total"]:
            assert "Incomplete" in cell and f"{one['bounds'][0]:.3f}–{one['bounds'][1]:.3f}" in cell
    assert checked == 3 * 11


def test_samples_are_filtered_and_searched(page: Page, site: Path) -> None:
    opened(page, site, "samples/ja-first")
    assert count(page) == 45
    page.locator("select[name='field.level']").select_option("real")
    assert count(page) == 15
    page.locator("select[name=outcome]").select_option("right")
    assert count(page) == 0 and page.locator("#card .problem").is_visible()
    page.get_by_role("button", name="Reset").click()
    page.locator("input[name=q]").fill("ｑ４４")
    until(page, "document.querySelector('#count').textContent.startsWith('1 ')")
    # Several words in any order, and hiragana for katakana.
    page.locator("input[name=q]").fill("ばなな　りんご")
    until(page, "document.querySelector('.row-id')?.textContent.startsWith('q6')")
    assert count(page) == 1
    address = page.url.partition("#")[2]
    opened(page, site, "samples/ja-first", f"#{address}")
    assert shown_ids(page) == ["q6"]
    opened(page, site, "samples/ja-first", "#field.level=nothing&outcome=none")
    assert count(page) == 45  # what is not there filters nothing


def test_a_search_finds_what_prompts_and_answers_hold(page: Page, site: Path) -> None:
    """Against a search in Python through the files that the cards show."""
    about = index(site, "ja-first")
    assert len(about["find"]) > 3
    said = {
        key: [*(part for part in one["parts"] if isinstance(part, str)), *one["references"], key]
        for key, one in samples(site, "ja-first").items()
    }
    shown = [one["name"] for one in about["models"] if not one["baseline"]][:3]
    for model in shown:
        for key, answer in answers(site, "ja-first", model).items():
            said[key].append((answer or {}).get("text") or "")
    opened(page, site, "samples/ja-first")
    for words in ("赤", "script", "bold 7", "Ｑ1", "とてもながい", "ありません"):
        expected = [
            key
            for key, texts in said.items()
            if all(folded(word) in folded("\n".join(texts)) for word in words.split())
        ]
        page.locator("input[name=q]").fill(words)
        until(
            page, f"document.querySelector('#count').textContent.startsWith('{len(expected)} / ')"
        )
        assert shown_ids(page) == [*expected[: len(shown_ids(page))]]


def test_texts_are_folded_alike_here_and_in_the_page(page: Page, site: Path) -> None:
    """Every character that this Python knows, but those that divide words."""
    points = (*range(1, 0xD800), *range(0xE000, 0x30000))
    known = [one for one in map(chr, points) if unicodedata.category(one) != "Cn"]
    text = "".join(f"a{one}b" for one in known if not one.isspace() and one != "\ufeff")
    opened(page, site, "samples/ja-first")
    assert page.evaluate("(text) => folded(text)", text) == folded(text)
    assert len(known) > 100_000


def test_samples_by_keys_and_permanent_addresses(page: Page, site: Path) -> None:
    opened(page, site, "samples/ja-first", "#id=q7")
    identifier = page.locator("#card .sample-id")
    assert identifier.inner_text() == "q7"
    page.keyboard.press("j")
    until(page, "document.querySelector('.sample-id').textContent === 'q8'")
    page.keyboard.press("k")
    page.keyboard.press("k")
    until(page, "document.querySelector('.sample-id').textContent === 'q6'")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.locator(".row").nth(2).click()
    assert "id=" in page.url
    page.go_back()
    until(page, "document.querySelector('.sample-id').textContent === 'q6'")
    # A link on the page of the task leads to one sample.
    opened(page, site, "tasks/ja-first")
    link = page.locator("#notable ~ .columns .sample-links a").last
    name = link.inner_text()
    link.click()
    identifier.wait_for()
    assert identifier.inner_text() == name


def test_what_a_card_shows(page: Page, site: Path) -> None:
    opened(page, site, "samples/ja-first", "#id=q5&models=scripted-low")
    fold = page.get_by_role("button", name="Show all").first
    before = page.locator("#card").evaluate("one => one.scrollHeight")
    fold.click()
    assert page.locator("#card").evaluate("one => one.scrollHeight") > before
    page.locator("#card .image").first.click()
    dialog = page.locator("dialog.zoom")
    assert dialog.is_visible() and dialog.locator("img").evaluate("one => one.naturalWidth") == 64
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    # What differs from the reference is marked, and variants are there on demand.
    opened(page, site, "samples/ja-first", "#id=q40&models=scripted-high")
    assert page.locator("#card mark").count() >= 1
    variants = page.locator("#card details.variants")
    assert "no image" in variants.locator("summary").inner_text()
    assert not variants.locator("dd").is_visible()
    variants.locator("summary").click()
    assert variants.locator("dd").is_visible()
    missing = f"q2 {HOSTILE[2]}"
    opened(page, site, "samples/ja-first", f"#{urlencode({'id': missing})}")
    assert page.locator("#card .badge", has_text="unreadable image").count() == 1


def test_comparison(page: Page, site: Path) -> None:
    opened(page, site, "compare")
    # A checkpoint and the one it was trained from, of which the latter comes first.
    chosen = [one.input_value() for one in page.locator("#partners select").all()]
    assert chosen == ["scripted-middle", "scripted-high"]
    row = page.locator("#comparison tbody tr").first.inner_text()
    # By hand: 30 and 20 of 45.
    assert "0.444" in row and "0.667" in row and "+0.222" in row and "better" in row
    page.locator("#comparison tbody tr").first.get_by_role("link", name="10", exact=True).click()
    page.locator("#card > header").wait_for()
    assert count(page) == 10  # 20 to 29: right by the one, wrong by the other
    page.go_back()
    page.locator("#comparison table").first.wait_for()
    page.get_by_role("button", name="Add a model").click()
    until(page, "document.querySelectorAll('#partners select').length === 3")
    page.go_back()
    until(page, "document.querySelectorAll('#partners select').length === 2")
    page.locator("#profile .main-svg").first.wait_for()


def test_a_checkpoint_stands_beside_its_parent(page: Page, site: Path) -> None:
    opened(page, site, "models/scripted-high")
    section = page.locator("section[aria-labelledby=parent]").inner_text()
    assert "scripted-middle" in section and "+0.222" in section and "10 / 0" in section
    page.locator("#series-plot .main-svg").first.wait_for()
    assert page.locator("#series-table tbody tr").count() == 2


def test_language_is_switched_and_remembered(page: Page, site: Path) -> None:
    opened(page, site, "index")
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "リーダーボード"
    assert page.locator("html").get_attribute("lang") == "ja"
    assert page.title().startswith("リーダーボード")
    for name in PAGES:
        opened(page, site, name)
        english = page.evaluate(
            "[...document.querySelectorAll('[data-t]')].filter("
            "(e) => e.textContent === STRINGS[e.dataset.t][0] && STRINGS[e.dataset.t][0]"
            " !== STRINGS[e.dataset.t][1]).map((e) => e.dataset.t)"
        )
        assert english == [], name
        assert (
            page.locator("[data-ja]").evaluate_all(
                "all => all.filter((e) => e.textContent !== e.dataset.ja).length"
            )
            == 0
        )
    page.locator("#language").click()
    assert page.locator("html").get_attribute("lang") == "en"


def test_theme_is_switched_and_remembered(page: Page, site: Path) -> None:
    opened(page, site, "index")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) == light  # from the system's, which is light here, to light
    page.locator("#theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    opened(page, site, "tasks/ja-first")
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize(
    ("name", "state", "picture", "scheme", "width", "height"),
    [
        ("index", "", "reports/leaderboard.png", "light", 1280, 760),
        ("compare", "", "docs/report-compare.png", "light", 1280, 900),
        ("samples/ja-vqa", "#show=differ", "docs/report-samples.png", "dark", 1280, 760),
    ],
)
def test_the_committed_leaderboard_opens(
    page: Page,
    tmp_path: Path,
    name: str,
    state: str,
    picture: str,
    scheme: Literal["light", "dark"],
    width: int,
    height: int,
) -> None:
    """The pictures of README and docs: VLMBENCH_PICTURES=1 puts them in their places."""
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    opened(page, ROOT / "reports", name, state)
    target = (ROOT if os.environ.get("VLMBENCH_PICTURES") else tmp_path) / picture
    target.parent.mkdir(exist_ok=True)
    page.screenshot(path=target)
    assert target.stat().st_size > 20_000


def test_without_scripts_the_tables_are_there(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    assert page.locator("#board").is_visible()
    assert page.locator("#ranked td.rank").all_inner_texts() == ["1", "2", "3"]
    page.goto((site / "samples" / "ja-first.html").as_uri())
    assert "requires JavaScript" in page.locator("noscript").first.inner_text()
    context.close()


def test_the_page_of_a_training(page: Page, tmp_path: Path) -> None:
    path = write_training_page(write_log(tmp_path, running(HOSTILE[0])))
    page.goto(path.as_uri())
    assert page.title().startswith(HOSTILE[0])
    assert page.evaluate("window.hacked") is None
    assert page.locator("h1").text_content() == HOSTILE[0]
    # The style is the page's own, allowed by its digest, and a picture inside it is shown.
    assert page.locator(".charts").first.evaluate("e => getComputedStyle(e).display") == "grid"
    assert page.locator(".probes img").first.evaluate("e => e.naturalWidth") == 1
    # The names of the curves stand below their chart, inside its frame.
    inside = page.locator(".figure:has(.key)").first.evaluate(
        "e => e.querySelector('.key').getBoundingClientRect().bottom"
        " <= e.getBoundingClientRect().bottom"
    )
    assert inside
    page.click("#language")
    assert page.locator("h3").first.text_content() == "推移"
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
