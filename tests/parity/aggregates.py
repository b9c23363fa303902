"""The corpus values of reference programs beside ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from parity.checks import Aggregate, Aggregates, Scored, flatten
from parity.gold import Case
from vlmbench.metrics.base import Answer, load_metric

_SUBJECT = re.compile("^[^_]+_(.+)_[0-9]+$")
_COMMON_DOMAINS = {
    "Business": "Accounting Economics Finance Manage Marketing",
    "Health and Medicine": "Basic_Medical_Science Clinical_Medicine "
    "Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health",
    "Tech and Engineering": "Agriculture Architecture_and_Engineering Computer_Science "
    "Electronics Energy_and_Power Materials Mechanical_Engineering",
}
JMMMU_DOMAINS = _COMMON_DOMAINS | {
    "Art and Psychology": "Design Music Psychology",
    "Science": "Biology Chemistry Math Physics",
}
MMMU_DOMAINS = _COMMON_DOMAINS | {
    "Art and Design": "Art Art_Theory Design Music",
    "Science": "Biology Chemistry Geography Math Physics",
    "Humanities and Social Science": "History Literature Sociology Psychology",
}
"""Subjects by domain, as the published tables group them."""


def none(scored: Scored) -> Iterator[Aggregate]:
    """Nothing to compare."""
    return iter(())


Keep: TypeAlias = Callable[[Case], bool]


def _everything(case: Case) -> bool:
    return True


def _with(field: str, value: object) -> Keep:
    """Items with a value in their `meta`."""
    return lambda case: case.answer.meta.get(field) == value


def _among(ids: Collection[str]) -> Keep:
    return lambda case: case.id in ids


def _in_corpus(name: str, ids: Collection[str] | None) -> Keep:
    """Items of a corpus, of which only some may have been scored."""
    return lambda case: case.corpus == name and (ids is None or case.id.split("::")[-1] in ids)


def _flat(scored: Scored) -> dict[str, float]:
    return flatten(scored.run.get("corpus") or {})


def _by(groups: Mapping[str, Keep], digits: int | None = None) -> Aggregates:
    """Compares each group's value with the corpus value of that name; others are passed over."""

    def compare(scored: Scored) -> Iterator[Aggregate]:
        flat = _flat(scored)
        for name, keep in groups.items():
            if name in flat and any(map(keep, scored.cases)):
                ours = scored.value(keep)
                yield name, ours if digits is None else round(ours, digits), flat[name]

    return compare


def macro_by_kind(scored: Scored) -> Iterator[Aggregate]:
    """The unweighted mean over the kinds of items, and each kind's."""
    flat = _flat(scored)
    kinds = sorted({str(case.answer.meta["kind"]) for case in scored.cases})
    values = [scored.value(_with("kind", kind)) for kind in kinds]
    yield "mean", scored.value(), flat["mean"]
    for kind, value in zip(kinds, values, strict=True):
        yield kind, value, flat[f"reference_aggregate.details.{kind}"]
    yield "overall", sum(values) / len(values), flat["reference_aggregate.overall"]


def mtvqa(scored: Scored) -> Iterator[Aggregate]:
    """The mean, and times 100 as it is published."""
    flat = _flat(scored)
    yield "mean", scored.value(), flat["mean"]
    yield "overall", 100 * scored.value(), flat["reference_aggregate.overall"]


def jdocqa(scored: Scored) -> Iterator[Aggregate]:
    """The mean over all items, and over each answer type that occurs."""
    names = ("yesno_exact", "factoid_exact", "numerical_exact", "open-ended_bleu")
    prefix = "reference_aggregate.details."
    groups: dict[str, Keep] = {
        f"{prefix}{name}": _with("answer_type", kind) for kind, name in enumerate(names)
    }
    groups |= {"mean": _everything, "reference_aggregate.overall": _everything}
    yield from _by(groups)(scored)


def letters(scored: Scored) -> Iterator[Aggregate]:
    """The share of items whose letter is the right one."""
    right = [
        score.extracted in case.answer.references
        for case, score in zip(scored.cases, scored.scores, strict=True)
    ]
    yield "accuracy", sum(right) / len(right), _flat(scored)["accuracy_vs_gold"]


