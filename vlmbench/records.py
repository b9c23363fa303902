"""The frozen values that cross from one stage of the pipeline to the next.

Sample         what a data set holds           tasks/       -> tasks/prompt.py
Request        what a model is asked           tasks/       -> runners/
Response       what it answered, or why not    runners/     -> runs/journal.py
JournalSample  what a journal keeps of a sample beside the response: all that scoring needs
SampleScores   each metric's vector            metrics/     -> scoring/
Estimate       a number with its interval      scoring/     -> report/, compare/
RunRecord      all that is known of one run    derive.py    -> report/, compare/
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

from vlmbench.errors import DataError
from vlmbench.raster import decode_raster, drawing_kind

if TYPE_CHECKING:
    import PIL.Image

SCHEMA_VERSION = 2
"""Of a run's files. 2: a journal holds all that is needed to score it again."""

Scalar: TypeAlias = str | int | float | bool | None
"""A value that JSON and a slice name can hold."""


def stable_hash(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of the canonical JSON of `value`."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image (PNG, JPEG, WebP ...), decoded only when somebody needs pixels."""

    data: bytes = field(repr=False)
    """The file's bytes, untouched."""
    source: str = "image"
    """Where it came from, for error messages; never used as a path."""
    name: str = ""
    """The file's name in the data, where that has one; never used as a path."""
    digest: str = field(init=False)
    """First 16 hex digits of the SHA-256 of `data`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.data).hexdigest()[:16])

    @classmethod
    def absent(cls, digest: str) -> Image:
        """An image of which only the digest is known, for requests that are never sent."""
        image = cls(b"")
        object.__setattr__(image, "digest", digest)
        return image

    def decode(self) -> PIL.Image.Image:
        """The upright RGB picture; transparent parts become white, deep pixels scaled to 8 bits.

        Raises:
            DataError: The bytes are not a raster picture that Pillow can read whole.
        """
        if (kind := drawing_kind(self.data)) is not None:
            raise DataError(
                f"The image in {self.source} is {kind}, and only raster pictures are read; save it "
                "as PNG or leave the sample out."
            )
        try:
            return decode_raster(self.data)
        except Exception as error:  # Pillow's decoders raise nearly anything on broken files
            reason = re.sub(" ?<[^>]*BytesIO[^>]*>", "", f"{type(error).__name__}: {error}")
            raise DataError(
                f"The image in {self.source} cannot be read ({reason.strip()[:120]}); "
                "replace it or leave the sample out."
            ) from error


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a task."""

    id: str
    """Unique within the task; results are matched by it."""
    images: tuple[Image, ...]
    references: tuple[str, ...]
    """Accepted answers; never empty."""
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The raw columns (images left out), for the prompt template."""
    choices: tuple[str, ...] = ()
    """The options of a multiple-choice question, in order."""
    meta: Mapping[str, Scalar] = field(default_factory=dict)
    """Fields that slices and `where:` conditions look at."""
    cluster: str = ""
    """What samples share that are not independent: by default a digest of their images, so that
    all questions about one image are one cluster. Empty while images were not read."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """A stretch of prompt text."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image, standing where the prompt puts it."""

    image: Image


Part: TypeAlias = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer is generated; greedy unless a temperature is given."""

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    """Used only when sampling."""
    stop: tuple[str, ...] = ()
    """Strings at which the answer is cut; they are not part of it."""


@lru_cache(maxsize=64)
def _arguments(generation: Generation) -> dict[str, Any]:
    """The arguments as JSON values; all requests of a task have the same ones."""
    return asdict(generation)


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked: text and images in the order in which it shall see them."""

    sample_id: str
    parts: tuple[Part, ...]
    generation: Generation
    system: str | None = None
    content_hash: str = field(init=False, compare=False)
    """Hash of the rendered prompt, the image digests and the generation arguments."""

    def __post_init__(self) -> None:
        parts = [
            ["text", part.text] if isinstance(part, TextPart) else ["image", part.image.digest]
            for part in self.parts
        ]
        arguments = _arguments(self.generation)
        object.__setattr__(self, "content_hash", stable_hash([self.system, parts, arguments]))

    @property
    def images(self) -> tuple[Image, ...]:
        """The images in order of appearance."""
        return tuple(part.image for part in self.parts if isinstance(part, ImagePart))

    def system_after(self, first: str | None) -> str | None:
        """The system prompt with a model's own before it; None if there is neither."""
        return "\n\n".join(text for text in (first, self.system) if text) or None

    @property
    def key(self) -> str:
        """What identifies this request in a journal: the sample's id and the content's hash."""
        return f"{self.sample_id}#{self.content_hash}"


@dataclass(frozen=True, slots=True)
class JournalSample:
    """What a journal's line keeps of a sample, beside the response to it."""

    index: int
    """Position in the data, from 0."""
    prompt: tuple[str | ImageRef, ...]
    """What the model saw: texts, and references to images where images stood."""
    images: tuple[str, ...]
    """Digests of the sample's own images in the order in which the task's prompt shows them,
    whatever a variant showed in their place."""
    references: tuple[str, ...]
    choices: tuple[str, ...]
    meta: Mapping[str, Scalar]
    cluster: str

    @property
    def question(self) -> str:
        """The prompt as one text, with `<image>` for each image that stands behind a text."""
        parts = [*self.prompt]
        while parts and isinstance(parts[0], ImageRef):
            parts.pop(0)
        return "".join(part if isinstance(part, str) else "<image>" for part in parts)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image in a journal's prompt."""

    image: str
    """`Image.digest`."""


ErrorKind: TypeAlias = Literal[
    "image", "data", "too_long", "out_of_memory", "rejected", "unavailable", "timeout", "runner"
]


@dataclass(frozen=True, slots=True)
class ResponseError:
    """Why there is no answer. Never scored; retried when the run is resumed."""

    kind: ErrorKind
    message: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, or the error that stands in its place: exactly one of the two is set."""

    sample_id: str
    key: str
    """`Request.key` of the request it answers."""
    text: str | None = None
    error: ResponseError | None = None
    finish: Literal["stop", "length"] | None = None
    """`length` when the answer was cut at `max_new_tokens`."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None
    """Wall time of the batch it was generated in, or of the call to a server."""
    first_token_seconds: float | None = None
    """From the call to the first piece of the answer, where it was streamed."""
    cached: bool | None = None
    """True where the answer was not generated but found in the cache."""

    def __post_init__(self) -> None:
        if (self.text is None) == (self.error is None):
            raise ValueError("a response has either a text or an error")


class MetricScore(NamedTuple):
    """What one metric says of one answer: an additive vector, or why there is none.

    A tuple, because there are millions of them.
    """

    vector: tuple[float, ...] | None = None
    unscored: str | None = None
    """Reason, such as "no number found"; such a sample is counted apart, not as zero."""
    extracted: str | None = None
    """What the metric read out of the answer, where it extracts something."""


@dataclass(frozen=True, slots=True)
class SampleScores:
    """A line of scores.jsonl."""

    __pydantic_config__: ClassVar = {"allow_inf_nan": False}
    """A file that says NaN is damaged: none is ever written."""

    id: str
    key: str
    slices: Mapping[str, Scalar]
    scores: Mapping[str, MetricScore]
    """By the metric's id in the task. A metric whose `where:` leaves the sample out is absent."""
    error: ErrorKind | None = None
    """Set when the model gave no answer; `scores` is empty then."""
    cluster: str = ""
    """See `Sample.cluster`."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value on a task or on a slice of it, with what is needed to trust it."""

    metric: str
    slice: Mapping[str, Scalar] | None
    """None for the whole task, otherwise {field: value}."""
    value: float | None
    """None when nothing could be scored."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    n: int
    """Samples that the value rests on."""
    unscored: int
    """Samples that were answered but that the metric could not score."""
    headline: bool
    signature: str
    """Metric with its own version, options, tokenizer, dictionary. Compare only equal ones."""
    bounds: tuple[float, float] | None = None
    """Lowest and highest value that the missing samples still allow; None if none is missing
    or the metric has no fixed range."""
    clusters: int = 0
    """Independent clusters that the samples are in; as many as samples where each is its own."""
    method: str = ""
    """How the interval was made, such as "Wilson"."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a task has been answered."""

    total: int
    answered: int
    errors: Mapping[str, int]
    """Number of samples by error kind."""

    @property
    def complete(self) -> bool:
        """Whether every sample has an answer."""
        return self.answered == self.total


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """What the guard of vlmbench's trainer found of a task in the data a model was trained on."""

    compared: bool
    """Whether all of the data was compared with this task."""
    rows: Mapping[str, int]
    """Training rows that were learned from, by kind: `leak` (same picture and question),
    `picture`, `listed` (perhaps the same picture), `text`."""
    dropped: int
    """Training rows that were left out because they showed evaluation data, of any task."""
    seen: tuple[str, ...]
    """Ids of the samples whose picture, or text if they have none, was learned from."""
    parent: str | None = None
    """Location of the model that the last training started from."""


def other_size(task: str, items: int | None, samples: int | None) -> str | None:
    """The sentence for data of another size than its card says; None if the two agree.

    Args:
        task: Its name.
        items: Published number, None where none is known.
        samples: How many the data has, None where that is not known.
    """
    if items is None or samples is None or items == samples:
        return None
    return (
        f"The data of {task} has {samples:,} samples where its card says {items:,} items, so it is "
        "a part or another version of what was published."
    )


@dataclass(frozen=True, slots=True)
class RunRecord:
    """run.json: one model on one task."""

    model: str
    """Display name, also the directory name under the output directory."""
    task: str
    model_spec: Mapping[str, Any]
    """Runner, location, revision, dtype and options: enough to load the model again."""
    task_spec: Mapping[str, Any]
    """Title, capability, language, licence and data location of the task."""
    fingerprints: Mapping[str, str]
    """`model`, `task`, `data`, `prompt` and `code`; `variant` where there is one."""
    estimates: tuple[Estimate, ...]
    coverage: Coverage
    performance: Mapping[str, float | None]
    """See performance.py."""
    environment: Mapping[str, Scalar]
    """Versions of Python and packages, platform, device."""
    seed: int
    created: str
    """ISO 8601, UTC."""
    limit: int | None = None
    """`--limit`: the run covers a part of so many samples of the task; None for all of it."""
    available: int | None = None
    """Samples of the task, of which a limit leaves a part; None in older records."""
    drawn: str | None = None
    """Hash of the positions of the samples that a limit leaves: equal for the same part. None
    without a limit, and in older records, where it left the first ones."""
    without_image: int = 0
    """Samples whose row holds no image, in a task that shows images."""
    variant: str | None = None
    """How the questions were asked otherwise, such as blind; None for the task as it is."""
    overlap: TrainingOverlap | None = None
    """None for a model that vlmbench did not train."""
    clean: tuple[Estimate, ...] = ()
    """The headline metrics on the samples that training did not see; empty if it saw none."""
    schema_version: int = SCHEMA_VERSION

    @property
    def other_size(self) -> str | None:
        """The sentence for data that is not as large as the task's card says."""
        return other_size(self.task, self.task_spec.get("items"), self.available)

    @property
    def part(self) -> str | None:
        """How much of the task was asked, such as "20 of 315"; None for all of it."""
        if self.limit is None:
            return None
        whole = "?" if self.available is None else f"{self.available:,}"
        return f"{self.coverage.total:,} of {whole}"

    @property
    def title(self) -> str:
        """The task, and the variant behind an @: also the name of the run's directory."""
        return self.task if self.variant is None else f"{self.task}@{self.variant}"
