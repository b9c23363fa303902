"""What is wrong with the texts of a task's samples and can be seen before a model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vlmbench.records import Sample
from vlmbench.tasks.conditions import parse_where
from vlmbench.tasks.filters import is_list_text
from vlmbench.tasks.literals import literal_problems
from vlmbench.tasks.spec import TaskSpec, TextColumn
from vlmbench.text.choices import choice_index
from vlmbench.text.option_mentions import LETTERS

_MISSING = ("nan", "NaN", "<NA>", "NaT")
"""How pandas writes a missing value as a text."""

_MOST_SHOWN = 40
"""Characters of a reference that a sentence shows."""


class Problem(NamedTuple):
    """A sentence about a sample, and what it has in common with those about others."""

    kind: str
    sentence: str


class Problems:
    """Sentences about samples; what is wrong with many in the same way is one sentence."""

    def __init__(self) -> None:
        self._by_kind: dict[str, tuple[str, set[str]]] = {}

    def add(self, sample: Sample, found: Iterable[str | Problem]) -> None:
        """Take what is wrong with a sample; a plain sentence is of its own kind but for the id."""
        for one in found:
            sentence = one.sentence if isinstance(one, Problem) else one
            kind = one.kind if isinstance(one, Problem) else one.replace(f"'{sample.id}'", "")
            self._by_kind.setdefault(kind, (sentence, set()))[1].add(sample.id)

    def sentences(self) -> Iterator[str]:
        """One for each kind, with the number of samples that are like its own."""
        for sentence, ids in self._by_kind.values():
            more = len(ids) - 1
            plural = "more samples are" if more > 1 else "more sample is"
            yield sentence + (f" {more} {plural} like this." if more else "")


def text_problems(task: TaskSpec, sample: Sample) -> Iterator[Problem]:
    """References and options that cannot be what is meant."""
    for sentence in literal_problems(task, sample):
        yield Problem(sentence, sentence)
    yield from _list_problems(task, sample)
    for reference in sample.references:
        if reference.strip() in _MISSING:
            yield Problem(
                "missing",
                f"The reference {reference!r} of {_of(task, sample)} is how pandas writes a "
                "missing value; write the answer or leave the row out.",
            )
        elif sample.choices and _chooses(task, sample):
            yield from _option_problem(task, sample, reference)


def _list_problems(task: TaskSpec, sample: Sample) -> Iterator[Problem]:
    if any(use.use.startswith("compat_") for use in task.metrics):
        return  # some harnesses read a list out of the text themselves
    for key, texts in (("references", sample.references), ("choices", sample.choices)):
        listed = next(filter(is_list_text, texts), None)
        if listed is not None:
            yield Problem(
                f"list {key}",
                f"{listed[:_MOST_SHOWN]!r} under '{key}' of {_of(task, sample)} is a list that is "
                f"written as one text; write '{key}: {{column: NAME, parse: list}}' for its "
                "elements.",
            )


def _chooses(task: TaskSpec, sample: Sample) -> bool:
    """Whether a metric applies that takes references for options."""
    return any(
        use.use == "match.choice" and (use.where is None or parse_where(use.where)(sample.meta))
        for use in task.metrics
    )


def _option_problem(task: TaskSpec, sample: Sample, reference: str) -> Iterator[Problem]:
    """What is wrong with a reference that names no option."""
    if choice_index(reference, sample.choices) is not None:
        return
    count, shown = len(sample.choices), reference[:_MOST_SHOWN]
    sentence = (
        f"The reference {shown!r} of {_of(task, sample)} names none of its {count} options "
        f"(A to {LETTERS[min(count, len(LETTERS)) - 1]})"
    )
    if reference.strip().isdecimal():
        source = task.fields.references
        column = source.column if isinstance(source, TextColumn) else "NAME"
        sentence += (
            f", as numbers count from 1 and 1 is taken for A ({sample.choices[0][:_MOST_SHOWN]}); "
            "where they count from 0 in the data, write "
            f"'references: [\"{{{{ row.{column} | letter }}}}\"]'."
        )
    else:
        sentence += "; correct it or the options."
    kind = shown if len(shown) <= 2 else ""
    yield Problem(f"no option {kind}", sentence)


def _of(task: TaskSpec, sample: Sample) -> str:
    return f"sample '{sample.id}' of task '{task.name}'"
