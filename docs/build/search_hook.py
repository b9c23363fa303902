"""A hook of mkdocs: what is typed into the search is cut into the words of the index.

Pages are indexed by words, Japanese ones by TinySegmenter. The theme cuts Chinese characters of a
query into words that the index knows, and leaves kana as they stand, so 回帰ゲート or 終了コード
would find nothing. Here kana are cut in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHINESE = r'"\\p{sc=Han}+"'
JAPANESE = r'"[\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}ー]+"'


def on_post_build(config: Any) -> None:
    """Rewrite the theme's search.

    Raises:
        ValueError: The theme's search is written in another way than when this was.
    """
    (worker,) = Path(config["site_dir"]).glob("assets/javascripts/workers/search.*.min.js")
    text = worker.read_text(encoding="utf-8")
    if text.count(CHINESE) != 1:
        raise ValueError(f"{worker.name} does not cut queries by {CHINESE}; see docs/build")
    worker.write_text(text.replace(CHINESE, JAPANESE), encoding="utf-8")
