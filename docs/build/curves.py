"""python docs/build/curves.py CHECKPOINT -o FILE.svg: the losses of a staged training.

Reads `log.jsonl` of the checkpoint's directory and of its `stages/`. Each panel is a stage: thin
lines are the sources of its data, smoothed; dots are the loss on validation rows.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 200, 40, 28, 24
COLORS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2")
SMOOTHED = 0.9
"""Weight of what came before in the running mean that is drawn."""

Points = list[tuple[float, float]]


def main() -> int:
    """Writes the picture and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    folders = sorted((options.checkpoint / "stages").glob("[1-9]*"))
    logs = [folder / "log.jsonl" for folder in (*folders, options.checkpoint)]
    panels = [_panel(_rows(log), number) for number, log in enumerate(logs)]
    width = LEFT + len(panels) * (WIDTH + GAP)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT + 90}" '
        f'viewBox="0 0 {width} {HEIGHT + 90}" font-family="sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="#fff"/>' + "".join(panels) + "</svg>\n"
    )
    options.output.write_text(svg, encoding="utf-8")
    return 0


def _rows(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, Points]:
    """The training loss by source, smoothed, or in all where there is only that."""
    found: dict[str, Points] = defaultdict(list)
    for row in rows:
        if "train/loss" in row:
            values = row.get("train/loss_by_source") or {"pairs": row["train/loss"]}
            for name, value in values.items():
                before = found[name][-1][1] if found[name] else value
                smooth = SMOOTHED * before + (1 - SMOOTHED) * value
                found[name].append((row["step"], smooth))
    return dict(sorted(found.items()))


def _panel(rows: Sequence[Mapping[str, Any]], number: int) -> str:
    curves = _curves(rows)
    checks = [(row["step"], row["eval/loss"]) for row in rows if "eval/loss" in row]
    last = max(step for points in curves.values() for step, _ in points)
    high = max(value for points in curves.values() for _, value in points)
    left = LEFT + number * (WIDTH + GAP)

    def place(step: float, value: float) -> str:
        return f"{left + step / last * WIDTH:.1f},{TOP + HEIGHT * (1 - value / high):.1f}"

    def drawn() -> Iterator[str]:
        yield f'<text x="{left}" y="16" font-weight="bold">Stage {number + 1}: loss (nats)</text>'
        for part in (0, 0.5, 1):
            y = TOP + HEIGHT * (1 - part)
            yield f'<path d="M{left} {y}h{WIDTH}" stroke="#ddd"/>'
            yield f'<text x="{left - 4}" y="{y + 4}" text-anchor="end">{high * part:.1f}</text>'
        end = f'x="{left + WIDTH}" y="{TOP + HEIGHT + 14}" text-anchor="end"'
        yield f"<text {end}>{last} steps</text>"
        for at, (name, points) in enumerate(curves.items()):
            color = COLORS[at % len(COLORS)]
            line = " ".join(place(*point) for point in points)
            yield f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>'
            x, y = left + at % 3 * 90, TOP + HEIGHT + 32 + at // 3 * 15
            yield f'<text x="{x}" y="{y}" fill="{color}">{name}</text>'
        for point in checks:
            across, down = place(*point).split(",")
            yield f'<circle cx="{across}" cy="{down}" r="3" fill="#222"/>'
        if checks:
            yield f'<text x="{left + 180}" y="{TOP + HEIGHT + 47}">● validation</text>'

    return "".join(drawn())


if __name__ == "__main__":
    raise SystemExit(main())
