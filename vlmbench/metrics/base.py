"""What a metric is, and how one is found by name.

A metric is one function from an answer to one additive vector, with a docstring that defines it:

    @metric(bounds=(0, 1), compares="tokens", source="Lin 2004, ROUGE")
    def rouge_l(answer: Answer, *, beta: float = 1.0) -> float: ...

in a file `vlmbench/metrics/FAMILY.py` it is the metric `FAMILY.rouge_l`; its keyword-only
parameters are its options. Without more, the vectors have one number and the metric's value is
their mean. `size` and `combine` make a corpus metric, `prepare` one that looks at all references
of the task first. A family is imported when one of its metrics is asked for.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from vlmbench import metrics
from vlmbench.errors import DataError, DependencyError, UsageError, unknown_name
from vlmbench.metrics import compat
from vlmbench.metrics.judge_prompt import Extremes, JudgePrompt
from vlmbench.metrics.options import Range as Range
from vlmbench.metrics.options import checked_option, option_value
from vlmbench.records import Image, MetricScore, Scalar
from vlmbench.stats import (
    Combine,
    Count,
    Floats,
    Kind,
    is_binary,
    mean,
)
from vlmbench.text import japanese, numbers
from vlmbench.text.reasoning import REASONING_FORM, without_reasoning

_NO_FAMILIES = {"base", "compat", "encoders", "judge_prompt", "judge_prompts", "ngrams", "options"}
_NO_FAMILIES |= {"guarded", "vectors"}
"""Modules of this folder that define no metric."""

References: TypeAlias = Sequence[Sequence[str]]
"""The references of every sample of a task."""

MetricResult: TypeAlias = float | tuple[float, ...] | MetricScore
"""What a metric function returns; a MetricScore when it extracts something or cannot score."""


Compared: TypeAlias = Literal["answers", "numbers", "characters", "tokens", "own"]
"""The form of the texts that a metric compares: short answers, short answers with their numbers
read, characters without white space, words, or a form of its own that its docstring defines."""

Identity: TypeAlias = Callable[[Mapping[str, Scalar]], Sequence[str]]
"""From a metric's options to further parts of its signature."""


