"""The guard: which training examples show what the evaluation asks about.

docs/contamination.md says what counts as a copy, how well each kind is found and what escapes.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from vlmbench import __version__
from vlmbench.errors import DataError
from vlmbench.records import Image
from vlmbench.schema import Strict
from vlmbench.train.data.evaluation_index import EvaluationIndex, EvaluationSample, known_ids
from vlmbench.train.data.examples import Example
from vlmbench.train.data.fingerprints import SAME_TEXT, character_ngrams, jaccard, normalized
from vlmbench.train.data.picture_matches import HIT, LISTED, Match, PictureEvidence, PictureMatcher

Kind: TypeAlias = Literal["leak", "picture", "listed", "text"]
"""Same picture and question; same picture; perhaps the same picture; same question and answer."""
Evidence: TypeAlias = PictureEvidence | Literal["ids", "text"]
Reaction: TypeAlias = Literal["refuse", "drop", "warn"]
ExampleKey: TypeAlias = tuple[str, str]
"""An example's source and id; the id alone is unique only within the source."""

_CHUNK = 2048
"""Most examples that are compared at a time."""
_CHUNK_BYTES = 16 << 20
"""Encoded pictures from which on no more examples join them."""
_SHOWN = 50
"""Findings that a report names."""
_PICTURED = 8
"""Findings whose pictures a report keeps."""
_LONG_ANSWER = 10
"""Characters from which on equal answers about one picture are no accident."""


class Guard(Strict):
    """What the guard compares training data with, and what follows from a finding."""

    against: tuple[str, ...] = ()
    """Tasks beside those that the recipe evaluates."""
    on_hit: Reaction = "refuse"
    """For examples with a picture and question of a task. `warn` trains on them."""
    same_picture: Reaction = "refuse"
    """For examples with a task's picture and another question."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The strongest thing that an example shares with the evaluation."""

    source: str
    example: str
    kind: Kind
    by: Evidence
    task: str
    sample: str
    distance: int | None = None
    """Differing bits of 256, where the evidence is a hash."""
    similarity: float | None = None
    """Of question and answer, 0.8 to 1, where the evidence is the text."""
    id: str | None = None
    """The shared id, where it is the evidence."""
    touched: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Task and id of all samples that this finding is about."""
    position: int = field(default=0, compare=False)
    """Of the example among those that were compared, from 0."""

    @property
    def key(self) -> ExampleKey:
        """What identifies the example."""
        return self.source, self.example


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What the guard compared, and what it found."""

    findings: tuple[Finding, ...]
    """One for each example that has any, in the data's order. Of the kind `text`
    only the first 50, behind all others."""
    same_text: Mapping[str, int]
    """Number of all examples with a finding of the kind `text`, by task."""
    examples: int
    pictures: int
    """Different ones among the training data."""
    unreadable: tuple[str, ...]
    """Sources of pictures, training data's and then tasks', that could not be compared."""
    samples: Mapping[str, int]
    """Number of samples by task."""
    dropped: int = 0
    """Examples left out because of their findings, which `findings` has no more."""
    left_out: tuple[Finding, ...] = ()
    """The findings of these."""
    shown: Mapping[ExampleKey, tuple[Image, ...]] = field(default_factory=dict, repr=False)
    """The pictures of the first examples with a hit, to look at."""

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Kind of finding -> task -> number of examples."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for finding in self.of_kind("leak", "picture", "listed"):
            counts[finding.kind].update({task for task, _ in finding.touched})
        if self.same_text:
            counts["text"].update(self.same_text)
        return {kind: dict(sorted(tasks.items())) for kind, tasks in sorted(counts.items())}

    def of_kind(self, *kinds: Kind) -> list[Finding]:
        """The findings of some kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]

    def of_first(self, count: int) -> GuardReport:
        """The report with the findings of the first examples only."""
        kept = tuple(finding for finding in self.findings if finding.position < count)
        return replace(self, findings=kept)

    def without(self, dropped: Collection[ExampleKey]) -> GuardReport:
        """The report on what is left when some examples are dropped."""
        kept = tuple(finding for finding in self.findings if finding.key not in dropped)
        left = tuple(finding for finding in self.findings if finding.key in dropped)
        return replace(
            self,
            findings=kept,
            dropped=self.dropped + len(dropped),
            left_out=(*self.left_out, *left),
        )

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values, for checkpoint.json and the card.

        `seen` names every sample whose picture, or text if it has no picture, was trained on.
        """
        seen: dict[str, set[str]] = defaultdict(set)
        for finding in self.of_kind("leak", "picture"):
            for task, sample in finding.touched:
                seen[task].add(sample)
        return {
            "examples": self.examples,
            "pictures": self.pictures,
            "dropped": self.dropped,
            "unreadable": {"count": len(self.unreadable), "first": list(self.unreadable[:_SHOWN])},
            "samples": dict(self.samples),
            "counts": self.counts,
            "hits": _shown(self.of_kind("leak", "picture")),
            "left_out": _shown(self.left_out),
            "listed": _shown(self.of_kind("listed")),
            "same_text": _shown(self.of_kind("text")),
            "seen": {task: sorted(ids) for task, ids in sorted(seen.items())},
            "bounds": {"hit": HIT, "listed": LISTED, "text": SAME_TEXT},
            "versions": {
                "vlmbench": __version__,
                **{name: importlib.metadata.version(name) for name in ("ImageHash", "datasketch")},
            },
        }


