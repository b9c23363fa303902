from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench.errors import DataError, UsageError
from vlmbench.metrics.base import Answer, Metric, describe, load_metric, metric_names

NAMES = [
    "caption.cider_d",
    "match.exact",
    "match.relaxed",
    "match.vqa",
    "overlap.bleu",
    "overlap.chrf",
    "overlap.rouge_l",
]
TEXT = st.text(st.characters(), max_size=30)

BAD = [
    ("match.exat", {}, "Did you mean 'match.exact'"),
    ("nonsense", {}, "Unknown metric"),
    ("os.path", {}, "Unknown metric"),
    ("match.exact", {"case": True}, "option of match.exact"),
    ("match.relaxed", {"tolerence": 0.1}, "Did you mean 'tolerance'"),
    ("match.relaxed", {"tolerance": "0.1"}, "a number from 0 to 1"),
    ("match.relaxed", {"tolerance": 1.5}, "a number from 0 to 1"),
    ("match.relaxed", {"tolerance": float("nan")}, "a number from 0 to 1"),
    ("match.relaxed", {"labels_exact": 1}, "true or false"),
]


@pytest.fixture(params=NAMES)
def ready(request: pytest.FixtureRequest) -> Metric:
    """Each metric, prepared on a few captions."""
    return load_metric(request.param).prepare([["猫が眠る"], ["犬が走る"], ["鳥が飛ぶ"]])


def test_every_metric_is_listed_and_described() -> None:
    assert set(NAMES) <= set(metric_names())
    for name in metric_names():
        description = describe(name)
        assert description["source"], name
        lower = load_metric(name).kind.lower_is_better
        assert ("lower" if lower else "higher") + " is better" in description["definition"], name
        for option in description["options"]:
            assert f"{option}:" in description["definition"], f"{name} does not explain {option}"


def test_a_signature_names_options_tokenizer_and_version() -> None:
    signature = load_metric("overlap.rouge_l", {"beta": 2}).signature
    assert signature.startswith("overlap.rouge_l|beta:2.0|tokenizer:words|tok:fugashi-")
    assert "/unidic-lite-" in signature
    assert "|norm:nfkc-ja1|range:0-1|v:0." in signature


def test_signatures_tell_options_apart() -> None:
    strict, loose = (load_metric("match.relaxed", {"tolerance": t}) for t in (0.0, 0.05))
    assert strict.signature != loose.signature
    assert loose.signature == load_metric("match.relaxed").signature


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_bad_names_and_options(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_metric(name, options)  # type: ignore[arg-type]


def test_an_answer_without_references_is_an_error(ready: Metric) -> None:
    with pytest.raises(DataError, match="without any reference"):
        ready.score(Answer("猫", ()))


def test_looking_up_a_metric_loads_its_family_only() -> None:
    program = (
        "import sys; from vlmbench.metrics.base import load_metric; load_metric('match.exact');"
        "print([m for m in ('vlmbench.metrics.caption', 'fugashi', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


@given(prediction=TEXT, references=st.lists(TEXT, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_text_gets_a_value_in_range(prediction: str, references: list[str]) -> None:
    for name in NAMES:
        metric = load_metric(name).prepare([references, ["猫"], ["犬"]])
        score = metric.score(Answer(prediction, tuple(references)))
        assert score.vector is not None
        assert len(score.vector) == metric.size
        turned = metric.score(Answer(prediction, tuple(reversed(references))))
        for one in (score, turned):
            value = _value(metric, one.vector)
            assert metric.bounds is not None
            assert metric.bounds[0] <= value <= metric.bounds[1] + 1e-9
        assert _value(metric, turned.vector) == pytest.approx(_value(metric, score.vector))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "caption.cider_d"])
@given(text=TEXT.filter(lambda text: len(text.strip()) > 4))
@settings(max_examples=30, deadline=None)
def test_a_reference_itself_scores_full(name: str, text: str) -> None:
    metric = load_metric(name)
    vector = metric.score(Answer(text, (text,))).vector
    if name == "overlap.bleu" and vector is not None and vector[7] == 0:
        return  # no four words
    if name == "overlap.chrf" and vector is not None and vector[0] == 0:
        return  # no visible character
    assert _value(metric, vector) == pytest.approx(1.0)


def test_long_answers_are_scored_quickly(ready: Metric) -> None:
    import time

    answer = Answer("（" * 50_000 + "1,234" * 10_000, ("猫が眠る" * 5_000, "1" * 20_000))
    start = time.process_time()
    assert ready.score(answer).vector is not None
    assert time.process_time() - start < 3


def _value(metric: Metric, vector: tuple[float, ...] | None) -> float:
    import numpy as np

    assert vector is not None
    return float(metric.combine(np.array(vector), 1))
