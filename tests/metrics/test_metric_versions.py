"""Who changes what a metric gives must raise its version, or old baselines are compared wrongly.

metric_versions.json holds, for each metric, its signature and a hash of what it gives on the
answers below. After a change raise `version` of `@metric`, and write the file anew:

    python tests/metrics/test_metric_versions.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from vlmbench.errors import DependencyError
from vlmbench.metrics.base import Answer, load_metric, metric_names
from vlmbench.records import stable_hash
from vlmbench.stats import value_of

FILE = Path(__file__).with_name("metric_versions.json")

_GIVEN: tuple[
    tuple[str, tuple[str, ...], tuple[str, ...], Literal["stop", "length"] | None], ...
] = (
    ("赤い花が咲いている。", ("赤い花が咲いています。", "花が赤く咲く"), (), "stop"),
    ("答えはＢです。", ("B",), ("犬", "猫", "鳥"), "stop"),
    ("12万3千円", ("123,000円",), (), "stop"),
    ("約４５％", ("45.2%",), (), "length"),
    ("", ("はい",), ("はい", "いいえ"), None),
    ("申し訳ありませんが、お答えできません。", ("三本",), (), "stop"),
    ("这是一只红色的狗，它在草地上跑。", ("犬が走る",), (), "stop"),
    ("The answer is a dog. <think>犬</think>犬", ("犬", "いぬ"), (), "stop"),
    ("東京タワー", ("東京スカイツリー", "東京タワー"), (), "stop"),
    ("はいはいはいはいはいはいはいはい", ("はい",), (), "length"),
    ("[3, 5]", ("3と5",), (), "stop"),
    ("ヴァイオリンを弾く女性", ("バイオリンをひく女の人",), (), "stop"),
)

ANSWERS = [
    Answer(prediction, references, choices, {}, (), finish)
    for prediction, references, choices, finish in _GIVEN
]
REFERENCES = [answer.references for answer in ANSWERS]


def seen(name: str) -> tuple[str, str] | None:
    """Signature and a hash of what the metric gives; None where that takes a network or judge."""
    metric = load_metric(name)
    if metric.definition.encoder is not None or metric.definition.judge_prompt is not None:
        return None
    scores = metric.prepare(REFERENCES).score_all(ANSWERS)
    vectors = [one.vector for one in scores if one.vector]
    given = [[round(number, 9) for number in one.vector or ()] for one in scores]
    value = round(value_of(np.array(vectors), metric.combine), 9) if vectors else None
    return metric.signature, stable_hash([given, value])


def known() -> dict[str, tuple[str, str]]:
    """What was given when the file was written."""
    return {name: (one[0], one[1]) for name, one in json.loads(FILE.read_text()).items()}


@pytest.mark.parametrize("name", sorted(known()) if FILE.exists() else [])
def test_another_value_is_another_version(name: str) -> None:
    signature, values = known()[name]
    try:
        found = seen(name)
    except DependencyError as error:
        pytest.skip(str(error))
    assert found is not None
    apart, version = signature.rpartition("|v:")[::2]
    if found[0].rpartition("|v:")[0] != apart:
        pytest.skip(f"a package that it depends on has another version: {found[0]}")
    assert found[0].endswith(f"|v:{version}"), "write the file anew"
    assert found[1] == values, f"raise the version of {name}"


def test_every_metric_is_known() -> None:
    missing = []
    for name in set(metric_names()) - known().keys():
        metric = load_metric(name)
        if metric.definition.encoder is None and metric.definition.judge_prompt is None:
            missing.append(name)
    assert not missing, "write the file anew"


if __name__ == "__main__":
    everything = {name: one for name in metric_names() if (one := seen(name)) is not None}
    FILE.write_text(json.dumps(everything, ensure_ascii=False, indent=0, sort_keys=True) + "\n")
