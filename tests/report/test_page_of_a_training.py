"""The page of a training: what it shows, when it reloads, and that no text becomes markup."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_training import check, ended, running, start, update, write_log

from vlmbench.report.training import MOST_ROWS, training_page, write_training_page
from vlmbench.report.training_log import read_stages

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror=window.hacked=1>"


class Elements(HTMLParser):
    """Counts the elements of a page and keeps its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self.feed(page.replace("<wbr>", ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["style"], ["script"]):
            self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(one for one in self.texts if one)


def page_of(folder: Path) -> str:
    return training_page(read_stages(folder), now=NOW)


@pytest.fixture
def page(tmp_path: Path) -> str:
    return page_of(write_log(tmp_path, running()))


def test_a_running_training_reloads_and_says_how_long(page: str) -> None:
    assert '<meta http-equiv="refresh" content="10">' in page
    text = Elements(page).text
    assert "Step 10 / 20" in text
    assert "Elapsed 0:00:20" in text
    assert "Time left 0:00:20" in text  # ten updates took 20 seconds, checks included
    assert "Tokens so far 1,000" in text
    assert "Learned tokens per second 8 " in text
    assert "Share of time waiting for data 10.0%" in text


def test_a_page_stands_still_when_the_training_does(tmp_path: Path) -> None:
    finished = page_of(write_log(tmp_path, ended(running())))
    assert 'http-equiv="refresh"' not in finished
    assert "Time left" not in Elements(finished).text
    rows = ended(running(), "stopped", reason="The loss of step 11 is nan; lower it.")
    stopped = page_of(write_log(tmp_path, rows))
    assert 'http-equiv="refresh"' not in stopped
    assert "The loss of step 11 is nan; lower it." in Elements(stopped).text


def test_a_page_goes_on_until_the_last_stage_is_done(tmp_path: Path) -> None:
    write_log(tmp_path / "stages" / "1", ended(running(stage=1, stages=2)))
    assert 'http-equiv="refresh"' in page_of(tmp_path)
    write_log(tmp_path, running(stage=2, stages=2))
    both = page_of(tmp_path)
    assert 'http-equiv="refresh"' in both
    text = Elements(both).text
    assert text.index("Stage 2 / 2") < text.index("Stage 1 / 2")
    write_log(tmp_path, ended(running(stage=2, stages=2)))
    assert 'http-equiv="refresh"' not in page_of(tmp_path)


def test_losses_rates_and_tasks_are_there(page: str) -> None:
    text = Elements(page).text
    assert "Loss by source (nats) 2 0 0 10 one 0.2 two 0.1" in text
    assert "Gradient norm by part 4 0 0 10 connector 3 language 4" in text
    assert "connector, language 0.0001" in text  # one curve, as all parts have the same rate
    assert "ja-vqa its training split is in the data" in text
    assert "ja-chart not trained on" in text
    assert "5 best 0.4000 0.6000 0.400 0.300–0.500 0.600 0.500–0.700" in text
    assert "which is kept: step 5" in text
    assert 'class="mark-line" d="M500.0 0V100"' in page


def test_samples_guard_and_left_out_rows_are_there(page: str) -> None:
    text = Elements(page).text
    assert "0 (empty answer) 5–10 赤" in text
    assert "+2 more pictures" in text
    assert "Left out as too long : long-1, long-2" in text
    assert "Left out by the guard 3" in text
    assert "Training rows 40 Generated sources 1 Validation rows 5" in text
    assert "ja-vqa 332 0 1 0 0" in text
    assert "one · row-9" in text
    assert "Row two · row-3 Sample ja-vqa · scene-3 Found by ids Same picture and question" in text
    assert page.count('<img src="data:image/') == 2


def test_no_text_becomes_markup(tmp_path: Path) -> None:
    plain = Elements(page_of(write_log(tmp_path / "plain", running())))
    facts = start(HOSTILE, rows={HOSTILE: 1}, model=HOSTILE, best=None, tasks=[HOSTILE])
    facts["samples"][0] |= {"question": HOSTILE, "reference": HOSTILE, "id": HOSTILE}
    facts["guard"]["hits"][0] |= {"example": HOSTILE, "source": HOSTILE, "images": [HOSTILE]}
    facts["guard"]["left_out"][0] |= {"example": HOSTILE, "by": HOSTILE, "sample": HOSTILE}
    facts["too_long"] = {"count": 1, "first": [HOSTILE]}
    rows = [{"step": 0, "start": facts, "elapsed": 0.0}]
    rows.append(update(1) | {"train/loss_by_source": {HOSTILE: 1.0, "\ud800": 2.0}})
    rows.append(check(1, HOSTILE + "\ud800", 0.5, None) | {f"eval/{HOSTILE}": None})
    folder = write_log(tmp_path / "hostile", ended(rows, "stopped", reason=HOSTILE))
    written = write_training_page(folder).read_text(encoding="utf-8")
    found = Elements(written)
    assert found.tags.count("script") == plain.tags.count("script") == 2
    assert "onerror" not in found.attributes
    assert set(found.tags) <= {*plain.tags, "p"}
    assert all(one.startswith("data:image/") or one == HOSTILE for one in found.attributes["src"])
    assert "window.hacked" in found.text


def test_scripts_and_styles_run_by_their_digest_only(page: str) -> None:
    policy = page.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_line_that_is_half_written_is_passed_over(tmp_path: Path) -> None:
    folder = write_log(tmp_path, running())
    whole = page_of(folder)
    with (folder / "log.jsonl").open("a") as handle:
        handle.write('{"step": 11, "train/lo')
    assert page_of(folder) == whole


def test_nothing_is_written_before_a_stage_begins(tmp_path: Path) -> None:
    assert not write_training_page(tmp_path).exists()
    write_log(tmp_path, [{"step": 3, "loss": 0.2}])  # a log of another form
    assert not write_training_page(tmp_path).exists()


def test_a_long_training_makes_no_long_page(tmp_path: Path) -> None:
    rows = [{"step": 0, "start": start(), "elapsed": 0.0}]
    for step in range(1, 2001):
        rows.append(update(step))
        if step % 10 == 0:
            rows.append(check(step, f"answer {step}", 0.5, 10))
    page = page_of(write_log(tmp_path, rows))
    assert len(page) < 150_000
    text = Elements(page).text
    assert "answer 10 " in text and "answer 2000" in text
    assert text.count("answer ") <= MOST_ROWS + 20
    assert "Updates in each point: 7" in text
