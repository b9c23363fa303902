from __future__ import annotations

import subprocess
import sys

import pytest

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
        lower = load_metric(name).definition.lower_is_better
        assert ("lower" if lower else "higher") + " is better" in description["definition"], name
        for option in description["options"]:
            assert f"{option}:" in description["definition"], f"{name} does not explain {option}"


def test_a_signature_names_options_tokenizer_and_version() -> None:
    signature = load_metric("overlap.rouge_l", {"beta": 2}).signature
    assert signature.startswith("overlap.rouge_l|beta:2.0|tokenizer:words|tok:fugashi-")
    assert "/unidic-lite-" in signature
    assert "|norm:nfkc-ja1|answer:reasoning2|range:0-1|v:1" in signature


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
