"""Prints how fast the contamination guard is, and what that makes for a million rows.

    python tests/bench/bench_contamination.py [PICTURES]

One core: hashing takes nearly all of it and is spread over threads, since Pillow, numpy and hashlib
let go of the interpreter's lock. Seconds are CPU seconds of this process, so that a busy machine
does not spoil them. Rows share pictures in most data sets; each different one is hashed once.
"""

from __future__ import annotations

import io
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.ImageOps

from vlmbench.records import Image
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.samples import read_samples
from vlmbench.train.data.contamination import check
from vlmbench.train.data.evaluation_index import EvaluationIndex
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.data.fingerprints import (
    SCREENING_ERROR,
    close_pairs,
    fingerprint,
    screening_hash,
)
from vlmbench.train.data.picture_matches import LISTED

ROWS = 1_000_000
EVALUATION = 5_000
"""Pictures that the rows are compared with."""
FORMS = (
    ("JPEG 640x480", (640, 480), "JPEG", {"quality": 90}),
    ("JPEG 1600x1200", (1600, 1200), "JPEG", {"quality": 90}),
    ("PNG 640x480", (640, 480), "PNG", {}),
    ("WebP 640x480", (640, 480), "WEBP", {"quality": 80}),
)
"""Embedded photos, cropped and enlarged: a crop escapes, so these are no hits."""


def cpu_seconds(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def enlarged(count: int, size: tuple[int, int], form: str, options: dict[str, Any]) -> list[Image]:
    """Different pictures: embedded photos with their light changed a little."""
    photos = [
        PIL.ImageOps.fit(image.decode(), size, bleed=0.15)
        for sample in read_samples(load_task("ja-caption"))
        for image in sample.images
        if image.data[:2] == b"\xff\xd8"
    ]
    images = []
    for number in range(count):
        buffer = io.BytesIO()
        shift = number // len(photos)
        table = [min(255, value + shift) for value in range(256)] * 3
        photos[number % len(photos)].point(table).save(buffer, form, **options)
        images.append(Image(buffer.getvalue()))
    return images


def rate(name: str, count: int, seconds: float) -> None:
    minutes = ROWS / count * seconds / 60
    print(f"{name:44} {count / seconds:10,.0f} /s a core   {minutes:8.1f} core-minutes a million")


def hashing(count: int) -> None:
    for name, size, form, options in FORMS:
        images = enlarged(count, size, form, options)
        seconds = cpu_seconds(lambda images=images: [screening_hash(one) for one in images])
        rate(f"screening hash, {name}", count, seconds)
        seconds = cpu_seconds(lambda images=images: [fingerprint(one) for one in images])
        rate(f"fingerprint, {name}", count, seconds)


def comparing() -> None:
    rng = np.random.default_rng(0)
    rows = 50_000
    words = rng.integers(0, 2**63, (rows + EVALUATION, 4), dtype=np.uint64)
    left, right = words[:rows], np.concatenate([words[rows:]] * 2)
    seconds = cpu_seconds(lambda: close_pairs(left, right, within=LISTED + SCREENING_ERROR))
    rate(f"compare with {EVALUATION:,} pictures and mirror images", rows, seconds)


def texts(index: EvaluationIndex) -> None:
    rng = random.Random(0)
    known = [sample.question + sample.answers[0] for sample in index.samples]
    foreign = [
        "".join(chr(rng.randrange(0x3041, 0x3090)) for _ in range(200)) for _ in range(5_000)
    ]
    index.with_text(known[0])
    for name, some in (("texts of their own", foreign), ("texts of the suite's templates", known)):
        seconds = cpu_seconds(lambda some=some: [index.with_text(text) for text in some])
        rate(name, len(some), seconds)


def whole(count: int, index: EvaluationIndex) -> None:
    """The guard itself, on five questions a picture as instruction data has them."""
    images = enlarged(count, (640, 480), "JPEG", {"quality": 90})
    examples = [
        Example(
            f"{number}",
            (
                Turn("user", (images[number // 5], f"{number}番の質問です。何が見えますか。")),
                Turn("assistant", (f"{number}個の物が見えます。",)),
            ),
            "made",
        )
        for number in range(5 * count)
    ]
    started = time.perf_counter()
    seconds = cpu_seconds(lambda: check(examples, index))
    rate("check: rows, five on a JPEG 640x480", len(examples), seconds)
    print(f"  {time.perf_counter() - started:.1f} s of wall time for {len(examples):,} rows")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    tasks = [load_task(name) for name in ("ja-caption", "ja-vqa", "ja-chart", "ja-multi-image")]
    index = EvaluationIndex.of_tasks(tasks)
    fingerprint(next(read_samples(load_task("ja-caption"))).images[0])  # imports are paid for here
    hashing(count)
    comparing()
    texts(index)
    whole(count, index)


if __name__ == "__main__":
    main()
