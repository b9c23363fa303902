"""Corpus BLEU of two systems beside sacrebleu's own paired tests on the same sentences."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from vlmbench.metrics.base import Answer, load_metric
from vlmbench.scoring.intervals import metric_interval
from vlmbench.stats import paired_difference

WORDS = ["赤い", "青い", "小さな", "大きな", "皿", "箱", "瓶", "机", "椅子", "上", "下", "右", "左"]


def sentences(count: int, *, wrong: float, seed: int) -> list[str]:
    """References with some of their words exchanged."""
    source = random.Random(seed)
    return [
        " ".join(word if source.random() > wrong else source.choice(WORDS) for word in line.split())
        for line in REFERENCES[:count]
    ]


_SOURCE = random.Random(0)
REFERENCES = [" ".join(_SOURCE.choices(WORDS, k=_SOURCE.randint(6, 14))) for _ in range(200)]


@pytest.mark.parametrize("wrong", [0.34, 0.4])
def test_paired_bleu(wrong: float) -> None:
    old, new = sentences(200, wrong=0.3, seed=1), sentences(200, wrong=wrong, seed=2)
    metric = load_metric("compat_sacrebleu.bleu", {"tokenizer": "none"})
    vectors = [
        np.array(
            [metric.score(Answer(line, (reference,))).vector
             for line, reference in zip(lines, REFERENCES, strict=True)]
        )
        for lines in (new, old)
    ]  # fmt: skip
    found = paired_difference(
        *vectors, combine=metric.definition.combine, kind="bounded", bounds=(0, 100)
    )
    test = PairedTest(
        [("old", old), ("new", new)],
        {"BLEU": BLEU(tokenize="none")},
        references=[REFERENCES],
        test_type="bs",
        n_samples=2000,
    )
    results: Any = test()[1]
    baseline, result = results["BLEU"]
    assert found.difference == pytest.approx(result.score - baseline.score, abs=1e-9)
    assert found.p_two_sided == pytest.approx(result.p_value, abs=0.03)
    one = metric_interval(metric, vectors[0], [str(number) for number in range(200)])
    assert one.value == pytest.approx(result.score)
    half = (one.high - one.low) / 2
    assert half == pytest.approx(result.ci, rel=0.15)
