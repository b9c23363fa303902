"""A task file as a validated TaskSpec: data, prompt, metrics; each field documents its key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from vlmbench.errors import ConfigError
from vlmbench.records import Generation, Scalar, stable_hash
from vlmbench.schema import Strict
from vlmbench.tasks.conditions import compile_condition
from vlmbench.tasks.template import validate_template

Template = Annotated[str, AfterValidator(validate_template)]
"""jinja2 source; `row` holds the row's columns, `index` its position from 0."""

SubsetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
"""A configuration of a Hub data set; also a file name, so no path."""

VariantName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
"""Part of the name of a run's directory, so no path."""


def _condition_on(name: Literal["meta", "row"]) -> AfterValidator:
    def validate(text: str) -> str:
        try:
            compile_condition(text, name)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return text

    return AfterValidator(validate)


class JapaneseCard(Strict):
    """The texts of the card in Japanese."""

    title: str = ""
    """Empty where the task is called the same in both languages."""
    card: str = ""
    chance: str = ""
    flaws: tuple[str, ...] = ()
    """As many as in English, in the same order."""
    names: dict[str, str] = Field(default_factory=dict)
    """What slice fields and their values are called, where the English name is no data."""


class Display(Strict):
    """What people read about the task."""

    title: str
    capability: str
    """Such as caption, vqa, chart or multi-image."""
    language: str = "ja"
    licence: str
    citation: str = ""
    card: str = ""
    """What the task measures, how it was made, and what its scores compare with."""
    chance: str = ""
    """Score of guessing; empty where answers are free and none is known."""
    flaws: tuple[str, ...] = ()
    """Known flaws of the data, the scoring or the published numbers, a sentence or two each."""
    items: int | None = Field(default=None, ge=1)
    """Published number of samples, where it is known."""
    ja: JapaneseCard | None = None

    def in_japanese(self) -> Display:
        """The same with the Japanese texts in the place of the English ones, where there are."""
        given = {} if self.ja is None else self.ja.model_dump(exclude={"names"})
        return self.model_copy(update={"ja": None, **{k: v for k, v in given.items() if v}})

    @model_validator(mode="after")
    def _same_flaws(self) -> Display:
        if self.ja is not None and len(self.ja.flaws) != len(self.flaws):
            raise ValueError("'ja.flaws' needs a sentence for each of 'flaws'")
        return self


class DataSource(Strict):
    """Where the rows are: a file next to the YAML, a data set of the Hugging Face Hub, or a local
    directory with the columns of one (`--data-dir`)."""

    path: str | None = None
    """Parquet or JSON Lines, relative to the YAML file."""
    hub: str | None = None
    """`org/name`."""
    config: str | None = None
    """Name of the Hub data set's configuration, where it has several."""
    subsets: tuple[SubsetName, ...] = ()
    """Configurations that the task reads in turns, a row each; rows have it as `row.subset`."""
    revision: str | None = None
    """Commit of the Hub data set; without one the newest is taken."""
    split: str | None = None
    manual: str | None = None
    """What to fetch by hand, for data that the Hub does not hold as this task reads it."""
    keep: Annotated[str, _condition_on("row")] | None = None
    """Condition on `row`, such as `row.lang == 'ja'`; other rows do not belong to the task."""
    each: str | None = None
    """A column with a list, or with a text that is one: each element becomes a row of its own, in
    which the column holds that element."""
    local: str | None = None
    """A directory whose <task>.parquet, <task>/*.parquet, <task>/data/*.parquet or <task>.jsonl is
    read before the Hub; with subsets, <task>/<subset> in the place of <task>. Of files that are
    named after a split (test-00000-of-00002.parquet) only the task's are read. `--data-dir` sets
    it."""

    @model_validator(mode="after")
    def _one_source(self) -> DataSource:
        if (self.path is None) == (self.hub is None and self.manual is None):
            raise ValueError("give either 'path' or 'hub'")
        if self.hub is not None and self.split is None and self.manual is None:
            raise ValueError("a Hub data set needs 'split'")
        hub_only = self.config or self.subsets or self.revision or self.split or self.local
        if self.path is not None and hub_only:
            raise ValueError(
                "'config', 'subsets', 'revision', 'split' and 'local' go with 'hub' only"
            )
        if self.config and self.subsets:
            raise ValueError("give either 'config' or 'subsets'")
        return self


class TextColumn(Strict):
    """Takes texts from one column, which holds a text or a list of texts."""

    column: str
    parse: Literal["list", "unlabeled"] | None = None
    """`list`: a text that is a Python or JSON list stands for its elements. `unlabeled`: options
    that each begin with their own letter, such as "(A) red", are taken without it."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(
                f"a text is neither a column nor a list; write {{column: {value}}} for what that "
                "column holds, or a list of templates"
            )
        return value


class Fields(Strict):
    """Which columns become which parts of a sample."""

    id: Template
    images: tuple[str, ...] = ()
    """Columns that hold an image or a list of images, in the order in which they are shown."""
    base64: bool = False
    """Whether images are texts in base64."""
    references: TextColumn | Annotated[tuple[Template, ...], Field(min_length=1)]
    """`{column: name}`, or a template for each accepted answer. A number in a column counts as
    its text; what is empty or null is left out."""
    choices: TextColumn | tuple[Template, ...] = ()
    """Options of a multiple-choice question, given in the same two ways. Empty ones are left out at
    the end only, since the others' letters count their places."""
    meta: tuple[str, ...] = ()
    """Columns that `slices` and `where` may name."""
    derived: dict[str, Template] = Field(default_factory=dict)
    """Further fields of `meta`, each a template; one that renders to nothing is None."""


