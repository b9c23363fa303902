"""The runner against a real server that misbehaves on purpose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from made_server import MadeServer, Reply, completion, said
from made_tasks import color_rows, picture, write_task

from vlmbench.cli.main import main
from vlmbench.errors import DataError, ModelError
from vlmbench.executors.local import LocalExecutor
from vlmbench.models.resolve import ModelSpec, resolve_model
from vlmbench.records import Generation, Image, ImagePart, Request, Response, TextPart
from vlmbench.runners.api.runner import OpenAIRunner

KEY = "sk-geheim-0123456789"
RED = ImagePart(Image(picture("赤")))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def requests(count: int, *, stop: tuple[str, ...] = ()) -> list[Request]:
    asked = Generation(8, stop=stop)
    return [Request(f"q{n}", (TextPart(f"問{n}"), RED), asked) for n in range(count)]


def echo(body: dict[str, Any], earlier: int) -> Reply:
    return Reply(completion(f"答:{said(body)}"))


def spec(url: str, **options: Any) -> ModelSpec:
    return resolve_model("openai:m", options={"base_url": url, **options})


def prepared(url: str, **options: Any) -> OpenAIRunner:
    runner = OpenAIRunner()
    runner.prepare(spec(url, **options))
    return runner


def ask(url: str, many: list[Request], **options: Any) -> dict[str, Response]:
    runner = prepared(url, **options)
    found = {one.sample_id: one for one in runner.stream(many)}
    runner.close()
    return found


def test_answers_come_back_to_their_requests() -> None:
    with MadeServer(echo) as server:
        responses = prepared(server.url).generate(requests(40))
        assert server.keys == {f"Bearer {KEY}"}
    assert [one.text for one in responses] == [f"答:問{n}" for n in range(40)]
    assert [one.key for one in responses] == [one.key for one in requests(40)]
    first = responses[0]
    assert (first.finish, first.prompt_tokens, first.output_tokens) == ("stop", 11, 3)
    assert first.seconds is not None and first.first_token_seconds is None


def misbehave(body: dict[str, Any], earlier: int) -> Reply:
    """By the number in the text: the first attempt fails in one way or another, or every one."""
    number = int(said(body).removeprefix("問"))
    answer = Reply(completion(f"答{number}"))
    always = {
        1: Reply({"error": {"message": "maximum context length is 10 tokens"}}, 400),
        2: Reply({"error": {"message": f"bad field, your key is {KEY}"}}, 400),
        3: Reply(b"Internal Server Error", 500),
        4: Reply(b"{", 200),
        5: Reply(b"", seconds=0.6),
    }
    once = {
        6: Reply(b"", 429),
        7: Reply(b"", 503),
        8: Reply(b"no json"),
        9: Reply(b"{", promised=100),
        10: Reply(b"", seconds=0.6),
    }
    return always.get(number) or (once.get(number) if earlier == 0 else None) or answer


def test_each_failure_costs_its_own_sample_at_most() -> None:
    with MadeServer(misbehave) as server:
        responses = ask(server.url, requests(30), timeout=0.3, retries=2)
        attempts = {text: len(times) for text, times in server.times.items()}
    errors = {key: one.error for key, one in responses.items() if one.error is not None}
    kinds = {key: error.kind for key, error in errors.items()}
    assert kinds == {
        "q1": "too_long",
        "q2": "rejected",
        "q3": "unavailable",
        "q4": "unavailable",
        "q5": "timeout",
    }
    assert {key: one.text for key, one in responses.items() if key not in kinds} == {
        f"q{n}": f"答{n}" for n in (0, *range(6, 30))
    }
    assert [attempts[f"問{n}"] for n in range(11)] == [1, 1, 1, 3, 3, 3, 2, 2, 2, 2, 2]
    assert "(after 3 attempts)" in errors["q3"].message
    assert "geheim" not in errors["q2"].message


def test_retry_after_holds_everybody() -> None:
    def limited(body: dict[str, Any], earlier: int) -> Reply:
        return echo(body, earlier) if earlier or said(body) != "問0" else WAIT

    WAIT = Reply(b"", 429, {"Retry-After": "1"})
    with MadeServer(limited) as server:
        responses = ask(server.url, requests(20))
        assert all(one.text for one in responses.values())
        first, second = server.times["問0"]
        came = [at for times in server.times.values() for at in times]
    assert second - first >= 1
    assert not [at for at in came if first + 0.2 < at < first + 1]


def test_a_wait_beyond_patience_ends_the_run() -> None:
    with MadeServer(lambda body, earlier: Reply(b"", 503, {"Retry-After": "3600"})) as server:
        with pytest.raises(ModelError, match=r"asks to wait 3,600 s .* the patience of 2"):
            ask(server.url, requests(1), patience=2.0)
        assert len(server.bodies) == 1


def test_a_server_that_hangs_ends_the_run() -> None:
    with MadeServer(lambda body, earlier: Reply(b"", seconds=1.0)) as server:
        with pytest.raises(ModelError, match=r"answers none \(3 samples in a row: no answer with"):
            ask(server.url, requests(30), timeout=0.1, retries=0, concurrency=1)
        assert len(server.bodies) <= 4


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 500])
def test_a_reply_beyond_the_bound_costs_its_sample(stream: bool, status: int) -> None:
    kind = {"Content-Type": "application/json"}
    large = Reply(completion("x" * 2**21), status, kind)

    def answer(body: dict[str, Any], earlier: int) -> Reply:
        return large if said(body) == "問1" else Reply(completion(f"答:{said(body)}"), 200, kind)

    with MadeServer(answer) as server:
        responses = ask(server.url, requests(3), max_reply_mib=1, stream=stream)
        assert len(server.bodies) == 3
    assert [responses[f"q{n}"].text for n in (0, 2)] == ["答:問0", "答:問2"]
    error = responses["q1"].error
    assert error is not None and error.kind == "rejected"
    assert error.message.startswith("the server's reply is larger than 1 MiB")


def test_while_a_server_is_down_requests_are_tried_once() -> None:
    with MadeServer(lambda body, earlier: Reply(b"", 500)) as server:
        responses = ask(server.url, requests(30), retries=1, concurrency=1)
        assert len(server.bodies) < 40
    assert {one.error.kind for one in responses.values() if one.error} == {"unavailable"}
    assert len(responses) == 30


def test_concurrency_grows_on_a_patient_server() -> None:
    with MadeServer(lambda body, earlier: Reply(completion("赤"), seconds=0.3)) as server:
        started = time.monotonic()
        ask(server.url, requests(300))
        spent = time.monotonic() - started
        assert server.most >= 16, "even on a busy machine"
    assert spent < 300 * 0.3 / 4, "four times as fast as one by one, at the very least"


def test_concurrency_stays_below_its_bound() -> None:
    with MadeServer(lambda body, earlier: Reply(completion("赤"), seconds=0.1)) as server:
        ask(server.url, requests(40), concurrency=3)
        assert server.most == 3


def test_concurrency_follows_a_server_that_refuses_more_than_four() -> None:
    def behave(body: dict[str, Any], earlier: int) -> Reply:
        if server.now > 4:
            return Reply(b"", 429)
        return Reply(completion("赤"), seconds=0.02)

    with MadeServer(behave) as server:
        responses = ask(server.url, requests(150))
        attempts = len(server.bodies)
    assert all(one.text == "赤" for one in responses.values())
    assert server.most <= 8, "doubling shows once that four are too few"
    assert attempts < 150 * 1.5


def test_concurrency_stays_low_where_requests_queue() -> None:
    """Two at a time: latency grows in proportion to what is asked beyond."""
    working = threading.Semaphore(2)

    def behave(body: dict[str, Any], earlier: int) -> Reply:
        with working:
            time.sleep(0.1)
        return Reply(completion("赤"))

    with MadeServer(behave) as server:
        ask(server.url, requests(80))
        assert server.most <= 16


@pytest.mark.parametrize(
    ("status", "fragment"), [(401, "OPENAI_API_KEY"), (403, "rights"), (404, "has no model 'm'")]
)
def test_what_concerns_all_requests_stops_the_run(status: int, fragment: str) -> None:
    reason = {"error": {"message": f"no: {KEY}"}}
    with (
        MadeServer(lambda body, earlier: Reply(reason, status, seconds=0.05)) as server,
        pytest.raises(ModelError) as caught,
    ):
        list(prepared(server.url).stream(requests(500)))
    assert fragment in str(caught.value) and "geheim" not in str(caught.value)
    assert len(server.bodies) < 10


def test_nobody_there_is_one_sentence() -> None:
    with MadeServer(echo) as server:
        url = server.url
    with pytest.raises(ModelError, match="No server answers at http"):
        prepared(url)


def test_a_key_is_needed_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"There is no key for .* in MY_KEY"):
        prepared("http://127.0.0.1:9/v1", api_key_env="MY_KEY")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ModelError, match=r"There is no key for https://api\.openai\.com/v1"):
        OpenAIRunner().prepare(resolve_model("openai:m"))
    with MadeServer(echo) as server:
        assert ask(server.url, requests(1))["q0"].text
        assert server.keys == {None}


def test_a_key_in_two_lines_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-geheim\nX: y")
    with pytest.raises(ModelError, match="cannot be a key") as caught:
        prepared("http://127.0.0.1:9/v1")
    assert "geheim" not in str(caught.value)


def test_requests_are_taken_a_bounded_number_ahead() -> None:
    taken, threads = [], set()

    def lazily() -> Iterator[Request]:
        for request in requests(200):
            taken.append(request)
            threads.add(threading.current_thread())
            yield request

    with (
        MadeServer(echo) as server,
        closing(prepared(server.url, concurrency=4).stream(lazily())) as stream,
    ):
        for number, _ in zip(range(20), stream, strict=False):
            assert len(taken) <= number + 1 + 8 + 1
        time.sleep(0.3)
        assert len(taken) <= 20 + 8 + 1
    assert len(threads) == 1 and threads != {threading.current_thread()}


def test_closing_stops_everything() -> None:
    before = threading.active_count()
    with MadeServer(lambda body, earlier: Reply(completion("赤"), seconds=0.05)) as server:
        stream = prepared(server.url).stream(requests(1000))
        next(stream)
        stream.close()
        asked = len(server.bodies)
        time.sleep(0.3)
        assert len(server.bodies) <= asked + 1
    assert threading.active_count() <= before
    assert asked < 50


def test_an_error_of_the_requests_comes_after_the_answers() -> None:
    def failing() -> Iterator[Request]:
        yield from requests(10)
        raise DataError("row 10 is broken")

    with MadeServer(lambda body, earlier: Reply(completion("赤"), seconds=0.05)) as server:
        stream = prepared(server.url).stream(failing())
        answered = [next(stream) for _ in range(10)]
        with pytest.raises(DataError, match="row 10"):
            next(stream)
    assert len({one.sample_id for one in answered}) == 10


def test_a_broken_image_costs_its_sample() -> None:
    broken = Request("bad", (TextPart("問"), ImagePart(Image(b"no image"))), Generation(8))
    with MadeServer(echo) as server:
        responses = ask(server.url, [broken, *requests(3)])
    assert responses["bad"].error is not None and responses["bad"].error.kind == "image"
    assert all(responses[f"q{n}"].text for n in range(3))


def test_answers_end_before_a_stop_string() -> None:
    with MadeServer(lambda body, earlier: Reply(completion("赤\n青", "length"))) as server:
        response = ask(server.url, requests(1, stop=("\n",)))["q0"]
    assert (response.text, response.finish) == ("赤", "stop")


def test_a_streamed_answer_tells_when_it_began() -> None:
    def events(body: dict[str, Any], earlier: int) -> Reply:
        assert body["stream"] and body["stream_options"] == {"include_usage": True}
        parts: list[dict[str, Any]] = [
            {"choices": [{"delta": {"content": "赤\u2028"}, "finish_reason": None}]},
            {"choices": [{"delta": {"content": "い"}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
        ]
        lines = [f"data: {json.dumps(part, ensure_ascii=False)}\r\n\r\n" for part in parts]
        data = "".join([*lines, "data: [DONE]\n\n"]).encode()
        return Reply(data, headers={"Content-Type": "text/event-stream"}, seconds=0.1)

    with MadeServer(events) as server:
        response = ask(server.url, requests(1), stream=True)["q0"]
    assert (response.text, response.prompt_tokens, response.output_tokens) == ("赤\u2028い", 5, 2)
    assert response.first_token_seconds is not None and response.seconds is not None
    assert 0.1 <= response.first_token_seconds <= response.seconds


def test_a_server_that_does_not_stream_is_understood() -> None:
    def plain(body: dict[str, Any], earlier: int) -> Reply:
        return Reply(completion("赤"), headers={"Content-Type": "application/json"})

    with MadeServer(plain) as server:
        response = ask(server.url, requests(1), stream=True)["q0"]
    assert (response.text, response.first_token_seconds) == ("赤", None)


def test_the_executor_streams() -> None:
    executor = LocalExecutor(batch_size=4)
    with MadeServer(echo) as server:
        responses = list(executor.map(spec(server.url), iter(requests(30))))
        assert executor.describe()["endpoint"] == server.url
        executor.close()
    assert {one.sample_id for one in responses} == {f"q{n}" for n in range(30)}


def run(place: Path, url: str, *more: str) -> int:
    arguments = f"run --quiet --model openai:org/m --base-url {url} --out {place}/runs".split()
    return main([*arguments, "--tasks", str(place / "task" / "colors.yaml"), *more])


def record(place: Path) -> dict[str, Any]:
    path = place / "runs" / "org-m" / "colors" / "run.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_a_killed_server_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_task(tmp_path / "task", color_rows(60))

    def mortal(body: dict[str, Any], earlier: int) -> Reply:
        if len(server.bodies) == 20:
            threading.Thread(target=server.kill).start()
        return Reply(completion("赤"), seconds=0.05)

    # Pictures and questions repeat: with the cache, fewer would be asked.
    quick = ("--no-cache", "--model-option", "retries=0", "--model-option", "concurrency=4")
    with MadeServer(mortal) as server:
        assert run(tmp_path, server.url, *quick) == 3
        url, port = server.url, server.port
    there = record(tmp_path)["coverage"]
    assert 10 < there["answered"] < 30
    assert there["errors"] == {"unavailable": 60 - there["answered"]}
    assert "has no answer to" in capsys.readouterr().err
    with MadeServer(echo, port=port) as again:
        assert run(tmp_path, url, *quick) == 0
        assert len(again.bodies) == 60 - there["answered"]
    assert record(tmp_path)["coverage"] == {"total": 60, "answered": 60, "errors": {}}
    journal = tmp_path / "runs" / "org-m" / "colors" / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    texts = [one["sample_id"] for one in lines if one["type"] == "response" and "text" in one]
    assert sorted(texts) == sorted({row["id"] for row in color_rows(60)})


def test_a_run_goes_on_at_another_address(tmp_path: Path) -> None:
    """Where a server stands is no part of the model's identity."""
    write_task(tmp_path / "task", color_rows(12))

    def refuse(body: dict[str, Any], earlier: int) -> Reply:
        few = len(server.bodies) <= 5
        return Reply(completion("赤")) if few else Reply({"error": {"message": "bad field"}}, 400)

    with MadeServer(refuse) as server:
        assert run(tmp_path, server.url, "--no-cache") == 3
        assert record(tmp_path)["coverage"]["answered"] == 5
    with MadeServer(echo) as elsewhere:
        assert elsewhere.port != server.port
        assert run(tmp_path, elsewhere.url, "--no-cache") == 0
        assert len(elsewhere.bodies) == 7
    assert record(tmp_path)["coverage"] == {"total": 12, "answered": 12, "errors": {}}


