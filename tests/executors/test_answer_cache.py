"""Answers are found again where nothing that decides them differs."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from made_requests import request_for

from vlmbench.errors import CacheError
from vlmbench.executors.answer_cache import AnswerCache, answer_key, default_cache
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Request, Response, ResponseError

SPEC = resolve_model("tiny-ja")

Opened = Callable[[Path], AnswerCache]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens caches, which are closed in the end."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(AnswerCache(path)))


def response_to(request: Request, text: str) -> Response:
    return Response(request.sample_id, request.key, text, finish="stop", output_tokens=2)


def test_the_same_question_under_another_id_is_answered(tmp_path: Path, opened: Opened) -> None:
    asked, other = request_for(1), dataclasses.replace(request_for(1), sample_id="elsewhere")
    cache, again = (opened(tmp_path / "new" / "answers.sqlite") for _ in range(2))
    assert cache.find(answer_key(SPEC, asked), asked) is None
    cache.keep([(answer_key(SPEC, asked), response_to(asked, "赤\ud800"))])
    found = again.find(answer_key(SPEC, other), other)
    assert found == Response(
        "elsewhere", other.key, "赤\ud800", finish="stop", output_tokens=2, cached=True
    )


def test_whatever_decides_an_answer_is_in_its_key() -> None:
    asked = request_for(1)
    sampled = dataclasses.replace(asked, generation=Generation(temperature=0.7))
    others = [
        (dataclasses.replace(SPEC, fingerprint="another"), asked),
        (SPEC, request_for(1, length=2)),
        (SPEC, dataclasses.replace(asked, system="日本語で。")),
        (SPEC, sampled),
        (SPEC, dataclasses.replace(sampled, sample_id="another")),  # drawn with another seed
    ]
    keys = [answer_key(*pair) for pair in [(SPEC, asked), *others]]
    assert len(set(keys)) == len(keys)
    assert answer_key(dataclasses.replace(SPEC, device="cpu"), asked) == keys[0]


def test_errors_are_not_kept(tmp_path: Path, opened: Opened) -> None:
    asked = request_for(1)
    cache = opened(tmp_path / "answers.sqlite")
    failed = Response("q1", asked.key, error=ResponseError("timeout", "too slow"))
    cache.keep([("key", failed)])
    assert cache.find("key", asked) is None


def test_threads_and_connections_share_a_file(tmp_path: Path, opened: Opened) -> None:
    caches = [opened(tmp_path / "answers.sqlite") for _ in range(2)]

    def work(number: int) -> None:
        for index in range(30):
            one = request_for(number * 100 + index)
            caches[number % 2].keep([(one.sample_id, response_to(one, one.sample_id))])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        for index in range(30):
            one = request_for(number * 100 + index)
            found = caches[0].find(one.sample_id, one)
            assert found is not None
            assert found.text == one.sample_id


def test_a_file_that_is_no_cache_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 20)
    with pytest.raises(CacheError, match=r"cannot be used .* pass --no-cache"):
        AnswerCache(path)


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    assert default_cache() == tmp_path / "answers.sqlite"
    monkeypatch.delenv("VLMBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert default_cache() == tmp_path / "caches" / "vlmbench" / "answers.sqlite"
