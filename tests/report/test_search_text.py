"""The texts of the search: folded as the page folds what is typed, and cut into files by size."""

from __future__ import annotations

import pytest

from vlmbench.report.search_text import LARGEST, folded, search_files


# By hand; the browser's own folding of the same texts is compared in test_browser.py.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("りんごとバナナ", "リンゴトバナナ"),
        ("ＡＢｃ　１２３", "abc 123"),
        ("ﾊﾟﾝﾀﾞ", "パンダ"),
        ("ゔぁいおりん ゖ", "ヴァイオリン ヶ"),
        ("一行目\n二行目\r\n\t三", "一行目 二行目 三"),
        ("㈱①", "(株)1"),
        ("", ""),
    ],
)
def test_what_counts_as_equal_is_equal(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_every_text_has_a_line_in_one_file() -> None:
    texts = ["短い", "", "あ" * LARGEST, "い", "う" * (LARGEST - 10), "え" * 100]
    found = [*search_files(texts)]
    assert [first for first, _ in found] == [0, 2, 3, 5]
    assert [line for _, lines in found for line in lines.split("\n")] == [*map(folded, texts)]
    assert [*search_files([])] == []