def check(
    examples: Iterable[Example], index: EvaluationIndex, *, workers: int | None = None
) -> GuardReport:
    """Compare training data with the evaluation.

    Args:
        examples: Read once and not kept, so they may be streamed.
        index: All that must not be trained on.
        workers: Threads that hash pictures; one for each core unless given.
    """
    findings: list[Finding] = []
    texts: list[Finding] = []
    same_text: Counter[str] = Counter()
    shown: dict[ExampleKey, tuple[Image, ...]] = {}
    count = 0
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        matcher = PictureMatcher(index, pool)
        for chunk in _chunks(examples):
            matcher.add(image for example in chunk for image in example.images)
            for position, example in enumerate(chunk, count):
                finding = _finding(example, index, matcher.matches)
                if finding is not None and finding.kind == "text":
                    # Templates make these by the million, so that all but the first are counted.
                    same_text.update({task for task, _ in finding.touched})
                    texts.extend([finding] if len(texts) < _SHOWN else [])
                elif finding is not None:
                    findings.append(replace(finding, position=position))
                    if finding.kind != "listed" and len(shown) < _PICTURED:
                        shown[finding.key] = example.images
            count += len(chunk)
    lost = [
        f"sample '{sample.id}' of task '{sample.task}'"
        for sample in index.samples
        if sample.unreadable
    ]
    return GuardReport(
        findings=(*findings, *texts),
        same_text=dict(sorted(same_text.items())),
        examples=count,
        pictures=matcher.pictures,
        unreadable=(*matcher.unreadable, *lost),
        samples=dict(Counter(sample.task for sample in index.samples)),
        shown=shown,
    )


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    chunk: list[Example] = []
    size = 0
    for example in examples:
        chunk.append(example)
        size += sum(len(image.data) for image in example.images)
        if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def decide(report: GuardReport, guard: Guard) -> set[ExampleKey]:
    """The examples to leave out.

    Raises:
        DataError: There are findings that the guard refuses.
    """
    kinds: tuple[tuple[Kind, str, Reaction], ...] = (
        ("leak", "on_hit", guard.on_hit),
        ("picture", "same_picture", guard.same_picture),
    )
    dropped: set[ExampleKey] = set()
    for kind, setting, reaction in kinds:
        found = report.of_kind(kind)
        if found and reaction == "refuse":
            raise DataError(_refusal(found, setting))
        if reaction == "drop":
            dropped.update(finding.key for finding in found)
    return dropped


def refuse_drawn(report: GuardReport, first: int, guard: Guard) -> None:
    """See that no generated picture is a task's.

    Only equal pixels say so: a picture that was just drawn is no re-encoded copy of another, and
    charts drawn by one program have close hashes, which are reported.

    Args:
        first: Position of the first example that was generated.

    Raises:
        DataError: One is, and the guard does not say `warn`.
    """
    settings = {"leak": ("on_hit", guard.on_hit), "picture": ("same_picture", guard.same_picture)}
    for finding in report.of_kind("leak", "picture"):
        setting, reaction = settings[finding.kind]
        if finding.position >= first and finding.by == "pixels" and reaction != "warn":
            raise DataError(
                f"The generated picture of '{finding.example}' is that of sample "
                f"'{finding.sample}' of task '{finding.task}'; draw others by another 'seed', or "
                f"set 'guard: {{{setting}: warn}}' to train on it and have the report say so."
            )


class _Touch(NamedTuple):
    """An example meets a sample, by a picture or id."""

    sample: EvaluationSample
    by: Evidence
    distance: int | None = None
    id: str | None = None


