"""What `--model` names -> ModelSpec: where a model is and how it is run.

tiny-ja, qwen2-vl-2b ...   an alias of models.yaml
hf:org/name[@revision]     any model of the Hugging Face Hub that transformers loads
path/to/checkpoint         a directory, such as the trainer writes
baseline:oracle ...        an answer without a model, to compare with
openai:NAME                a service or server with an OpenAI-compatible interface
served:SERVER:MODEL        a server that vlmbench starts, and the model it loads
PLUGIN:LOCATION            whatever a runner of another package makes of it
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from vlmbench.endpoints import api_options, known_servers, served_options
from vlmbench.errors import ModelError, UsageError, near_names, unknown_name
from vlmbench.plugins import package_of, plugin_runners
from vlmbench.records import stable_hash
from vlmbench.runs import safe_name
from vlmbench.schema import Strict, parse, read_yaml

DTYPES = ("auto", "float32", "bfloat16", "float16")
"""`auto`: float32 on a CPU, the checkpoint's own elsewhere."""

PACKAGED = "embedded:"
"""Begins the location of a checkpoint that ships with vlmbench, wherever that is installed."""

DEVICES = ("auto", "cuda", "mps", "cpu")

BASELINES: Mapping[str, str] = {
    "majority": "the most frequent reference of the task",
    "blind-majority": "the most frequent reference among questions of the same kind",
    "random": "one of the choices, or another sample's reference, drawn with the seed",
    "oracle": "the first reference: the upper end of every metric",
    "scripted": "answers from a file, baseline:scripted:FILE.jsonl with {id, text} a line",
}

_UNHASHED = frozenset({"trainer_state.json", "training_args.bin", "optimizer.bin"})
_HASHED_SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt", ".safetensors", ".bin"})
_WHOLE_FILE = 64 * 2**20
_BLOCKS, _BLOCK_SIZE = 256, 2**16


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything a runner needs to load a model; two equal fingerprints answer alike."""

    name: str
    """Display name, safe as a directory name."""
    runner: str
    location: str
    """Hub id, checkpoint directory as it was given, `embedded:NAME`, kind of baseline, or the
    name by which a server knows the model."""
    fingerprint: str
    """Hash of what decides the answers; a directory's name is not part of it."""
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    """cuda, mps, cpu or auto; not part of the fingerprint."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """For the runner, such as a chat template; JSON values."""

    @property
    def loads_weights(self) -> bool:
        """Whether a process that runs it loads the model's weights."""
        return self.runner in ("hf", "remote_code")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a journal or a run record."""
        return asdict(self)


class ModelEntry(Strict):
    """An alias in models.yaml."""

    runner: Literal["hf"] = "hf"
    hub: str | None = None
    """`org/name`."""
    embedded: str | None = None
    """A checkpoint directory that ships in the package."""
    family: str
    revision: str | None = None
    text_only: bool = False
    """A language model: it is asked without the images, as a blind reference."""
    remote_code: bool = False
    """Needs the model's own Python code, which vlmbench does not run yet."""
    chat_template: str | None = None
    """For checkpoints that bring none, or whose own says something else than their card."""
    attn_implementation: str | dict[str, str] | None = None
    note: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> ModelEntry:
        if (self.hub is None) == (self.embedded is None):
            raise ValueError("give either 'hub' or 'embedded'")
        return self

    @property
    def location(self) -> str:
        """Where the model is, for people."""
        return self.hub or f"{self.embedded} (in the package)"


class _ModelsFile(Strict):
    models: dict[str, ModelEntry] = Field(min_length=1)


@cache
def known_models() -> Mapping[str, ModelEntry]:
    """The aliases of models.yaml, in its order."""
    path = Path(__file__).with_name("models.yaml")
    return parse(_ModelsFile, read_yaml(path), where=str(path)).models


