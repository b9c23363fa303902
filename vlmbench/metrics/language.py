"""What language answers are in, refusals, and signs of a model that does not know how to stop.

These are shown for every run, those about scripts for tasks with open answers. They look at the
answer only: references don't count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.metrics.base import Answer, metric
from vlmbench.records import MetricScore, Scalar
from vlmbench.text.japanese import tokenize, tokenizer_identity
from vlmbench.text.language import LANGUAGE_FORM, Language, count_scripts, language_of
from vlmbench.text.reasoning import REASONING_FORM, ends_in_reasoning
from vlmbench.text.refusal import REFUSAL_FORM, is_refusal

_REPEATED = 4
"""Words of a run that counts as repeated."""

_OWN = "vlmbench.text.language"


def _identity(options: Mapping[str, Scalar]) -> Sequence[str]:
    return [LANGUAGE_FORM]


@metric(source=_OWN, identity=_identity)
def japanese(answer: Answer) -> MetricScore:
    """Share of answers in Japanese, from 0 to 1, higher is better.

    Kanji alone are Japanese unless something says Chinese; mixed text is what most of it is. An
    answer without letters, such as a number or an empty one, stays unscored.
    """
    return _in_language(answer, "ja")


@metric(source=_OWN, identity=_identity, lower_is_better=True)
def chinese(answer: Answer) -> MetricScore:
    """Share of answers that drift into Chinese, from 0 to 1, lower is better.

    Counted are answers without kana, or hardly any, that have characters or words of Chinese only
    or are too long for a Japanese name. An answer without letters stays unscored.
    """
    return _in_language(answer, "zh")


@metric(source=_OWN, identity=_identity, lower_is_better=True)
def english(answer: Answer) -> MetricScore:
    """Share of answers that drift into English, from 0 to 1, lower is better.

    Any language in Latin letters counts, and a name written in them too. An answer without
    letters stays unscored.
    """
    return _in_language(answer, "en")


@metric(source=_OWN, identity=_identity)
def kana(answer: Answer) -> MetricScore:
    """Mean share of kana in an answer's letters, from 0 to 1, neither lower nor higher is better.

    Digits, punctuation and emoji are no letters; an answer without letters stays unscored.
    """
    scripts = count_scripts(answer.prediction)
    return _share(scripts.kana, scripts.letters)


@metric(source=_OWN, identity=_identity)
def kanji(answer: Answer) -> MetricScore:
    """Mean share of kanji in an answer's letters, from 0 to 1, neither lower nor higher is better.

    Chinese characters count whatever the language. An answer without letters stays unscored.
    """
    scripts = count_scripts(answer.prediction)
    return _share(scripts.han, scripts.letters)


@metric(source=_OWN, identity=_identity)
def latin(answer: Answer) -> MetricScore:
    """Mean share of Latin letters among the letters, 0 to 1, neither lower nor higher is better.

    Half-width and full-width ones. An answer without letters stays unscored.
    """
    scripts = count_scripts(answer.prediction)
    return _share(scripts.latin, scripts.letters)


@metric(
    source="Welleck et al., Neural text generation with unlikelihood training, 2019 (seq-rep-4)",
    identity=lambda options: [f"tok:{tokenizer_identity()}"],
    lower_is_better=True,
)
def repetition(answer: Answer) -> float:
    """Mean share of runs of four words that occur earlier in the answer, 0 to 1, lower is better.

    An ordinary answer has hardly any, one that loops comes near 1. An answer of fewer than four
    words has 0.
    """
    words = tokenize(answer.prediction)
    runs = len(words) - _REPEATED + 1
    if runs < 1:
        return 0.0
    distinct = set(zip(*(words[start:] for start in range(_REPEATED)), strict=False))
    return 1 - len(distinct) / runs


@metric(source="vlmbench", lower_is_better=True)
def truncation(answer: Answer) -> MetricScore:
    """Share of answers that were cut at the task's `max_new_tokens`, from 0 to 1, lower is better.

    Where the runner doesn't say how an answer ended, it stays unscored.
    """
    if answer.finish is None:
        return MetricScore(unscored="how the answer ended is unknown")
    return MetricScore((float(answer.finish == "length"),))


@metric(
    source="vlmbench; the marks are in text/reasoning.py",
    identity=lambda options: [REASONING_FORM],
    lower_is_better=True,
    sees_reasoning=True,
)
def unfinished_reasoning(answer: Answer) -> float:
    """Share of answers that end inside their reasoning, from 0 to 1, lower is better.

    A reasoning block is opened and never closed, so that no answer follows; most often because it
    was cut at the task's `max_new_tokens`.
    """
    return float(ends_in_reasoning(answer.prediction))


@metric(
    source="vlmbench; the patterns are in text/refusal.py",
    identity=lambda options: [f"form:{REFUSAL_FORM}"],
    lower_is_better=True,
)
def refusal(answer: Answer) -> float:
    """Share of answers that decline to answer, from 0 to 1, lower is better.

    In Japanese or English, by a list of patterns: the answer begins, after an apology, with a
    sentence that it cannot or will not answer, help, judge or see the image, or that there is no
    image. One that first says something, or goes on with が or "but", is none. An empty answer is
    none either.
    """
    return float(is_refusal(answer.prediction))


def _in_language(answer: Answer, wanted: Language) -> MetricScore:
    found = language_of(answer.prediction)
    if found is None:
        return MetricScore(unscored="the answer has no letters")
    return MetricScore((float(found == wanted),), extracted=found)


def _share(part: int, letters: int) -> MetricScore:
    if not letters:
        return MetricScore(unscored="the answer has no letters")
    return MetricScore((part / letters,))