def _finding(
    example: Example, index: EvaluationIndex, matches: Mapping[str, Sequence[Match]]
) -> Finding | None:
    """The strongest finding of an example."""
    hits: list[_Touch] = []
    listed: list[_Touch] = []
    pictures = (match for image in example.images for match in matches.get(image.digest, ()))
    for match in sorted(pictures, key=lambda match: (match.by != "pixels", match)):
        distance = None if match.by == "pixels" else match.distance
        touches = [_Touch(one, match.by, distance) for one in index.showing(match.picture)]
        (hits if match.distance <= HIT else listed).extend(touches)
    for name in sorted(known_ids(example.ids)):
        # Whose `image_id` it is nobody says: two data sets number different pictures alike.
        kept = listed if name.startswith("image_id:") else hits
        kept.extend(_Touch(one, "ids", id=name) for one in index.with_id(name))
    pairs = _question_answer_pairs(example)
    if hits:
        leaks = [touch for touch in hits if _same_text(touch.sample, pairs)]
        return _as_finding(example, "leak" if leaks else "picture", leaks or hits, hits)
    if listed:
        return _as_finding(example, "listed", listed, listed)
    return _text_finding(example, index, pairs)


def _text_finding(
    example: Example, index: EvaluationIndex, pairs: Sequence[tuple[str, str]]
) -> Finding | None:
    """The finding of an example of which only the text may be the evaluation's."""
    found: dict[int, float] = {}
    for question, answer in pairs:
        for position, similarity in index.with_text(question + answer).items():
            found[position] = max(similarity, found.get(position, 0.0))
    if not found:
        return None
    # Where neither has a picture, the text is all there is to leak.
    alone = {} if example.images else {one: found[one] for one in found if _is_text(index, one)}
    chosen = alone or found
    best = max(chosen, key=lambda one: (chosen[one], -one))
    sample = index.samples[best]
    return Finding(
        source=example.source,
        example=example.id,
        kind="leak" if alone else "text",
        by="text",
        task=sample.task,
        sample=sample.id,
        similarity=round(chosen[best], 3),
        touched=tuple((index.samples[one].task, index.samples[one].id) for one in sorted(chosen)),
    )


def _is_text(index: EvaluationIndex, position: int) -> bool:
    sample = index.samples[position]
    return not sample.pictures and not sample.unreadable


def _as_finding(
    example: Example, kind: Kind, strongest: Sequence[_Touch], touches: Sequence[_Touch]
) -> Finding:
    first = strongest[0]
    touched = dict.fromkeys((touch.sample.task, touch.sample.id) for touch in touches)
    return Finding(
        source=example.source,
        example=example.id,
        kind=kind,
        by=first.by,
        task=first.sample.task,
        sample=first.sample.id,
        distance=first.distance,
        id=first.id,
        touched=tuple(touched),
    )


def _question_answer_pairs(example: Example) -> list[tuple[str, str]]:
    """Each assistant's turn with what the user said since the one before, normalized."""
    pairs, question = [], ""
    for turn in example.turns:
        if turn.role == "user":
            question += turn.text + "\n"
        elif turn.role == "assistant":
            pairs.append((normalized(question), normalized(turn.text)))
            question = ""
    return pairs


def _same_text(sample: EvaluationSample, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether one of an example's turns asks the sample's question or tells its long answer.

    A question may stand inside a longer one, since data sets wrap questions in instructions.
    """
    return any(
        (len(sample.question) > 1 and sample.question in question)
        or _alike(sample.question, question)
        or any(
            _alike(sample.question + reference, question + answer)
            or (len(reference) >= _LONG_ANSWER and _alike(reference, answer))
            for reference in sample.answers
        )
        for question, answer in pairs
    )


def _alike(one: str, other: str) -> bool:
    return jaccard(character_ngrams(one), character_ngrams(other)) >= SAME_TEXT


def _shown(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The first findings as JSON values, without what does not apply to them."""
    rows = []
    for finding in findings[:_SHOWN]:
        row = {key: value for key, value in asdict(finding).items() if value is not None}
        row["touched"] = len(finding.touched)
        del row["position"]
        rows.append(row)
    return rows


def _refusal(findings: Sequence[Finding], setting: str) -> str:
    first = findings[0]
    shared = "picture and question" if setting == "on_hit" else "picture"
    if first.by == "text":
        shared = "text"
    what = f"example '{first.example}' of {first.source} has the {shared} of sample "
    return (
        f"The training data holds evaluation data in {len(findings)} examples: the first, "
        f"{what}'{first.sample}' of task '{first.task}' (by {first.by}); set 'guard: {{{setting}: "
        "drop}' to leave them out, or 'warn' to train on them and have the report say so."
    )
