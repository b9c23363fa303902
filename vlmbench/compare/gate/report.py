"""The verdicts of a check, and the exit code they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from vlmbench.compare.gate.rules import Undecided

Verdict: TypeAlias = Literal[
    "unchanged", "better", "no worse", "regressed", "undecided", "incomplete"
]

RowKind: TypeAlias = Literal["task", "pooled", "slice", "share", "resource"]

POOLED = "all tasks"


@dataclass(frozen=True, slots=True)
class GateRow:
    """The verdict on one number: a headline metric, a slice of one, a share of answers ..."""

    kind: RowKind
    task: str
    metric: str
    verdict: Verdict
    gated: bool = True
    """Whether it can fail the gate; others are only reported."""
    slice: str = ""
    """Such as "kind=value"."""
    n: int = 0
    """Samples that were compared; of a resource, the baseline's runs."""
    clusters: int = 0
    """Independent ones of them, such as images."""
    lost: int = 0
    """Samples that only one side could score; left out of the difference, and the verdict must
    hold whatever they would have scored."""
    missing: int = 0
    """Samples of the baseline without an answer in the run, counted as the worst possible."""
    baseline: float | None = None
    value: float | None = None
    difference: float | None = None
    """Run minus baseline, in the unit of the metric."""
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    """The tolerated drop in the unit of the metric."""
    margin_share: float | None = None
    """The same as the rules have it: a share of the range, or of the baseline's value."""
    p_value: float | None = None
    """Two-sided, of no difference."""
    p_regressed: float | None = None
    """One-sided, of a drop within the margin, corrected by Holm for all that is gated."""
    p_worse: float | None = None
    """One-sided, of no drop at all, corrected likewise."""
    lower_is_better: bool = False
    free_scale: bool = False
    method: str = ""
    reason: str = ""
    """What the numbers alone do not say."""
    decides: str = ""
    """What would decide: "n = 2,116 instead of 332, or a margin of 0.050"."""

    @property
    def name(self) -> str:
        """What the row is about, in a few words."""
        return " ".join(part for part in (self.task, self.metric, self.slice) if part)

    @property
    def worse(self) -> bool:
        """Whether the run is worse beyond chance, whatever the margin says."""
        if self.difference is None or self.low is None or self.high is None:
            return False
        return self.low > 1e-9 if self.lower_is_better else self.high < -1e-9

    @property
    def text(self) -> str:
        """The verdict with its reason and what would decide."""
        parts = [self.reason] if self.reason else []
        if self.verdict == "undecided" and self.worse:
            parts.append("worse, how much is open")
        if self.decides:
            parts.append(self.decides)
        return self.verdict + (": " + ": ".join(parts) if parts else "")


@dataclass(frozen=True, slots=True)
class ChangedSample:
    """A sample that lost, with what a person needs to see why."""

    task: str
    metric: str
    id: str
    loss: float
    """Drop of its score, as a share of the metric's range (or of the baseline's value)."""
    prompt: str
    references: tuple[str, ...]
    before: str
    """The baseline's answer, cut where the baseline cut it."""
    after: str | None
    """The run's answer; None where there is an error."""
    scores: tuple[float | None, float | None]
    """Of the answer before and after."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """All verdicts, and what they were made with."""

    baseline_model: str
    model: str
    rows: tuple[GateRow, ...]
    changes: tuple[ChangedSample, ...] = ()
    """The samples that lost most, the worst first."""
    notes: tuple[str, ...] = ()
    level: float = 0.95
    undecided: Undecided = 4
    tasks: Mapping[str, int] = field(default_factory=dict)
    """Samples of each task of the baseline."""

    @property
    def verdict(self) -> Verdict:
        """The one verdict of the gate."""
        gated = [row for row in self.rows if row.gated]
        for verdict in ("regressed", "incomplete"):
            if any(row.verdict == verdict for row in gated):
                return verdict
        if any(map(self._holds_up, gated)):
            return "undecided"
        main = [row for row in gated if row.kind == "pooled"] or [
            row for row in gated if row.kind == "task"
        ]
        order: tuple[Verdict, ...] = ("no worse", "better", "unchanged")
        return next((one for one in order if any(row.verdict == one for row in main)), "no worse")

    def _holds_up(self, row: GateRow) -> bool:
        """Whether an undecided row leaves the gate undecided.

        The pooled verdict speaks for the tasks, except for one that is worse beyond chance, even
        with so many looked at. A share of answers can fail the gate, but nobody waits for it.
        """
        if row.verdict != "undecided" or row.kind == "share":
            return False
        pooled = any(one.kind == "pooled" for one in self.rows)
        if row.kind == "task" and pooled:
            return row.p_worse is not None and row.p_worse <= (1 - self.level) / 2
        return True

    @property
    def exit_code(self) -> int:
        """1 if anything regressed, else 3 if incomplete, else what `undecided` says, else 0."""
        codes: dict[Verdict, int] = {"regressed": 1, "incomplete": 3}
        if self.verdict == "undecided":
            return {"pass": 0, "fail": 1, 4: 4}[self.undecided]
        return codes.get(self.verdict, 0)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, for `json.dumps`."""
        values = asdict(self)
        for row, shown in zip(self.rows, values["rows"], strict=True):
            shown["text"] = row.text
        return {**values, "verdict": self.verdict, "exit_code": self.exit_code}