def test_the_key_is_written_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a service that repeats it, nor by one that answers, nor by what comes after."""

    def tell_tale(body: dict[str, Any], earlier: int) -> Reply:
        return Reply({"error": {"message": f"Bearer {KEY} may not"}}, 400)

    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    write_task(tmp_path / "task", color_rows(4))
    runs, page = str(tmp_path / "runs"), str(tmp_path / "page")
    with MadeServer(tell_tale) as server:
        assert run(tmp_path, server.url) == 3
        assert server.keys == {f"Bearer {KEY}"}
    with MadeServer(echo, port=server.port) as again:
        assert run(tmp_path, again.url) == 0
        assert again.keys == {f"Bearer {KEY}"}
    assert main(["models", "show", "openai:m", "--json"]) == 0
    assert main(["report", runs, "--out", page]) == 0
    assert main(["gate", "save", runs, "-o", str(tmp_path / "gate.json")]) == 0
    printed = capsys.readouterr()
    assert "geheim" not in printed.out + printed.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"journal.jsonl", "scores.jsonl", "run.json", "index.html", "gate.json"} <= {
        path.name for path in files
    }
    assert not [path for path in files if b"geheim" in path.read_bytes()]


def test_tokens_cost_what_they_cost(tmp_path: Path) -> None:
    """40 x 11 tokens read at 2 dollars a million, 40 x 3 written at 10."""
    write_task(tmp_path / "task", color_rows(40))
    with MadeServer(echo) as server:
        assert run(tmp_path, server.url, "--model-option", "price={input: 2, output: 10}") == 0
    performance = record(tmp_path)["performance"]
    assert performance["cost_usd"] == pytest.approx((440 * 2 + 120 * 10) / 1e6)
    assert (performance["prompt_tokens"], performance["output_tokens"]) == (440, 120)