class GenerationArguments(Strict):
    """How answers are generated; greedy unless a temperature is given."""

    max_new_tokens: int = Field(default=64, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    stop: tuple[str, ...] = ()


class MetricUse(Strict):
    """A metric that the task applies."""

    use: str
    """Its name, such as `match.exact`."""
    id: str = ""
    """Its name in results; needed where the task uses the metric twice."""
    headline: bool = False
    """Shown on the leaderboard and compared by the gate; the first metric if none is marked."""
    where: Annotated[str, _condition_on("meta")] | None = None
    """Condition on `meta`, such as `meta.answer == 'open'`; other samples are not scored by it."""
    options: dict[str, Scalar] = Field(default_factory=dict)
    published: dict[str, str] = Field(default_factory=dict)
    """Harness -> its name for this metric, where its published numbers were computed this way."""

    @property
    def key(self) -> str:
        """`id`, or `use` where there is none."""
        return self.id or self.use


class Example(Strict):
    """A frozen case: `vlmbench tasks check` and the tests hold the task to it."""

    row: dict[str, Any]
    """The columns other than images."""
    images: int = Field(default=0, ge=0)
    """Number of images the row shows."""
    prompt: str
    """The rendered prompt, with `<image>` where an image stands."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Answer -> value of the first headline metric that applies."""


class TaskSpec(Strict):
    """A validated task file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)
    display: Display
    data: DataSource
    fields: Fields
    prompt: Template
    """`{{ row.question | interleave }}` puts images where the text says `<image>` or `<image 2>`,
    `{{ image(0) }}` puts one there; otherwise they come before the text."""
    paraphrases: dict[VariantName, Template] = Field(default_factory=dict)
    """Name -> the prompt reworded; used only with `--prompts`, and part of no fingerprint."""
    image_order: Literal["marked", "reference"] = "marked"
    """`reference`: all images before the text and the marks deleted, as llm-jp-eval-mm does."""
    system: str | None = None
    generation: GenerationArguments = Field(default_factory=GenerationArguments)
    metrics: tuple[MetricUse, ...] = Field(min_length=1)
    slices: tuple[str, ...] = ()
    """Fields of `meta` by which results are broken down."""
    cluster: str | None = None
    """A field of `meta`, or a column, that samples share which are not independent, such as the
    page that a question is about; None: the samples' images."""
    examples: tuple[Example, ...] = ()

    _data_path: Path | None = PrivateAttr(default=None)
    _origin: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> TaskSpec:
        keys = [metric.key for metric in self.metrics]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise ValueError(f"metric '{twice}' stands there twice, give one of them an 'id'")
        known = {*self.fields.meta, *self.fields.derived}
        for name in self.slices:
            if name not in known:
                raise ValueError(f"slice '{name}' is not listed under fields.meta")
        return self

    @property
    def origin(self) -> Path | None:
        """The YAML file, for a task that does not ship with vlmbench."""
        return self._origin

    def located(self, folder: Path, origin: Path | None) -> TaskSpec:
        """The same task with its data path relative to a folder."""
        located = self.model_copy()
        located._data_path = folder / self.data.path if self.data.path is not None else None
        located._origin = origin
        return located

    @property
    def data_path(self) -> Path | None:
        """The local data file; None for a Hub data set."""
        return self._data_path

    @property
    def headlines(self) -> tuple[str, ...]:
        """Keys of the headline metrics, at least one."""
        marked = tuple(metric.key for metric in self.metrics if metric.headline)
        return marked or (self.metrics[0].key,)

    @property
    def fingerprint(self) -> str:
        """Hash of what decides which answers are right: data columns and metrics."""
        return stable_hash(self._part("name", "fields", "metrics", "slices"))

    @property
    def fields_fingerprint(self) -> str:
        """Hash of what is read out of the data."""
        return stable_hash(self._part("name", "fields", "cluster"))

    @property
    def prompt_fingerprint(self) -> str:
        """Hash of what decides which answers are given: prompt, system, generation."""
        return stable_hash(self._part("prompt", "system", "generation", "image_order"))

    def as_dict(self) -> dict[str, Any]:
        """The task as plain values, as in a YAML file."""
        return self.model_dump(mode="json")

    def with_prompt(self, prompt: str) -> TaskSpec:
        """The same task with another prompt."""
        return self.model_copy(update={"prompt": prompt})

    def with_image_order(self, order: Literal["marked", "reference"]) -> TaskSpec:
        """The same task with its images in that order."""
        return self.model_copy(update={"image_order": order})

    def generation_for(self, seed: int) -> Generation:
        """The generation arguments; the seed counts only where answers are sampled."""
        used = seed if self.generation.temperature > 0 else 0
        return Generation(**self.generation.model_dump(), seed=used)

    def _part(self, *names: str) -> dict[str, Any]:
        part: dict[str, Any] = without_new_defaults(self.model_dump(mode="json", include={*names}))
        return part


_NEW_DEFAULTS: dict[str, Any] = {
    "base64": False,
    "cluster": None,
    "derived": {},
    "image_order": "marked",
    "parse": None,
    "manual": None,
    "keep": None,
    "each": None,
    "local": None,
    "subsets": [],
}
"""Keys added later: at their defaults they are in no fingerprint, so that old ones stay valid."""


def without_new_defaults(value: Any) -> Any:
    """A dumped task, or a part of one, reduced to what its fingerprint covers."""
    if isinstance(value, list):
        return list(map(without_new_defaults, value))
    if not isinstance(value, dict):
        return value
    return {
        key: without_new_defaults(inner)
        for key, inner in value.items()
        # Which published numbers compare decides nothing about an answer.
        if key != "published" and not (key in _NEW_DEFAULTS and inner == _NEW_DEFAULTS[key])
    }