class Answer(NamedTuple):
    """What a metric sees of a sample: never the model.

    A tuple, because there are hundreds of thousands of them.
    """

    prediction: str
    references: tuple[str, ...]
    """Accepted answers, or one answer an annotator; never empty."""
    choices: tuple[str, ...] = ()
    """The options of a multiple-choice question, in order."""
    meta: Mapping[str, Scalar] = {}
    """The sample's `meta`, for metrics whose rule depends on it, such as on an answer type."""
    images: tuple[Image, ...] = ()
    """The sample's images, only for a metric whose `encoder` looks at them."""
    finish: Literal["stop", "length"] | None = None
    """`length` when the answer was cut at the task's `max_new_tokens`; None if unknown."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A registered metric, before its options are chosen."""

    name: str
    function: Callable[..., MetricResult | Sequence[MetricScore]]
    bounds: tuple[float, float] | None
    compares: Compared
    source: str
    size: int
    combine: Combine
    prepare: Callable[[References], Any] | None
    identity: Identity | None = None
    batched: bool = False
    encoder: Literal["texts", "images"] | None = None
    lower_is_better: bool = False
    judge_prompt: JudgePrompt | None = None
    extremes: Extremes | None = None
    sees_reasoning: bool = False
    unit: float | None = None
    version: int = 1
    """Raised when the same answer gets another value; vlmbench's own version changes none."""

    @property
    def reads_reasoning(self) -> bool:
        """Whether a reasoning block is part of the answer, as it is to the programs reproduced."""
        return self.sees_reasoning or self.name.startswith("compat_")

    @property
    def defaults(self) -> dict[str, Scalar]:
        """The options and their default values."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    @property
    def definition(self) -> str:
        """The function's docstring: what the number means."""
        return inspect.getdoc(self.function) or ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric with its options, ready to score."""

    definition: Definition
    options: Mapping[str, Scalar]
    """Every option, given or default."""
    state: Any = None
    """What `prepare` learned from the references."""
    judge: str = ""
    """Who gave the replies that it reads and how it was asked, for the signature."""

    @property
    def name(self) -> str:
        """Family and function, such as "overlap.rouge_l"."""
        return self.definition.name

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest value, None without a fixed range."""
        return self.definition.bounds

    @property
    def size(self) -> int:
        """Length of a sample's vector."""
        return self.definition.size

    @property
    def is_mean(self) -> bool:
        """Whether the value is the mean of one number a sample."""
        return self.definition.combine is mean

    @property
    def unit(self) -> float:
        """What a large difference between two answers is worth: the width of the range, or what
        the metric declares where it has no range or comes nowhere near its ends."""
        if self.definition.unit is not None:
            return self.definition.unit
        return self.bounds[1] - self.bounds[0] if self.bounds else 1.0

    @property
    def signature(self) -> str:
        """Everything that a value depends on; only values with equal signatures compare."""
        options = [f"{name}:{value}" for name, value in sorted(self.options.items())]
        low_high = "-".join(f"{end:g}" for end in self.bounds) if self.bounds else "open"
        parts = [self.name, *options, *_text_identity(self.definition.compares)]
        if not self.definition.reads_reasoning:
            parts.append(f"answer:{REASONING_FORM}")
        if self.definition.identity is not None:
            parts += self.definition.identity(self.options)
        if self.judge:
            parts.append(self.judge)
        if self.definition.lower_is_better:
            low_high += "-lower-is-better"
        return "|".join([*parts, f"range:{low_high}", f"v:{self.definition.version}"])

    def kind(self, *vectors: Floats) -> Kind:
        """What scale the values are on, by the metric's range and by vectors at hand."""
        if self.bounds is None:
            return "free"
        if all(is_binary(some, self.definition.combine, self.bounds) for some in vectors):
            return "binary"
        return "free" if self.bounds[1] - self.bounds[0] > self.unit else "bounded"

    def prepare(self, all_references: References) -> Metric:
        """The metric with what it needs to know of all references of the task.

        Must come before `score`, with the references of the whole task and not only of the
        samples at hand, or a score would depend on which samples have been answered so far.
        """
        if self.definition.prepare is None:
            return self
        return dataclasses.replace(self, state=self.definition.prepare(all_references))

    def score(self, answer: Answer) -> MetricScore:
        """The vector of one answer, or why there is none.

        Raises:
            DataError: The answer has no reference.
        """
        self._check(answer)
        if self.definition.batched:
            return self.score_all([answer])[0]
        answer = self._read(answer)
        state = () if self.definition.prepare is None else (self.state,)
        scored: Any = self.definition.function(answer, *state, **self.options)
        if isinstance(scored, MetricScore):
            return scored
        return MetricScore(scored if isinstance(scored, tuple) else (float(scored),))

    def score_all(self, answers: Sequence[Answer]) -> Sequence[MetricScore]:
        """`score` of each answer; the way to a batched metric that is fast.

        Raises:
            DataError: An answer has no reference.
        """
        if not self.definition.batched or not answers:
            return [self.score(answer) for answer in answers]
        for answer in answers:
            if not answer.references:
                self._check(answer)
        answers = [self._read(answer) for answer in answers]
        state = () if self.definition.prepare is None else (self.state,)
        scored: Any = self.definition.function(answers, *state, **self.options)
        return scored  # type: ignore[no-any-return]

    def combine(self, totals: Floats, n: Count) -> Floats:
        """Values from sums of vectors: (..., size) and the number of samples -> (...)."""
        return self.definition.combine(totals, n)

    def _read(self, answer: Answer) -> Answer:
        """What the metric sees: the answer behind its reasoning, or all where other programs do."""
        if self.definition.reads_reasoning:
            return answer
        rest = without_reasoning(answer.prediction)
        return answer if rest is answer.prediction else answer._replace(prediction=rest)

    def _check(self, answer: Answer) -> None:
        if not answer.references:
            raise DataError(
                f"{self.name} was given an answer without any reference; "
                "correct 'references' in the task's fields or leave the sample out."
            )


_REGISTRY: dict[str, Definition] = {}

_Function = typing.TypeVar("_Function", bound=Callable[..., MetricResult | Sequence[MetricScore]])


def metric(
    *,
    source: str,
    bounds: tuple[float, float] | None = (0, 1),
    compares: Compared = "own",
    name: str | None = None,
    size: int = 1,
    combine: Combine = mean,
    prepare: Callable[[References], Any] | None = None,
    identity: Identity | None = None,
    batched: bool = False,
    encoder: Literal["texts", "images"] | None = None,
    lower_is_better: bool = False,
    judge_prompt: JudgePrompt | None = None,
    extremes: Extremes | None = None,
    sees_reasoning: bool = False,
    unit: float | None = None,
    version: int = 1,
) -> Callable[[_Function], _Function]:
    """Registers the decorated function under the name of its module and its own.

    Args:
        source: The paper or program that defines the metric.
        bounds: Lowest and highest possible value, None without a fixed range.
        compares: Which form of the texts the function compares; goes into the signature.
        name: Instead of the function's own name, where one function is several metrics.
        size: Length of the vector that the function returns.
        combine: Turns sums of vectors into values.
        prepare: Computes from all references of the task what the function gets as its second
            argument.
        identity: What else the value depends on, for the signature: the program that the
            function reproduces, or a library whose version changes values.
        batched: The function takes a sequence of answers and returns a MetricScore for each: for
            what is computed together more quickly. It must not matter which answers come together.
        encoder: What the function gives to a neural network; with "images" its answers have some.
            Such a metric is scored in one process.
        lower_is_better: The value counts what is wrong.
        judge_prompt: What asks a judge for the reply that the function reads instead of the answer.
        extremes: The worst and the best vector of a sample; without it the ends of `bounds`.
        sees_reasoning: The function gets the whole text, not only what follows its reasoning.
        unit: What a large difference between two answers is worth, for intervals and margins of a
            metric without a range, or with one that answers come nowhere near the ends of; without
            it the width of the range, or 1.
        version: Raise it with every change that gives an answer another value, so that baselines
            and runs from before are not compared with new ones.
    """

    def register(function: _Function) -> _Function:
        full_name = f"{_family_of(function.__module__)}.{name or function.__name__}"
        _REGISTRY[full_name] = Definition(
            full_name,
            function,
            bounds,
            compares,
            source,
            size,
            combine,
            prepare,
            identity,
            batched,
            encoder,
            lower_is_better,
            judge_prompt,
            extremes,
            sees_reasoning,
            unit,
            version,
        )
        return function

    return register


