from __future__ import annotations

import dataclasses
import random

import pytest

from vlmbench.errors import DataError, UsageError
from vlmbench.metrics.base import Answer, load_metric
from vlmbench.records import Response, ResponseError, Sample, SampleScores
from vlmbench.scoring import stream as scoring
from vlmbench.scoring import workers as score_workers
from vlmbench.scoring.aggregate import DIAGNOSTICS, ScoredMetric, with_diagnostics
from vlmbench.scoring.stream import score_samples
from vlmbench.scoring.workers import Batch, Workers
from vlmbench.tasks.where import parse_where
from vlmbench.text import japanese
from vlmbench.text.japanese import tokenize

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


def made(count: int) -> tuple[list[Sample], dict[str, Response]]:
    """Samples with answers, some of them errors, some missing."""
    source = random.Random(count)

    def text() -> str:
        return "".join(source.choices(WORDS, k=source.randrange(9)))

    samples, responses = [], {}
    for number in range(count):
        id_ = f"s{number:05}"
        references = tuple(text() for _ in range(source.randrange(1, 4)))
        samples.append(Sample(id_, (), references, meta={"open": bool(number % 3)}))
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
    monkeypatch.setattr(scoring, "BATCH_SIZE", 7)
    assert score_samples(samples, responses, metrics()) == whole
    assert len(whole) == len(responses)


def test_processes_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, responses = made(60)
    alone = score_samples(samples, responses, metrics(), processes=1)
    monkeypatch.setattr(scoring, "BATCH_SIZE", 13)
    assert score_samples(samples, responses, metrics(), processes=2) == alone


def test_a_worker_that_dies_is_one_sentence() -> None:
    metric = load_metric("overlap.chrf")
    batches = [Batch([Answer("猫", ("犬",))], [None])] * 8
    with Workers(2) as workers:
        workers._workers[0]._process.kill()
        workers._workers[0]._process.wait()
        with pytest.raises(UsageError, match="ended before its time"):
            workers.score(batches, [metric])


def test_words_travel_between_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    references = [
        (f"{number}匹の白い猫が箱の中で寝ている。", "犬\u3000と 猫") for number in range(9)
    ]
    alone = [[tokenize(text) for text in texts] for texts in references]
    japanese._words.clear()
    monkeypatch.setattr(score_workers, "BATCH_SIZE", 1)
    with Workers(2) as workers:
        workers.tokenize(references)
    monkeypatch.delattr(japanese, "unidic")  # nothing is left to analyze
    assert [[tokenize(text) for text in texts] for texts in references] == alone


def test_an_error_in_a_worker_is_the_same_sentence() -> None:
    samples, responses = made(20)
    broken = [Sample("s00001", (), ()), *samples[2:]]
    for processes in (1, 2):
        with pytest.raises(DataError, match="without any reference"):
            score_samples(broken, responses, metrics()[:1], processes=processes)


def test_a_condition_decides_what_is_learned_and_scored() -> None:
    samples, responses = made(30)
    rows = {row.id: row for row in score_samples(samples, responses, metrics())}
    open_ids = {sample.id for sample in samples if sample.meta["open"]}
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
    samples = [Sample(id_, (), ("猫",)) for id_ in "ab"]
    responses = {
        "a": Response("a", "a", text="猫が", finish="length"),
        "b": Response("b", "b", text="猫"),
    }
    chosen = [ScoredMetric("cut", load_metric("language.truncation"))]
    first, second = score_samples(samples, responses, chosen)
    assert first.scores["cut"].vector == (1.0,)
    assert second.scores["cut"].vector is None
