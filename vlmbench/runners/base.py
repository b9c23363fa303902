"""What a runner is, and how one is found by name.

A runner turns requests into responses. It knows no task and no metric. One that separates the
work of the CPU from the model's is a StagedRunner, whose inputs can be made ready in the
background while the model generates; a SplitRunner's can be made by other processes. One that
decides itself how many requests it works on at a time is a StreamingRunner. One that can tell
early that it will fail is a CheckingRunner.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from vlmbench.errors import ModelError, UsageError, unknown_name
from vlmbench.models.plugins import package_of, plugin_runners
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Request, Response, Scalar


@runtime_checkable
class Runner(Protocol):
    """Answers requests with one model."""

    def prepare(self, spec: ModelSpec) -> None:
        """Load the model.

        Raises:
            ModelError: It cannot be found or loaded.
        """

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """A response for each request, in the same order.

        What is wrong with one request becomes that request's typed error. An exception means
        that the runner cannot go on.
        """

    def describe(self) -> Mapping[str, Scalar]:
        """What a reader of the results wants to know: device, dtype, library versions."""

    def close(self) -> None:
        """Free the model."""


@runtime_checkable
class StagedRunner(Runner, Protocol):
    """A runner whose `generate(requests)` is `decode(encode(requests))`."""

    largest_batch_that_fit: int | None
    """The most requests that fitted into memory together in the last `decode`; None if all did."""

    def encode(self, requests: Sequence[Request]) -> Any:
        """The model's inputs. Called in other threads than `decode`, several at a time."""

    def decode(self, batch: Any) -> list[Response]:
        """The responses to an encoded batch. Called in one thread at a time."""


@runtime_checkable
class SplitRunner(StagedRunner, Protocol):
    """A runner whose `encode(requests)` is `unpack(requests, packer(spec)(requests))`."""

    def packer(self, spec: ModelSpec) -> Callable[[Sequence[Request]], Any]:
        """Load what inputs are made with, but no model.

        Returns:
            Makes what `unpack` takes, in a form that other processes can be sent.
        """

    def unpack(self, requests: Sequence[Request], packed: Any) -> Any:
        """The model's inputs out of what another process has made of the same requests."""


@runtime_checkable
class StreamingRunner(Runner, Protocol):
    """A runner whose `generate(requests)` is `stream(requests)`, put in order."""

    def stream(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        """Responses in any order; closing the generator stops whatever is under way.

        Requests are taken lazily, a bounded number ahead, in one thread (not the caller's).
        """


@runtime_checkable
class CheckingRunner(Runner, Protocol):
    """A runner that can tell, without loading the model, that it could not load it."""

    def check(self, spec: ModelSpec) -> None:
        """See whether what the model needs is there.

        Raises:
            VlmbenchError: It is not, so that `prepare` would fail.
        """


_RUNNERS = {
    "baseline": ("vlmbench.runners.baseline", "BaselineRunner"),
    "hf": ("vlmbench.runners.hf.runner", "HFRunner"),
    "openai_api": ("vlmbench.runners.api.runner", "OpenAIRunner"),
    "served": ("vlmbench.runners.api.served", "ServedRunner"),
    "remote_code": ("vlmbench.runners.remote_code.runner", "CodeRunner"),
}


def make_runner(name: str) -> Runner:
    """A new runner, not yet prepared; imports no other one.

    Raises:
        UsageError: There is no such runner.
        ModelError: It is another package's, which cannot be imported or holds something else.
    """
    if name in _RUNNERS:
        module, attribute = _RUNNERS[name]
        runner = getattr(importlib.import_module(module), attribute)()
        assert isinstance(runner, Runner)  # a slip in the table above
        return runner
    if name in plugin_runners():
        return _plugin_runner(name)
    known = [*_RUNNERS, *plugin_runners()]
    raise UsageError(unknown_name("runner", name, known, next_step=f"there are {', '.join(known)}"))


def check_model(spec: ModelSpec) -> None:
    """See whether a model could be loaded, as far as its runner can tell without doing so.

    Raises:
        VlmbenchError: It could not.
    """
    runner = make_runner(spec.runner)
    if isinstance(runner, CheckingRunner):
        runner.check(spec)


def _plugin_runner(name: str) -> Runner:
    point = plugin_runners()[name]
    problem = "it has not the methods of a runner"
    try:
        runner = point.load()()
        if isinstance(runner, Runner):
            return runner
    except Exception as error:  # another package's code raises anything
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    raise ModelError(
        f"The runner '{name}' of {package_of(point)} cannot be used ({problem}); correct or "
        "remove that package."
    )
