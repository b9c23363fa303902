"""What is found out about judges, as it is written down and read again by the report.

    <run>/judge-<judge>.json               how a judge's verdicts on the run are: CheckRecord
    <run>/pairwise-<judge>-<second>-*.json which of two runs it prefers: PairResult
    <run>/agreement-<first>-<second>-*.json how far labels agree: Agreement

Each says whose answers it is about by a hash of them, so that a reader can tell when they are no
longer the ones that lie there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

from vlmbench import __version__
from vlmbench.judges.agreement import Level
from vlmbench.records import stable_hash
from vlmbench.runs.directory import canonical_json, remove_leftovers, replace_file
from vlmbench.runs.journal import JournalContent
from vlmbench.stats import Interval

RESULT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """Answers or labels that were looked at."""

    name: str
    """The model; or the name of a file of labels, without its folder."""
    answers: str
    """A hash of the answers by sample id, or of the labels."""
    task: str | None = None
    """With its variant; None for labels out of a file."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Of the run."""
    metric: str | None = None
    """The judge's metric that the labels are of."""
    signature: str | None = None
    """That metric's."""


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """Who was asked, and how."""

    judge: str
    fingerprint: str
    """The judge's."""
    prompt: str
    """A hash of all that the prompt says besides the answers."""
    reply: str
    """Form, number, temperature and length of the replies."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a result comes from."""

    compared: tuple[ComparedRun, ...]
    seed: int
    """Of the random weights behind the intervals of kappa and alpha."""
    created: str
    """ISO 8601, UTC."""
    vlmbench: str = __version__
    schema_version: Literal[1] = RESULT_VERSION


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """What one judge's verdicts on one metric are like."""

    model: str
    task: str
    metric: str
    asked: JudgeConfig
    signature: str
    """The metric's with this judge: that of its estimates in run.json."""
    answers: int
    """Answers that the metric is for."""
    unscored: int
    """Those without any verdict that can be read."""
    verbosity: Interval | None = None
    """Spearman's correlation of an answer's score with its length in characters."""
    consistency: Interval | None = None
    """Krippendorff's alpha (interval) among several replies to the same prompt."""


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """All metrics of one judge on one run."""

    about: Provenance
    checks: tuple[JudgeCheck, ...]
    kind: Literal["judge"] = "judge"


@dataclass(frozen=True, slots=True)
class PairResult:
    """Two models on the same questions."""

    about: Provenance
    task: str
    first: str
    second: str
    asked: JudgeConfig
    preference: Interval | None
    """Share of preference for the first model, a tie counted half; 0.5 is no difference."""
    first_shown: Interval | None
    """The same for the answer that was shown first: away from 0.5 is position bias."""
    consistent: Interval | None
    """Share of pairs with the same verdict in both orders."""
    n: int
    """Pairs with a verdict in both orders."""
    unscored: int
    bounds: tuple[float, float] | None
    """What `preference` could be with the unscored pairs; None if there are none."""
    errors: int
    """Prompts without a reply; the same command asks them again."""
    signature: str
    kind: Literal["pairwise"] = "pairwise"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two sets of labels agree on the samples that both have."""

    about: Provenance
    n: int
    only_first: int
    only_second: int
    level: Level
    equal: float
    """Share of samples with the same label."""
    kappa: Interval | None
    """Cohen's kappa; None where it is not defined."""
    alpha: Interval | None
    """Krippendorff's alpha at the level."""
    kind: Literal["agreement"] = "agreement"


Result: TypeAlias = CheckRecord | PairResult | Agreement

ResultT = TypeVar("ResultT", CheckRecord, PairResult, Agreement)
"""One of them."""


def about(compared: Sequence[ComparedRun], seed: int) -> Provenance:
    """Where a result comes from that is made now."""
    return Provenance(tuple(compared), seed, datetime.now(UTC).isoformat(timespec="seconds"))


def answers_hash(content: JournalContent) -> str:
    """Changes with every answer of a run; one at a time is in memory."""
    digest = hashlib.sha256()
    for name in sorted(content.responses):
        line = canonical_json([name, content.responses[name].text])
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()[:16]


def labels_hash(labels: Mapping[str, Any]) -> str:
    """Changes with every label."""
    return stable_hash(sorted(labels.items()))


def compared_run(content: JournalContent) -> ComparedRun:
    """A run as something that was compared."""
    header = content.header
    variant = f"@{header.variant['name']}" if header.variant else ""
    return ComparedRun(
        name=str(header.model["name"]),
        answers=answers_hash(content),
        task=f"{header.task['name']}{variant}",
        fingerprints=header.fingerprints,
    )


def write_result(path: Path, result: Result) -> None:
    """Put a result in place of an earlier one, at once.

    Raises:
        JournalError: The file cannot be written.
    """
    text = json.dumps(asdict(result), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    replace_file(path, [(text + "\n").encode("utf-8", "backslashreplace")])
    remove_leftovers(path)


def read_results(directory: Path, kind: type[ResultT]) -> tuple[list[ResultT], list[str]]:
    """The results of a kind that lie in a run's directory, by name.

    Returns:
        The results, and a sentence on each file that holds none.
    """
    from pydantic import TypeAdapter

    found, problems = [], []
    for path in sorted(directory.glob(_PATTERNS[kind])):
        try:
            found.append(TypeAdapter(kind).validate_json(path.read_bytes()))
        except (OSError, ValueError):  # pydantic's errors among them
            problems.append(
                f"{path.name} of {directory.parent.name} cannot be read; make it again with "
                "'vlmbench judge'."
            )
    return found, problems


_PATTERNS: Mapping[type[Result], str] = {
    CheckRecord: "judge-*.json",
    PairResult: "pairwise-*.json",
    Agreement: "agreement-*.json",
}
