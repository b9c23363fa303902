from __future__ import annotations

import dataclasses
import random

import pytest
from made_samples import journal_sample

from vlmbench.errors import DataError
from vlmbench.metrics.base import load_metric
from vlmbench.records import JournalSample, Response, ResponseError, SampleScores
from vlmbench.scoring import sample_scores
from vlmbench.scoring.aggregate import DIAGNOSTICS, ScoredMetric, with_diagnostics
from vlmbench.scoring.sample_scores import score_samples
from vlmbench.tasks.conditions import parse_where

WORDS = [
    "白い",
    "猫",
    "が",
    "箱",
    "の",
    "中",
    "で",
    "寝て",
    "いる",
    "犬",
    "赤い",
    "橋",
    "走る",
    "電車",
    "2台",
    "。",
]


def made(count: int) -> tuple[dict[str, JournalSample], dict[str, Response]]:
    """Samples with answers, some of them errors, some missing."""
    source = random.Random(count)

    def text() -> str:
        return "".join(source.choices(WORDS, k=source.randrange(9)))

    samples, responses = {}, {}
    for number in range(count):
        id_ = f"s{number:05}"
        references = [text() for _ in range(source.randrange(1, 4))]
        samples[id_] = journal_sample(*references, index=number, open=bool(number % 3))
        if number % 7:
            responses[id_] = Response(id_, id_, text=text())
        elif number % 2:
            responses[id_] = Response(id_, id_, error=ResponseError("timeout", "none in 60 s"))
    return samples, responses


def metrics() -> list[ScoredMetric]:
    """One of each kind: corpus, mean, prepared, with a condition, not batched."""
    names = ["overlap.bleu", "overlap.rouge_l", "caption.cider", "caption.cider_d", "ocr.cer"]
    condition = parse_where("meta.open == True")
    chosen = [ScoredMetric(name, load_metric(name)) for name in names]
    return [
        *chosen,
        ScoredMetric("open", load_metric("overlap.chrf"), where=condition),
        ScoredMetric("open_cider", load_metric("caption.cider_d"), where=condition),
    ]


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, responses = made(60)
    whole = score_samples(samples, responses, metrics())
    monkeypatch.setattr(sample_scores, "BATCH_SIZE", 7)
    assert score_samples(samples, responses, metrics()) == whole
    assert len(whole) == len(responses)


def test_a_sample_without_references_is_one_sentence() -> None:
    samples, responses = made(20)
    samples["s00001"] = journal_sample()
    with pytest.raises(DataError, match="without any reference"):
        score_samples(samples, responses, metrics()[:1])


def test_a_condition_decides_what_is_learned_and_scored() -> None:
    samples, responses = made(30)
    rows = {row.id: row for row in score_samples(samples, responses, metrics())}
    open_ids = {name for name, sample in samples.items() if sample.meta["open"]}
    answered = {row.id for row in rows.values() if not row.error}
    assert {row.id for row in rows.values() if "open" in row.scores} == open_ids & answered
    differing = [id_ for id_ in open_ids & answered if _differ(rows[id_])]
    assert differing  # frequencies of two thirds of the task are others


def _differ(row: SampleScores) -> bool:
    return row.scores["open_cider"] != row.scores["caption.cider_d"]


def test_what_is_learned_of_the_references_is_learned_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    calls: list[int] = []
    first, second = (load_metric(name) for name in ("caption.cider", "caption.cider_d"))
    original = first.definition.prepare
    assert original is not None

    def counted(references: object) -> object:
        calls.append(1)
        return original(references)  # type: ignore[arg-type]

    chosen = [
        ScoredMetric(
            m.name,
            dataclasses.replace(m, definition=dataclasses.replace(m.definition, prepare=counted)),
        )
        for m in (first, second)
    ]
    score_samples(*made(10), chosen)
    assert calls == [1]


def test_answers_are_diagnosed_without_being_asked() -> None:
    condition = parse_where("meta.open == True")
    exact = ScoredMetric("match.exact", load_metric("match.exact"), headline=True)
    rouge = ScoredMetric("overlap.rouge_l", load_metric("overlap.rouge_l"), where=condition)
    conduct = ["language.refusal", "language.repetition", "language.truncation"]
    conduct.append("language.unfinished_reasoning")
    language = ["language.japanese", "language.chinese", "language.english"]
    assert [one.id for one in with_diagnostics([exact])[1:]] == [*language, *conduct]
    found = {one.id: one for one in with_diagnostics([exact, rouge])[2:]}
    assert set(found) == set(DIAGNOSTICS)
    assert not any(one.headline for one in found.values())
    # Scripts for the samples of the open metric only; for all where one of them has no condition.
    for name, expected in (("kana", [True, False]), ("refusal", [True, True])):
        one = found[f"language.{name}"]
        assert [one.applies({"open": value}) for value in (True, False)] == expected
    everywhere = with_diagnostics([rouge, ScoredMetric("bleu", load_metric("overlap.bleu"))])
    assert all(one.applies({"open": False}) for one in everywhere[2:])
    # An option's letter is in no language.
    choice = ScoredMetric("match.choice", load_metric("match.choice"), headline=True)
    assert [one.id for one in with_diagnostics([choice])[1:]] == conduct
    mixed = with_diagnostics([dataclasses.replace(choice, where=condition)])
    assert [mixed[1].applies({"open": value}) for value in (True, False)] == [False, True]
    # What a task lists itself stays as it is.
    own = ScoredMetric("language.japanese", load_metric("language.japanese"), headline=True)
    assert with_diagnostics([rouge, own])[1] == own
    assert len(with_diagnostics([rouge, own])) == 1 + len(DIAGNOSTICS)


def test_truncation_comes_from_the_response() -> None:
    samples = {name: journal_sample("猫") for name in "ab"}
    responses = {
        "a": Response("a", "a", text="猫が", finish="length"),
        "b": Response("b", "b", text="猫"),
    }
    chosen = [ScoredMetric("cut", load_metric("language.truncation"))]
    first, second = score_samples(samples, responses, chosen)
    assert first.scores["cut"].vector == (1.0,)
    assert second.scores["cut"].vector is None
