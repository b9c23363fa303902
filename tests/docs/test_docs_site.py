"""The documentation as a site: strict links, every page in it, and a search that knows Japanese."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from locations import ROOT

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra 'docs' brings mkdocs-material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    built = {path.parent.relative_to(site) for path in site.rglob("index.html")}
    assert {page.with_suffix("") for page in pages if page.stem != "index"} <= built
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert "ja" in index["config"]["lang"]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The search asks a server for its index; a page from the file system cannot."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Handler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")
def test_the_search_finds_japanese(site: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with served(site) as address, sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(locale="ja-JP")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        field = page.locator("input.md-search__input")
        results = page.locator("li.md-search-result__item h1")
        field.click()
        for query, title in (
            ("信頼区間", "はじめに"),
            ("区間", "自分のタスク"),  # within a word
            ("回帰ゲート", "回帰ゲート"),  # Chinese characters and kana
            ("終了コード", "回帰ゲート"),
            ("途中で止めても", "はじめに"),
            ("リーダーボード", "はじめに"),
            ("言い換え", "自分のタスク"),
            ("confidence interval", "Statistics"),
        ):
            field.fill("絶対零度")  # on no page: what is found next is not what was found before
            field.press("End")
            expect(results).to_have_count(0, timeout=20_000)
            field.fill(query)
            field.press("End")  # as an input method does, it ends with a key
            expect(results.filter(has_text=title).first).to_be_attached(timeout=20_000)
        browser.close()
    # Nothing is loaded from elsewhere.
    assert [url for url in asked if not url.startswith((address, "blob:"))] == []
