"""The cache in front of an executor: each question is asked once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from made_requests import request_for

from vlmbench.executors.answer_cache import AnswerCache
from vlmbench.executors.cached import CachedExecutor
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response


def spec_with(answers: Mapping[str, str]) -> ModelSpec:
    """A baseline that answers from a table; a question outside of it is an error."""
    return ModelSpec("m", "baseline", "scripted", "fingerprint", answers=answers)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    made = AnswerCache(tmp_path / "answers.sqlite")
    yield made
    made.close()


def ask(cache: AnswerCache, answers: Mapping[str, str], requests: list[Request]) -> list[Response]:
    executor = CachedExecutor(LocalExecutor(batch_size=2), cache)
    found = list(executor.map(spec_with(answers), iter(requests)))
    executor.close()
    return found


def test_what_was_answered_is_not_asked_again(cache: AnswerCache) -> None:
    requests = [request_for(number, number + 1) for number in range(7)]
    first = ask(cache, {f"q{n}": f"答{n}" for n in range(4)}, requests)
    assert [one.text for one in first] == ["答0", "答1", "答2", "答3", None, None, None]
    # Now everything would be answered otherwise: what is in the cache is not.
    again = {one.sample_id: one for one in ask(cache, {f"q{n}": "新" for n in range(7)}, requests)}
    assert [again[f"q{n}"].text for n in range(7)] == ["答0", "答1", "答2", "答3", "新", "新", "新"]
    assert [again[f"q{n}"].cached for n in range(7)] == [True] * 4 + [None] * 3


def test_no_model_is_loaded_for_answers_that_are_there(cache: AnswerCache) -> None:
    requests = [request_for(number) for number in range(3)]
    ask(cache, {f"q{n}": "赤" for n in range(3)}, requests)
    inner = LocalExecutor(batch_size=2)
    responses = CachedExecutor(inner, cache).map(spec_with({}), requests)
    assert {one.text for one in responses} == {"赤"}
    assert inner._runner is None


def test_leaving_early_keeps_what_was_answered(cache: AnswerCache) -> None:
    requests = [request_for(number, number + 1) for number in range(9)]
    executor = CachedExecutor(LocalExecutor(batch_size=2), cache)
    responses = executor.map(spec_with({f"q{n}": "赤" for n in range(9)}), requests)
    for _ in range(3):
        next(responses)
    responses.close()
    assert [one.cached for one in ask(cache, {}, requests)[:4]].count(True) >= 3
