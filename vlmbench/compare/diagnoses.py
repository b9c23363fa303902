"""From run directories to diagnoses: which runs belong together, and whether they compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench.compare.paired_runs import Scored, differing_fingerprint, read_scored
from vlmbench.compare.prompt_spread import PromptSpread, prompt_spreads
from vlmbench.compare.rotation_bias import RotationBias, rotation_biases
from vlmbench.compare.visual_gain import VisualGain, visual_gains
from vlmbench.runs.directory import RunDir
from vlmbench.tasks.variants.variant import IMAGE_MODES, split_label


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a model's variants say of it on one task."""

    model: str
    task: str
    gains: tuple[VisualGain, ...] = ()
    prompts: tuple[PromptSpread, ...] = ()
    rotations: tuple[RotationBias, ...] = ()
    problems: tuple[str, ...] = ()
    """What does not compare, a sentence each."""


def diagnoses(runs: Sequence[RunDir]) -> dict[RunDir, Diagnosis]:
    """By plain run, where it has variants beside it among `runs`.

    Args:
        runs: Run directories of any models and tasks, plain ones and variants.

    Raises:
        JournalError: A file of a run is missing or damaged.
    """
    families = with_variants(runs)
    return {run: _diagnosis(run, variants) for run, variants in families.items() if variants}


def with_variants(runs: Sequence[RunDir]) -> dict[RunDir, dict[str, RunDir]]:
    """Each plain run with its variants by label, those of one place and task.

    Raises:
        JournalError: A record cannot be read.
    """
    records = {run: run.read_record() for run in runs}
    plain = {
        (run.path.parent.resolve(), record.task): run
        for run, record in records.items()
        if record.variant is None
    }
    found: dict[RunDir, dict[str, RunDir]] = {run: {} for run in plain.values()}
    for run, record in records.items():
        place = run.path.parent.resolve(), record.task
        if record.variant is not None and place in plain:
            found[plain[place]][record.variant] = run
    return found


def _diagnosis(directory: RunDir, variants: Mapping[str, RunDir]) -> Diagnosis:
    plain = read_scored(directory)
    problems: list[str] = []
    images: dict[str, Scored] = {}
    prompts: dict[str, Scored] = {}
    rotations: dict[str, Scored] = {}
    for label in sorted(variants):
        kind, name = split_label(label)
        run = read_scored(variants[label])
        differing = differing_fingerprint(plain.record, run.record, prompts=kind == "prompt")
        if differing is not None:
            problems.append(
                f"{run.record.title} and the plain run differ in '{differing}' and do not "
                "compare; run both again."
            )
        else:
            {"image": images, "prompt": prompts, "options": rotations}[kind][name] = run
    biases, problem = _rotations(plain, rotations)
    return Diagnosis(
        model=plain.record.model,
        task=plain.record.task,
        gains=tuple(_gains(plain, images)),
        prompts=tuple(prompt_spreads(plain, prompts)) if prompts else (),
        rotations=tuple(biases),
        problems=(*problems, *([problem] if problem else [])),
    )


def _gains(plain: Scored, images: Mapping[str, Scored]) -> Iterable[VisualGain]:
    for mode in IMAGE_MODES:
        if mode in images:
            yield from visual_gains(plain, images[mode], mode)


def _rotations(
    plain: Scored, rotations: Mapping[str, Scored]
) -> tuple[list[RotationBias], str | None]:
    """The biases, where all rotations are there: else a place's share would mean nothing."""
    if not rotations:
        return [], None
    most = next(iter(rotations)).partition("-of-")[2]
    names = [f"{by}-of-{most}" for by in range(1, int(most))]
    missing = [name for name in names if name not in rotations]
    task = plain.record.task
    if missing:
        return [], (
            f"{len(missing)} of the {most} rotations of {task} are missing; run it again with "
            "'--options rotate'."
        )
    runs = [plain, *(rotations[name] for name in names)]
    if len({run.record.limit for run in runs}) > 1:
        return [], f"The rotations of {task} were run with different '--limit'; use one."
    if any(len(run.rows) < run.record.coverage.total for run in runs):
        return [], f"The rotations of {task} are not finished; run the same command again."
    return rotation_biases(runs), None
