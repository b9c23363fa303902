"""Asking a judge about the answers of a run, through the executor that also runs models.

    run's journal -> prompts -> executor -> judge-<judge>.jsonl -> scores.jsonl, run.json

Each prompt is asked once; a reply that is not of the form that was asked for, once more. What is
in the judge's journal is not asked again, so a call that was interrupted goes on where it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from vlmbench import __version__
from vlmbench.environment import versions
from vlmbench.errors import DataError, JournalError, UsageError
from vlmbench.executors.base import Executor, peeked
from vlmbench.executors.progress import Progress, ProgressCounter
from vlmbench.judges.requests import JudgeSettings, judge_input, judge_request, needs_retry
from vlmbench.judges.scores import (
    JudgedMetric,
    has_header,
    judge_journal,
    judged_key,
    judged_metric,
)
from vlmbench.metrics.base import load_metric, metric_names
from vlmbench.metrics.judge_prompt import JudgeInput, JudgePrompt
from vlmbench.models.resolve import ModelSpec
from vlmbench.records import Image, JournalSample, Request, RunRecord, Scalar, stable_hash
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import Journal, JournalContent, Session, read_journal
from vlmbench.runs.journal_header import Header
from vlmbench.tasks.journal_images import journal_images
from vlmbench.tasks.registry import journal_task
from vlmbench.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Judging:
    """What one call asked a judge."""

    record: RunRecord
    """The run's, with the judge's estimates."""
    judge: str
    asked: int
    """Verdicts that the metrics want."""
    errors: int
    """Those for which the judge gave no reply; the same command asks for them again."""


def judge_metrics(task: TaskSpec) -> tuple[str, ...]:
    """Keys of the task's metrics that a judge is asked for."""
    return tuple(
        use.key for use in task.metrics if load_metric(use.use).definition.judge_prompt is not None
    )


def judgeable(runs: Sequence[RunDir]) -> list[RunDir]:
    """The runs of tasks that have a metric for which a judge is asked."""
    headers = ((run, read_journal(run.journal).header) for run in runs)
    tasks = ((run, journal_task(header)) for run, header in headers)
    return [run for run, task in tasks if judge_metrics(task)]


def unjudged(record: RunRecord) -> tuple[str, ...]:
    """Keys of a run's metrics for which no judge has been asked."""
    there = {judged_key(one.metric) for one in record.estimates}
    uses = [(use["id"] or use["use"], use["use"]) for use in record.task_spec["metrics"]]
    return tuple(
        key
        for key, use in uses
        if key not in there and load_metric(use).definition.judge_prompt is not None
    )


def judge_run(
    directory: RunDir,
    judge: ModelSpec,
    *,
    executor: Executor,
    settings: JudgeSettings,
    score: Callable[[RunDir], RunRecord],
    metrics: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress = lambda done, total, errors: None,
) -> Judging:
    """Ask a judge about a run's answers, or go on where an earlier call stopped.

    Args:
        score: Derives the run's scores again, `derive.score`.
        metrics: Keys of the task's metrics, or names of any others that a judge is asked for;
            none: all of the task.
        fresh: Drop the judge's replies of earlier calls.

    Raises:
        UsageError: No metric is one that a judge is asked for.
        VlmbenchError: See `derive.score`, `Journal` and `Executor.map`.
    """
    settings = effective(settings, judge)
    content = read_journal(directory.journal)
    task = journal_task(content.header)
    names = tuple(metrics) or judge_metrics(task)
    check_names(task, names)
    path = judge_journal(directory.path, judge.name)
    refuse_other_judge(path, judge, fresh=fresh)
    with Journal(path, judge_header(judge, content), fresh=fresh) as journal:
        wanted = [judged_metric(task, name, journal.content, settings) for name in names]
        cases = _Cases(directory, task, content, prompts_of(wanted), images=settings.images)
        asked = sum(len(cases.concerned(one)) for one in cases.prompts) * settings.samples
        call = Call(
            judge,
            executor,
            journal,
            settings,
            settings.as_scalars(names),
            ProgressCounter(asked, progress),
        )
        call.ask(cases.of, list(cases.prompts))
    return Judging(score(directory), judge.name, asked, call.errors)


def refuse_other_judge(path: Path, judge: ModelSpec, *, fresh: bool) -> None:
    """See that a journal is not of another judge of the same name.

    Raises:
        JournalError: It is.
    """
    if fresh or not has_header(path):
        return
    if read_journal(path).header.fingerprints.get("model") != judge.fingerprint:
        raise JournalError(
            f"{path} holds the replies of a judge of the same name with another model or other "
            "settings; give this one a name of its own with --judge-name, or drop those with "
            "--fresh."
        )


def check_names(task: TaskSpec, names: Sequence[str]) -> None:
    """See that a judge can be asked for each of these metrics.

    Raises:
        UsageError: There are none, or one is unknown or of another kind.
    """
    if not names:
        raise UsageError(
            f"No metric of task '{task.name}' needs a judge; name one, as in "
            "'vlmbench judge run RUNS --judge MODEL --metrics judge.correct'."
        )
    own = {use.key: use.use for use in task.metrics}
    for name in names:
        prompt = load_metric(own.get(name, name)).definition.judge_prompt
        if prompt is None or prompt.compares:
            known = [
                one
                for one in metric_names()
                if (other := load_metric(one).definition.judge_prompt) is not None
                and not other.compares
            ]
            raise UsageError(
                f"'{name}' is no metric of single answers that a judge is asked for; choose of "
                f"{', '.join(known)}."
            )


def judge_header(judge: ModelSpec, run: JournalContent) -> Header:
    """What a judge's journal about a run is about. The answers are in each request's key."""
    about = {name: run.header.fingerprints[name] for name in ("task", "data", "prompt")}
    return Header(
        model=judge.as_dict(),
        task={"name": run.header.task["name"], "model": run.header.model["name"]},
        origin=None,
        fingerprints={"model": judge.fingerprint, **about, "code": __version__},
    )


def prompts_of(metrics: Sequence[JudgedMetric]) -> dict[JudgePrompt, list[JudgedMetric]]:
    """The different prompts, each with the metrics that share its replies."""
    found: dict[str, tuple[JudgePrompt, list[JudgedMetric]]] = {}
    for one in metrics:
        found.setdefault(one.judge_prompt.name, (one.judge_prompt, []))[1].append(one)
    return dict(found.values())


class _Cases:
    """The answers of a run as a judge is told of them."""

    def __init__(
        self,
        directory: RunDir,
        task: TaskSpec,
        content: JournalContent,
        prompts: Mapping[JudgePrompt, Sequence[JudgedMetric]],
        *,
        images: bool,
    ) -> None:
        self.prompts = prompts
        self._directory, self._task, self._images = directory, task, images
        self._responses = content.responses
        self._samples = {
            name: sample
            for name, sample in content.asked.items()
            if content.responses[name].text is not None
        }

    def concerned(self, prompt: JudgePrompt) -> dict[str, JournalSample]:
        """The samples whose answers the prompt is for, in the order of the data."""
        metrics = [one.scored for one in self.prompts[prompt]]
        found = {
            name: sample
            for name, sample in self._samples.items()
            if any(metric.applies(sample.meta) for metric in metrics)
        }
        return dict(sorted(found.items(), key=lambda item: item[1].index))

    def of(self, prompt: JudgePrompt) -> Iterator[tuple[str, JudgeInput]]:
        """Sample id and input of every answer that the prompt is for."""
        samples = self.concerned(prompt)
        for name, images in judged_images(self._directory, self._task, samples, self._images):
            text = self._responses[name].text or ""
            yield name, judge_input(samples[name], text, images=images)


def judged_images(
    directory: RunDir, task: TaskSpec, samples: Mapping[str, JournalSample], wanted: bool
) -> Iterator[tuple[str, dict[str, Image] | None]]:
    """Each sample's id with the images that a judge will see; None if it sees none.

    Raises:
        DataError: Images are wanted, and some are neither kept nor in the data set.
    """
    if not wanted:
        yield from ((name, None) for name in samples)
        return
    found = 0
    for name, images in journal_images(directory, task, samples):
        found += 1
        yield name, images
    if found < len(samples):
        raise DataError(
            f"The images of {len(samples) - found} samples of {directory.path} are no longer in "
            "the data of the task; restore them, or leave out '--judge-images'."
        )


@dataclass(slots=True)
class Call:
    """One call of a judge: what it is asked with, and where its replies go."""

    judge: ModelSpec
    executor: Executor
    journal: Journal
    settings: JudgeSettings
    about: Mapping[str, Scalar]
    """What the journal's session says of the settings."""
    meter: ProgressCounter
    errors: int = 0
    """Prompts that got no reply."""
    _began: bool = False

    def ask(
        self,
        cases: Callable[[JudgePrompt], Iterator[tuple[str, JudgeInput]]],
        judge_prompts: Sequence[JudgePrompt],
    ) -> None:
        """Ask whatever the journal has no reply to, then what could not be read once more.

        Args:
            cases: Gives the inputs for a prompt; called for each of the two rounds.
        """
        for judge_prompt in judge_prompts:
            for again in (False, True):
                if again and not self._any_unreadable(judge_prompt):
                    continue  # which saves reading every image again
                requests = self._requests(judge_prompt, cases(judge_prompt), again=again)
                self._send(judge_prompt, requests, again=again)
        if self._began:
            self.journal.end(self.executor.memory())
        elif not self._noted():
            self._begin({})

    def _requests(
        self, judge_prompt: JudgePrompt, cases: Iterator[tuple[str, JudgeInput]], *, again: bool
    ) -> Iterator[Request]:
        make = partial(judge_request, judge_prompt, settings=self.settings)
        for sample_id, case in cases:
            for repeat in range(self.settings.samples):
                request = make(case, sample_id, repeat=repeat)
                if again:
                    if not self._unreadable(judge_prompt, request):
                        continue
                    request = make(case, sample_id, repeat=repeat, again=True)
                if not self.journal.answered(request.key, request.sample_id):
                    yield request
                elif not again:
                    self.meter.count_skipped()

    def _any_unreadable(self, judge_prompt: JudgePrompt) -> bool:
        replies = self.journal.content.responses
        names = (name for name in replies if name.startswith(f"{judge_prompt.name}/"))
        return any(needs_retry(judge_prompt, replies[name]) for name in names)

    def _unreadable(self, judge_prompt: JudgePrompt, request: Request) -> bool:
        reply = self.journal.content.responses.get(request.sample_id)
        return reply is not None and reply.key == request.key and needs_retry(judge_prompt, reply)

    def _send(self, judge_prompt: JudgePrompt, requests: Iterator[Request], *, again: bool) -> None:
        any_left, requests = peeked(requests)
        if not any_left:
            return
        spec = structured(self.judge, judge_prompt) if self.settings.structured else self.judge
        responses = self.executor.map(spec, requests)
        if not self._began:
            self._begin(self.executor.describe())
            self.meter.show_start()
        with closing(responses):
            if self.settings.images and self.executor.describe().get("sees_images") is False:
                raise UsageError(f"The judge '{self.judge.name}' sees no images; leave them out.")
            for response in responses:
                self.journal.add(response)
                self.errors += response.error is not None
                if not again:
                    self.meter.count_answered(response)

    def _begin(self, device: Mapping[str, Scalar]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.journal.begin(Session(now, None, 0, {**versions(), **device, **self.about}))
        self._began = True

    def _noted(self) -> bool:
        """Whether the last call asked in the same way, so that there is nothing to note."""
        sessions = self.journal.content.sessions
        return bool(sessions) and self.about.items() <= sessions[-1].environment.items()


def effective(settings: JudgeSettings, judge: ModelSpec) -> JudgeSettings:
    """The settings as this judge can follow them."""
    takes_schema = judge.runner == "openai_api"
    return dataclasses.replace(settings, structured=settings.structured and takes_schema)


def structured(judge: ModelSpec, judge_prompt: JudgePrompt) -> ModelSpec:
    """The judge with the reply's schema in each request, if there is one."""
    if judge_prompt.schema is None:
        return judge
    schema = {"name": judge_prompt.name, "strict": True, "schema": judge_prompt.schema}
    form = {"response_format": {"type": "json_schema", "json_schema": schema}}
    options = {**judge.options, "extra": {**judge.options.get("extra", {}), **form}}
    fingerprint = stable_hash([judge.fingerprint, form])
    return dataclasses.replace(judge, options=options, fingerprint=fingerprint)