def mecha_ja(scored: Scored) -> Iterator[Aggregate]:
    """Overall, by the kind of answer, with or without background, and by rotation."""
    documents = dict(
        zip((case.id for case in scored.cases), scored.run["corpus"]["docs"], strict=True)
    )
    flat = _flat(scored)

    def kinds(case: Case) -> set[str]:
        document = documents[case.id]
        return {
            "overall",
            "Non-Factoid" if document["answer_type"] else "Factoid",
            "with_background" if document["background_text"] else "without_background",
        }

    def rotation(case: Case) -> str:
        found = re.fullmatch("(?s).*_rot([0-9]+)", documents[case.id]["question_id"])
        return f"rot_{found[1]}" if found else "rot_no_rot"

    for path, theirs in flat.items():
        *before, kind = path.split(".")
        rotations = [part for part in before if part.startswith("rot_")]
        if path.startswith("reference_aggregate") and kind != "mean":
            keep = [
                case.id
                for case in scored.cases
                if kind in kinds(case) and rotations in ([], [rotation(case)])
            ]
            yield path, scored.value(_among(keep)) if keep else 0.0, theirs


def subjects(domains: Mapping[str, str]) -> Aggregates:
    """Accuracy overall, by subject and by domain, the latter two to five decimals."""

    def compare(scored: Scored) -> Iterator[Aggregate]:
        ids: Sequence[str] = scored.run["parameters"]["ids"]
        matches = [_SUBJECT.match(id_) for id_ in ids]
        names = [match[1] if match else "" for match in matches]
        subject = dict(zip((case.id for case in scored.cases), names, strict=True))
        prefix = "reference_aggregate.details."
        groups: dict[str, Keep] = {
            f"{prefix}{name}": _among([id_ for id_ in subject if subject[id_] == name])
            for name in names
        }
        for domain, inside in domains.items():
            ids_inside = [id_ for id_ in subject if subject[id_] in inside.split()]
            groups[f"{prefix}Overall-{domain}"] = _among(ids_inside)
        groups[f"{prefix}Overall"] = _everything
        yield from _by(groups, digits=5)(scored)
        yield "overall", scored.value(), _flat(scored)["reference_aggregate.overall"]

    return compare


def corpora(path: str | None) -> Aggregates:
    """The value over each corpus of the file."""

    def compare(scored: Scored) -> Iterator[Aggregate]:
        for corpus, values in (scored.run.get("corpus") or {}).items():
            flat = flatten(values)
            if path is not None and path in flat:
                yield (
                    f"{corpus}.{path}",
                    scored.value(_in_corpus(corpus, values.get("ids"))),
                    flat[path],
                )

    return compare


def heron(scored: Scored) -> Iterator[Aggregate]:
    """Heron-Bench's aggregate over made lists of scores, each detail of it."""
    family = "compat_evalmm_judge"
    for item in scored.inputs["heron_aggregate"]:
        theirs = flatten(scored.run["per_item"][item["id"]]["expected"])
        categories = [document["category"] for document in item["docs"]]
        answers = [
            Answer(json.dumps(scores), ("",), meta={"category": category})
            for scores, category in zip(item["scores"], categories, strict=True)
        ]
        ours = {
            "overall_score": _value(f"{family}.heron_overall_rel", answers),
            "details.overall_rel": _value(f"{family}.heron_overall_rel", answers),
            "details.overall": _value(f"{family}.heron_score", answers),
            "details.parse_error_count": sum(scores["score"] == -1 for scores in item["scores"]),
        }
        for category in ("conv", "detail", "complex"):
            inside = [answer for answer in answers if answer.meta["category"] == category]
            ours[f"details.{category}"] = _value(f"{family}.heron_score", inside)
            ours[f"details.{category}_rel"] = _value(f"{family}.heron_rel", inside)
        for path, value in theirs.items():
            yield f"{item['id']}.{path}", ours[path], value


def sample_reviews(scored: Scored) -> Iterator[Aggregate]:
    """LLaVA-Bench's ratios, over all reviews and with two that cannot be read."""
    answers = [case.answer for case in scored.cases]
    broken = [
        Answer("", answer.references, meta=answer.meta) if position in (1, 4) else answer
        for position, answer in enumerate(answers)
    ]
    name = "compat_heron.relative"
    for label, values in scored.run["corpus"].items():
        ours = broken if "parse_errors" in label else answers
        for category, theirs in values["relative"].items():
            inside = [answer for answer in ours if answer.meta["category"] == category]
            yield f"{label}.{category}", _value(name, inside), theirs
        yield f"{label}.mean", _value(name, ours), values["mean_of_categories"]


def _value(name: str, answers: Sequence[Answer]) -> float:
    """A metric's value over answers, 0 without any."""
    metric = load_metric(name)
    vectors = [score.vector for score in map(metric.score, answers) if score.vector is not None]
    return float(metric.combine(np.sum(vectors, axis=0), len(vectors))) if vectors else 0.0
