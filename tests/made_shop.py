"""A folder as a reader of docs/training.md may have it: pictures, and a file of questions."""

from __future__ import annotations

import json
import random
from pathlib import Path

from vlmbench.train.synthetic.basic_charts import draw_chart, minimum, random_chart
from vlmbench.train.synthetic.sprites import load_sprites

PROMPT = "単語か数値だけで短く答えてください。\n"


def write_shop(folder: Path, pictures: int = 120, seed: int = 7) -> Path:
    """Writes `folder/rows.jsonl` with a question a picture, beside `folder/images/*.png`."""
    rng, sprites = random.Random(seed), load_sprites()
    (folder / "images").mkdir(parents=True)
    rows: list[str] = []
    while len(rows) < pictures:
        chart = random_chart(rng, held_out=False, bars=4)
        question = minimum(chart, rng)
        if question is None:
            continue
        name = f"images/{len(rows):03}.png"
        draw_chart(chart, rng, sprites).save(folder / name)
        text = PROMPT + question.text.replace("<image>", "")
        row = {"image": name, "prompt": text, "completion": question.answers[0]}
        rows.append(json.dumps(row, ensure_ascii=False))
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder
