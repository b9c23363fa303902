"""Tables on narrow terminals: no name or number is ever broken."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from made_runs import make_run, make_task, question
from rich.cells import cell_len
from rich.console import Console

from vlmbench.cli.main import main
from vlmbench.cli.tables import print_columns, read_columns

HEADINGS = ("model", "task", "metric", ">value", ">95 % interval", ">n")
ROWS = [
    ["baseline-majority", "ja-vg-vqa-500", "compat_evalmm_text.rouge *", "0.521", "[0.467, 0.574]"],
    ["baseline-majority", "ja-vg-vqa-500", "overlap.rouge_l", "0.021", "[0.017, 0.074]"],
    ["my-long-checkpoint-1500", "ja-vqa", "match.exact *", "1.000", "[0.965, 1.000]"],
]


def shown(width: int, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, height=25, color_system=None)
    print_columns(console, read_columns(headings, rows), title="A title")
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_names_and_numbers_stay_whole(width: int) -> None:
    text = shown(width, HEADINGS, [[*row, "332"] for row in ROWS])
    assert max(map(cell_len, text.splitlines())) <= width
    assert "A title" in text
    for row in ROWS:
        for cell in row:
            assert cell in text
    # A line has the number of the metric that it names.
    assert "0.021" in next(line for line in text.splitlines() if "overlap.rouge_l" in line)


def test_what_can_be_missed_goes_first() -> None:
    rows = [["ja-vqa", "画像質問応答についての質問" * 2, "332"]]
    assert "画像" in shown(80, ("name", "?title", ">samples"), rows)
    assert "画像" not in shown(40, ("name", "?title", ">samples"), rows)


def test_prose_wraps_between_words() -> None:
    words = ["Mean", "normalized", "Levenshtein", "similarity", "to", "the", "nearest", "reference"]
    lines = shown(40, ("name", "definition"), [["match.anls", " ".join(words)]]).splitlines()
    assert max(map(cell_len, lines)) <= 40
    assert [word for line in lines for word in line.split() if word in words] == words


def test_what_cannot_fit_is_printed_whole() -> None:
    assert "n" * 70 in shown(40, ("name", ">value"), [["n" * 70, "1.000"]])


def test_slices_in_the_terminal(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("slices")
    levels = ["basic", "real", "real"]
    rows = [question(number, level=level) for number, level in enumerate(levels)]
    make_run(make_task(folder, rows), folder / "runs", "baseline:oracle")
    assert main(["score", str(folder / "runs")]) == 0
    assert "level=real" not in capsys.readouterr().out
    assert main(["score", str(folder / "runs"), "--slices"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "level=real" in one]
    # Wilson's interval of 2 of 2: statsmodels' proportion_confint(2, 2, method="wilson").
    assert line.split()[-5:] == ["level=real", "1.000", "[0.342,", "1.000]", "2"]