def reproduces(program: str) -> Identity:
    """The identity of a metric that gives what a program gives, named with its version."""
    return lambda options: [f"ref:{program}"]


def load_metric(name: str, options: Mapping[str, Scalar] | None = None) -> Metric:
    """A metric by name, such as "overlap.rouge_l"; options not given have their defaults.

    Raises:
        UsageError: No such metric or option, or a value that the option cannot have.
    """
    definition = _find(name)
    defaults = definition.defaults
    given = dict(options or {})
    for option in given:
        if option not in defaults:
            next_step = f"its options are {', '.join(defaults)}" if defaults else "it has none"
            raise UsageError(
                unknown_name(f"option of {name}:", option, defaults, next_step=next_step)
            )
    hints = typing.get_type_hints(definition.function, include_extras=True)
    checked = {
        option: checked_option(name, option, value, hints[option])
        for option, value in given.items()
    }
    return Metric(definition, {**defaults, **checked})


def read_options(name: str, texts: Sequence[str]) -> dict[str, Scalar]:
    """Options of a metric as a command line gives them ("beta=2"), not checked yet.

    Raises:
        UsageError: No such metric, or a text without "=".
    """
    defaults = _find(name).defaults
    options: dict[str, Scalar] = {}
    for text in texts:
        option, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"The option '{text}' has no value; write it as NAME=VALUE.")
        options[option.strip()] = option_value(defaults.get(option.strip(), ""), value.strip())
    return options


def metric_names() -> tuple[str, ...]:
    """Every metric's name, sorted. Imports all families."""
    for module in _families().values():
        importlib.import_module(module)
    return tuple(sorted(_REGISTRY))


def family_summary(family: str) -> str:
    """What the metrics of a family have in common: the first sentence of its module."""
    module = importlib.import_module(_families()[family])
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")


def describe(name: str) -> dict[str, Any]:
    """What a person wants to know of a metric, ready for JSON.

    Returns:
        name, definition, range (None or [low, high]), options with their defaults, source, and
        the signature with default options (where a package is missing that it names, what to do).

    Raises:
        UsageError: No such metric.
    """
    loaded = load_metric(name)
    try:
        signature = loaded.signature
    except DependencyError as error:
        signature = str(error)
    return {
        "name": name,
        "definition": loaded.definition.definition,
        "range": list(loaded.bounds) if loaded.bounds else None,
        "options": dict(loaded.options),
        "source": loaded.definition.source,
        "signature": signature,
    }


def _find(name: str) -> Definition:
    family = name.partition(".")[0]
    module = _families().get(family)
    if module is not None:
        importlib.import_module(module)
    if name not in _REGISTRY:
        raise UsageError(
            unknown_name("metric", name, metric_names(), next_step="see 'vlmbench metrics list'")
        )
    return _REGISTRY[name]


def _families() -> dict[str, str]:
    """The module of each family of metrics, by the family's name."""
    own = {module.name for module in pkgutil.iter_modules(metrics.__path__)} - _NO_FAMILIES
    others = {module.name for module in pkgutil.iter_modules(compat.__path__)}
    modules = [f"{metrics.__name__}.{name}" for name in own]
    modules += [f"{compat.__name__}.{name}" for name in others if not name.startswith("text_")]
    return {_family_of(module): module for module in modules}


def _family_of(module: str) -> str:
    """The family that a module defines: its name, with `compat_` before it in metrics/compat."""
    folder, _, name = module.rpartition(".")
    return f"compat_{name}" if folder == compat.__name__ else name


def _text_identity(compares: Compared) -> list[str]:
    match compares:
        case "answers":
            return [f"norm:{japanese.ANSWER_FORM}"]
        case "numbers":
            return [f"norm:{japanese.ANSWER_FORM}", f"num:{numbers.NUMBER_FORM}"]
        case "tokens":
            return [f"tok:{japanese.tokenizer_identity()}", f"norm:{japanese.NORMALIZATION}"]
        case "characters":
            return ["tok:char", f"norm:{japanese.NORMALIZATION}"]
        case "own":
            return []
