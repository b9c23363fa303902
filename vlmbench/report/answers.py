"""One model's answer to one sample, as the samples' pages show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from vlmbench.errors import VlmbenchError
from vlmbench.judges.requests import judge_input, judge_request
from vlmbench.judges.scores import JudgedMetric, read_judges
from vlmbench.records import JournalSample, Response, SampleScores
from vlmbench.report.entries import Run
from vlmbench.report.facts import Outcome, TaskMetrics
from vlmbench.report.found import read_scores
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import JournalContent, read_journal
from vlmbench.scoring.aggregate import DIAGNOSTICS
from vlmbench.tasks.registry import journal_task
from vlmbench.tasks.variants.options import original_position
from vlmbench.tasks.variants.variant import IMAGE_MODES, Variant, split_label
from vlmbench.text.option_mentions import LETTERS

LONGEST = 20_000
"""Characters shown of an answer, a prompt or a judge's reply; the journal has all of them."""

LONGEST_VARIANT = 240
"""Characters shown of a variant's answer."""


class VariantAnswer(TypedDict):
    """The answer with another prompt, image or order of options."""

    kind: str
    """image, prompt or options."""
    name: str
    """blind, shuffled or noise; the paraphrase; how many places the options were moved."""
    text: str | None
    """At most LONGEST_VARIANT characters; None if there is none."""
    error: str | None
    """Its kind."""
    outcome: Outcome
    value: float | None
    option: str | None
    """The text of the option that was read, where options were moved."""


class JudgeReply(TypedDict):
    """What a judge wrote about an answer."""

    metric: str
    """What it was asked for, and its name."""
    text: str


class AnswerData(TypedDict):
    """One model's answer to one sample; what is absent is not so, or nothing."""

    text: str | None
    """None if there is none, or if the journal is not there."""
    outcome: Outcome
    metric: str | None
    """Which metric `outcome` and `value` are of."""
    value: float | None
    characters: NotRequired[int]
    """Of the whole answer, where `text` is cut."""
    error: NotRequired[dict[str, str]]
    truncated: NotRequired[bool]
    """Whether the answer was cut at the token limit."""
    unscored: NotRequired[str]
    extracted: NotRequired[str]
    others: NotRequired[dict[str, float | None]]
    """Values of the further metrics, without those that say what an answer is like."""
    other_prompt: NotRequired[bool]
    """Whether it answers another prompt than the one that is shown."""
    variants: NotRequired[list[VariantAnswer]]
    judges: NotRequired[list[JudgeReply]]


@dataclass(frozen=True, slots=True)
class Answers:
    """One model's answers to a task."""

    scores: Mapping[str, SampleScores]
    responses: Mapping[str, Response]
    variants: Mapping[str, Answers]
    """Its answers to variants of the same samples, by the variant's label."""
    replies: Mapping[str, Sequence[JudgeReply]]
    """By sample id."""


def read_answers(run: Run, variants: Mapping[str, Run]) -> Answers:
    """A run's answers with those of its variants.

    Raises:
        JournalError: Its scores cannot be read, or its journal is damaged.
    """
    journal = journal_of(run.directory)
    return Answers(
        scores={row.id: row for row in read_scores(run)},
        responses=journal.responses if journal else {},
        variants={label: read_answers(variants[label], {}) for label in in_order(variants)},
        replies=_replies(run.directory, journal) if journal else {},
    )


def journal_of(directory: RunDir) -> JournalContent | None:
    """The journal; None where only the derived files were handed on."""
    return read_journal(directory.journal) if directory.journal.is_file() else None