def resolve_model(
    text: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> ModelSpec:
    """What `--model` names.

    Args:
        text: An alias, `hf:org/name[@revision]`, `baseline:KIND`, `openai:NAME`,
            `served:SERVER:MODEL`, `PLUGIN:LOCATION` or a checkpoint directory.
        dtype: One of DTYPES.
        device: One of DEVICES.
        seed: Decides the answers of the random baseline; models do not see it.
        options: For the runner; see `endpoints`.

    Raises:
        UsageError: There is no such model, or it takes no options.
        ConfigError: An option is unknown or wrong.
        ModelError: The directory holds no checkpoint, or the model needs its own code.
    """
    given = options or {}
    prefix, _, rest = text.partition(":")
    if prefix == "openai":
        return _openai(rest, given)
    if prefix == "served":
        return _served(rest, dtype, device, given)
    if rest and prefix in plugin_runners():
        return replace(_plugin(prefix, rest, dtype, given), device=device)
    if given:
        raise UsageError(
            f"The model '{text}' takes no option '{next(iter(given))}'; leave that out, or run "
            "the model by itself."
        )
    return replace(_resolve(text, dtype, seed), device=device)


def _resolve(text: str, dtype: str, seed: int) -> ModelSpec:
    if text.startswith("baseline:"):
        return _baseline(text.removeprefix("baseline:"), seed)
    if text.startswith("hf:"):
        location, _, revision = text.removeprefix("hf:").partition("@")
        return _hub_model(safe_name(location), location, revision or None, dtype, {})
    if text in known_models():
        return _alias(text, known_models()[text], dtype)
    if Path(text).is_dir():
        return _checkpoint(_directory_name(Path(text)), text, Path(text), dtype, {})
    raise UsageError(_unknown_model(text))


def _openai(name: str, given: Mapping[str, Any]) -> ModelSpec:
    if not name:
        raise UsageError("A model is missing; write openai:NAME as the service calls it.")
    options = api_options(name, given)
    return ModelSpec(
        name=safe_name(name),
        runner="openai_api",
        location=name,
        fingerprint=stable_hash(["openai_api", name, options.identity()]),
        options=options.as_dict(),
    )


def _served(text: str, dtype: str, device: str, given: Mapping[str, Any]) -> ModelSpec:
    server, _, model = text.partition(":")
    options = served_options(server, given)
    if not model or model.startswith("-"):
        raise UsageError(f"A model is missing in 'served:{text}'; write served:{server}:MODEL.")
    for name, value in (("dtype", dtype), ("device", device)):
        if value != "auto" and not known_servers()[server].takes(name):
            raise UsageError(
                f"The server '{server}' takes no --{name}; leave it out, or say it in the "
                "server's own words with --server-args."
            )
    location, identity = _served_model(model)
    return ModelSpec(
        name=safe_name(f"{_served_name(model)}-{server}"),
        runner="served",
        location=location,
        fingerprint=stable_hash(["served", identity, dtype, options.identity()]),
        dtype=dtype,
        device=device,
        options=options.as_dict(),
    )


def _served_model(model: str) -> tuple[str, Any]:
    """Where a served model is, and what tells its content: an alias, a path or a name."""
    entry = known_models().get(model)
    if entry is not None:
        if entry.hub is not None:
            return entry.hub, entry.hub
        model = f"{PACKAGED}{entry.embedded}"
    path = model_path(model)
    if path.is_dir():
        return model, _directory_digest(path)
    if path.is_file():
        return model, _file_digest(path)
    if model.startswith((".", "/", "~")):
        raise UsageError(f"There is no file or directory '{model}'; correct the path.")
    return model, model


def _served_name(model: str) -> str:
    path = Path(model)
    return _directory_name(path) if path.is_dir() else path.stem if path.is_file() else model


def _plugin(runner: str, location: str, dtype: str, given: Mapping[str, Any]) -> ModelSpec:
    package = package_of(plugin_runners()[runner])
    return ModelSpec(
        name=safe_name(f"{runner}-{location}"),
        runner=runner,
        location=location,
        fingerprint=stable_hash([package, runner, location, dtype, dict(given)]),
        dtype=dtype,
        options=dict(given),
    )


def model_path(location: str) -> Path:
    """The directory that a ModelSpec's location stands for; it may not exist."""
    if location.startswith(PACKAGED):
        return Path(__file__).parent / "embedded" / location.removeprefix(PACKAGED)
    return Path(location)


def _unknown_model(text: str) -> str:
    if text.startswith((".", "/", "~")) or text.count("/") > 1:
        return f"There is no directory '{text}'; give the path of a checkpoint directory."
    prefix, _, rest = text.partition(":")
    prefixes = ("baseline", "hf", "openai", "served", *plugin_runners()) if rest else ()
    known = [
        *known_models(),
        *(f"baseline:{kind}" for kind in BASELINES),
        *(f"{near}:{rest}" for near in near_names(prefix, prefixes)),
    ]
    hub = f"write 'hf:{text}' for a model of the Hub" if "/" in text else "give hf:org/name"
    return unknown_name(
        "model",
        text,
        known,
        next_step=f"see 'vlmbench models list', {hub}, or give a checkpoint directory",
    )


def _baseline(text: str, seed: int) -> ModelSpec:
    kind, _, file = text.partition(":")
    if kind not in BASELINES:
        raise UsageError(
            unknown_name("baseline", kind, BASELINES, next_step="see 'vlmbench models list'")
        )
    if kind == "scripted":
        return _scripted(file)
    if file:
        raise UsageError(f"The baseline '{kind}' takes no file; write 'baseline:{kind}'.")
    options = {"seed": seed} if kind == "random" else {}
    return ModelSpec(
        name=f"baseline-{kind}",
        runner="baseline",
        location=kind,
        fingerprint=stable_hash(["baseline", kind, options]),
        options=options,
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
        fingerprint=stable_hash(["scripted", _file_digest(path)]),
        options={"file": file},
    )


def _alias(name: str, entry: ModelEntry, dtype: str) -> ModelSpec:
    if entry.remote_code:
        raise ModelError(
            f"The model '{name}' needs its own Python code ({entry.location}), which vlmbench "
            "does not run; choose a model that 'vlmbench models list' does not mark so."
        )
    options: dict[str, Any] = {}
    if entry.text_only:
        options["text_only"] = True
    if entry.chat_template is not None:
        options["chat_template"] = entry.chat_template
    if entry.attn_implementation is not None:
        options["attn_implementation"] = entry.attn_implementation
    if entry.embedded is not None:
        location = f"{PACKAGED}{entry.embedded}"
        return _checkpoint(name, location, model_path(location), dtype, options)
    assert entry.hub is not None  # ModelEntry holds one of the two
    return _hub_model(name, entry.hub, entry.revision, dtype, options)


def _hub_model(
    name: str, location: str, revision: str | None, dtype: str, options: dict[str, Any]
) -> ModelSpec:
    if location.count("/") != 1 or not all(location.split("/")):
        raise UsageError(f"'{location}' is not a Hub id; write hf:org/name.")
    return ModelSpec(
        name=name,
        runner="hf",
        location=location,
        fingerprint=stable_hash(["hf", location, revision, dtype, options]),
        revision=revision,
        dtype=dtype,
        options=options,
    )


def _checkpoint(
    name: str, location: str, folder: Path, dtype: str, options: dict[str, Any]
) -> ModelSpec:
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"There is no config.json in {folder}; give the directory of a checkpoint as "
            "'save_pretrained' or 'vlmbench train' writes it."
        )
    return ModelSpec(
        name=name,
        runner="hf",
        location=location,
        fingerprint=stable_hash(["directory", _directory_digest(folder), dtype, options]),
        dtype=dtype,
        options=options,
    )


