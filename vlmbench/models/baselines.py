"""Answers without a model: baseline:KIND."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vlmbench.errors import UsageError, unknown_name
from vlmbench.models.checkpoints import file_digest
from vlmbench.models.spec import ModelSpec
from vlmbench.records import stable_hash
from vlmbench.runs.directory import safe_name

BASELINES: Mapping[str, str] = {
    "majority": "the most frequent reference of the task",
    "blind-majority": "the most frequent reference among questions of the same kind; "
    "baseline:blind-majority:FIELD+FIELD says by which fields of meta",
    "random": "one of the choices, or another sample's reference, drawn with the seed",
    "oracle": "the first reference: the upper end of every metric",
    "scripted": "answers from a file, baseline:scripted:FILE.jsonl with {id, text} a line",
}


def baseline_model(text: str, seed: int) -> ModelSpec:
    """The model `baseline:KIND`, `baseline:blind-majority:FIELDS` or `baseline:scripted:FILE`.

    Raises:
        UsageError: There is no such kind or file.
    """
    kind, _, rest = text.partition(":")
    if kind not in BASELINES:
        raise UsageError(
            unknown_name("baseline", kind, BASELINES, next_step="see 'vlmbench models list'")
        )
    if kind == "scripted":
        return _scripted(rest)
    if kind == "blind-majority" and rest:
        return _blind(rest)
    if rest:
        raise UsageError(f"The baseline '{kind}' takes no '{rest}'; write 'baseline:{kind}'.")
    options = {"seed": seed} if kind == "random" else {}
    return ModelSpec(
        name=f"baseline-{kind}",
        runner="baseline",
        location=kind,
        fingerprint=stable_hash(["baseline", kind, options]),
        options=options,
    )


def _blind(text: str) -> ModelSpec:
    """blind-majority by fields of meta, with + between them."""
    fields = [name.strip() for name in text.split("+") if name.strip()]
    return ModelSpec(
        name=safe_name(f"baseline-blind-majority-{'+'.join(fields)}"),
        runner="baseline",
        location="blind-majority",
        fingerprint=stable_hash(["baseline", "blind-majority", fields]),
        options={"fields": fields},
    )


def _scripted(file: str) -> ModelSpec:
    path = Path(file)
    if not file or not path.is_file():
        raise UsageError(
            f"There is no file of answers '{file}'; write 'baseline:scripted:FILE.jsonl' with a "
            "line {id, text} for each sample."
        )
    return ModelSpec(
        name=safe_name(f"scripted-{path.stem}"),
        runner="baseline",
        location="scripted",
        fingerprint=stable_hash(["scripted", file_digest(path)]),
        options={"file": file},
    )