def answer_data(
    row: SampleScores,
    answers: Answers,
    metrics: TaskMetrics,
    sample: JournalSample | None,
    key: str | None,
) -> AnswerData:
    """What is shown of an answer.

    Args:
        key: Of the prompt that is shown.
    """
    response = answers.responses.get(row.id)
    metric, score = metrics.leading(row)
    value = metrics.value(metric or "", score)
    text = response.text if response else None
    data: AnswerData = {
        "text": shortened(text, LONGEST),
        "outcome": "error" if row.error else metrics.outcome(metric, value),
        "metric": metric,
        "value": value,
    }
    if text is not None and len(text) > LONGEST:
        data["characters"] = len(text)
    if row.error:
        message = response.error.message if response and response.error else ""
        data["error"] = {"kind": row.error, "message": message}
    if response is not None and response.finish == "length":
        data["truncated"] = True
    if score.unscored is not None:
        data["unscored"] = score.unscored
    if score.extracted is not None and score.extracted != text:
        data["extracted"] = score.extracted[:LONGEST_VARIANT]
    others = {
        name: metrics.value(name, other)
        for name, other in row.scores.items()
        if name != metric and name not in DIAGNOSTICS
    }
    if others:
        data["others"] = others
    if key is not None and key != row.key:
        data["other_prompt"] = True
    shown = [
        _variant(label, variant, metrics, variant.scores[row.id], sample)
        for label, variant in answers.variants.items()
        if row.id in variant.scores
    ]
    if shown:
        data["variants"] = shown
    if row.id in answers.replies:
        data["judges"] = [*answers.replies[row.id]]
    return data


def _variant(
    label: str,
    one: Answers,
    metrics: TaskMetrics,
    row: SampleScores,
    sample: JournalSample | None,
) -> VariantAnswer:
    metric, score = metrics.leading(row)
    value = metrics.value(metric or "", score)
    response = one.responses.get(row.id)
    kind, name = split_label(label)
    return {
        "kind": kind,
        "name": str(Variant(kind, name).places) if kind == "options" else name,
        "text": shortened(response.text, LONGEST_VARIANT) if response else None,
        "error": row.error,
        "outcome": "error" if row.error else metrics.outcome(metric, value),
        "value": value,
        "option": option_read(score.extracted, label, sample.choices if sample else ()),
    }


def _replies(directory: RunDir, journal: JournalContent) -> dict[str, list[JudgeReply]]:
    """The replies of judges by sample; those to an answer of another day are no longer shown."""
    found: dict[str, list[JudgeReply]] = {}
    try:
        judges = read_judges(directory.path, journal_task(journal.header))
    except VlmbenchError:  # the page of the task says what is wrong with a judge
        return {}
    for metric in (metric for judge in judges for metric in judge.metrics):
        for name, sample in journal.samples.items():
            response = journal.responses.get(name)
            if response is not None and response.text is not None:
                for reply in _current(metric, name, sample, response.text):
                    shown: JudgeReply = {
                        "metric": metric.scored.id,
                        "text": shortened(reply.text, LONGEST) or "",
                    }
                    found.setdefault(name, []).append(shown)
    return found


def _current(
    metric: JudgedMetric, name: str, sample: JournalSample, text: str
) -> Iterator[Response]:
    """A judge's replies to the request as it would be made now."""
    case = judge_input(sample, text)
    for repeat in range(metric.settings.samples):
        for again in (False, True):
            request = judge_request(
                metric.judge_prompt, case, name, metric.settings, repeat=repeat, again=again
            )
            reply = metric.replies.get(request.sample_id)
            if reply is not None and reply.key == request.key and reply.text is not None:
                yield reply


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels of variants: images, then prompts by name, then options by how far they moved."""

    def key(label: str) -> tuple[int, int, str]:
        kind, name = split_label(label)
        if kind == "options":
            return 2, Variant(kind, name).places, ""
        return (1, 0, name) if kind == "prompt" else (0, IMAGE_MODES.index(name), "")

    return sorted(labels, key=key)


def shortened(text: str | None, longest: int) -> str | None:
    """The text, or its beginning."""
    return text if text is None or len(text) <= longest else f"{text[:longest]}…"


def option_read(letter: str | None, label: str, choices: Sequence[str]) -> str | None:
    """The text of the option that stood behind a letter when the options were moved."""
    kind, name = split_label(label)
    if kind != "options" or letter is None or letter not in LETTERS[: len(choices)]:
        return None
    by, count = Variant(kind, name).places, len(choices)
    option = choices[original_position(LETTERS.index(letter), by=by, count=count)]
    return shortened(option, LONGEST_VARIANT)
