"""What a report costs: building it, building it again, its size, and how quickly its pages answer.

    python tests/bench/bench_report.py --models 30 --tasks 12 --samples 1000
    python tests/bench/bench_report.py --models 2 --tasks 1 --samples 100000 --browser

The runs are made of one real run of the blind baseline: its samples again and again under other
ids, some answers swapped, under the names of other models and tasks. Only times and sizes are
measured with them. CPU seconds are printed beside wall seconds, since other work on the machine
lengthens the latter. One JSON document is printed. `--folder` keeps the runs for the next time.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from vlmbench.cli.main import main as vlmbench
from vlmbench.report.html import build_site

TASK = "ja-vqa"


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--browser", action="store_true", help="also measure pages in Chromium")
    parser.add_argument("--folder", type=Path, help="where runs are kept, or are already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-report-") as folder:
        print(json.dumps(measure(options.folder or Path(folder), options), indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured."""
    runs, site = folder / "runs", folder / "site"
    seed = folder / "seed"
    command = ["run", "--model", "baseline:blind-majority", "--tasks", TASK, "--out", str(seed)]
    with redirect_stdout(sys.stderr):
        assert vlmbench([*command, "--quiet", "--no-cache", "--keep-images"]) == 0
    source = Source(seed / "baseline-blind-majority" / TASK)
    if not runs.exists():
        shutil.copytree(seed / "images", runs / "images")
        for model in range(options.models):
            for task in range(options.tasks):
                source.write(runs, f"model-{model:02}", f"task-{task:02}", options.samples, model)
    shutil.rmtree(runs / "model-new", ignore_errors=True)
    shutil.rmtree(site, ignore_errors=True)
    found: dict[str, Any] = {"models": options.models, "tasks": options.tasks}
    found["samples"] = options.samples
    with measured(found, "build"):
        build_site([runs], site)
    with measured(found, "build_unchanged"):
        build_site([runs], site)
    source.write(runs, "model-new", "task-00", options.samples, 3)
    with measured(found, "build_after_one_new_run"):
        rebuilt = build_site([runs], site).rebuilt
    assert rebuilt == ("task-00",), rebuilt
    found["peak_memory_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    found |= sizes(site)
    if options.browser:
        found |= in_browser(site)
    return found


class Source:
    """A real run, out of which others are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = (folder / "journal.jsonl").read_text().splitlines()
        self.journal = [json.loads(line) for line in lines]
        self.scores = [
            json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()
        ]
        self.record = json.loads((folder / "run.json").read_text())

    def write(self, out: Path, model: str, task: str, count: int, swapped: int) -> None:
        """A run of `count` samples, of which every so-and-so-many has the answer of another one."""
        folder = out / model / task
        folder.mkdir(parents=True)
        head = [json.loads(json.dumps(one)) for one in self.journal if one["type"] != "response"]
        head[0]["model"]["name"], head[0]["task"]["name"] = model, task
        head[0]["fingerprints"]["model"] = model
        responses = [one for one in self.journal if one["type"] == "response"]
        with (folder / "journal.jsonl").open("w") as handle:
            for line in head:
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")
            for n in range(count):
                one = {**responses[n % len(responses)], "sample_id": f"s{n:06}", "index": n}
                one["cluster"] = f"c{n}"
                handle.write(json.dumps(one, ensure_ascii=False) + "\n")
        with (folder / "scores.jsonl").open("w") as handle:
            for n in range(count):
                step = swapped if n % (swapped + 2) == 0 else 0
                one = {**self.scores[(n + step) % len(self.scores)]}
                one |= {"id": f"s{n:06}", "cluster": f"c{n}"}
                handle.write(json.dumps(one, ensure_ascii=False) + "\n")
        record = {**self.record, "model": model, "task": task}
        record["coverage"] = {"total": count, "answered": count, "errors": {}}
        record["fingerprints"] = {**record["fingerprints"], "model": model}
        record["model_spec"] = {
            **record["model_spec"],
            "name": model,
            "runner": "hf",
            "location": model,
        }
        (folder / "run.json").write_text(json.dumps(record, ensure_ascii=False))


@contextmanager
def measured(found: dict[str, Any], name: str) -> Iterator[None]:
    """Notes wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    found[f"{name}_wall_s"] = round(time.perf_counter() - wall, 1)
    found[f"{name}_cpu_s"] = round(time.process_time() - cpu, 1)
    print(name, found[f"{name}_cpu_s"], file=sys.stderr, flush=True)


def sizes(site: Path) -> dict[str, Any]:
    """Of the site's files, in MB, and what the first page loads before images."""
    files = [path for path in site.rglob("*") if path.is_file() and ".cache" not in path.parts]
    first = [site / "index.html", site / "data" / "board.js", *(site / "static").glob("*")]
    shown = [path for path in first if path.name not in ("plotly.min.js",)]
    return {
        "files": len(files),
        "site_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "largest_file_mb": round(max(path.stat().st_size for path in files) / 1e6, 2),
        "first_page_mb": round(sum(path.stat().st_size for path in shown) / 1e6, 2),
    }


def in_browser(site: Path) -> dict[str, Any]:
    """Milliseconds until pages can be used, and of a keystroke in the search of samples."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {}
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((site / "index.html").as_uri())
        found["first_page_usable_ms"] = round(
            page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        )
        page.goto((site / "samples" / "task-00.html").as_uri())
        page.locator("#card > header").wait_for()
        found["samples_usable_ms"] = round(page.evaluate("performance.now()"))
        found |= page.evaluate(_TYPING)
        found |= page.evaluate(_SCROLLING)
        browser.close()
    return found


_TYPING = """async () => {
  const box = document.querySelector('input[name=q]');
  const count = document.querySelector('#count');
  // The count is written once more when everything has been searched.
  const done = () => new Promise((resolve) => {
    const seen = new MutationObserver(() => {
      if (count.textContent.includes('searching')) return;
      seen.disconnect();
      resolve();
    });
    seen.observe(count, { childList: true });
  });
  const longest = [];
  const seen = new PerformanceObserver((list) => {
    list.getEntries().forEach((one) => longest.push(one.duration));
  });
  seen.observe({ type: 'longtask' });
  const strokes = [], answers = [];
  let text = '';
  for (const letter of '何色は上にあ') {
    text += letter;
    box.value = text;
    const finished = done();
    const before = performance.now();
    box.dispatchEvent(new Event('input'));
    strokes.push(performance.now() - before);
    await finished;
    answers.push(performance.now() - before);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  const most = (all) => Math.round(Math.max(0, ...all));
  return { keystroke_blocks_ms: most(strokes), longest_task_ms: most(longest),
    first_search_ms: most(answers.slice(0, 1)), later_search_ms: most(answers.slice(1)) };
}"""

_SCROLLING = """async () => {
  document.querySelector('input[name=q]').value = '';
  document.querySelector('input[name=q]').dispatchEvent(new Event('input'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const list = document.querySelector('#list');
  const frames = [];
  let before = performance.now();
  for (let n = 0; n < 60; n += 1) {
    list.scrollTop += 3000;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - before);
    before = now;
  }
  frames.sort((a, b) => a - b);
  const [median, high] = [frames[30], frames[57]].map(Math.round);
  return { scroll_frame_median_ms: median, scroll_frame_p95_ms: high };
}"""


if __name__ == "__main__":
    main()