def _directory_name(folder: Path) -> str:
    """The directory's name; with its parent's where it says only which step it is."""
    folder = folder.resolve()
    generic = folder.name.startswith("checkpoint-") or folder.name in ("final", "last", "best")
    return safe_name(f"{folder.parent.name}-{folder.name}" if generic else folder.name)


def _directory_digest(folder: Path) -> list[list[str]]:
    try:
        return [
            [path.name, _file_digest(path)]
            for path in sorted(folder.iterdir())
            if path.suffix in _HASHED_SUFFIXES and path.name not in _UNHASHED and path.is_file()
        ]
    except OSError as error:
        raise ModelError(
            f"The checkpoint {folder} cannot be read ({error.strerror}); check its permissions."
        ) from error


def _file_digest(path: Path) -> str:
    """SHA-256 of a file; of its size and evenly spaced blocks where it is large.

    Two checkpoints of one training have equal sizes and headers, so weights are sampled too.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        if size <= _WHOLE_FILE:
            return hashlib.file_digest(handle, "sha256").hexdigest()
        digest = hashlib.sha256(str(size).encode())
        for block in range(_BLOCKS):
            handle.seek(block * (size - _BLOCK_SIZE) // (_BLOCKS - 1))
            digest.update(handle.read(_BLOCK_SIZE))
        return digest.hexdigest()
