"""What `--model` names -> ModelSpec: where a model is and how it is run.

tiny-ja, qwen2-vl-2b ...   an alias of models.yaml
hf:org/name[@revision]     any model of the Hugging Face Hub that transformers loads
path/to/checkpoint         a directory, such as the trainer writes, or one of a LoRA adapter
baseline:oracle ...        an answer without a model, to compare with
openai:NAME                a service or server with an OpenAI-compatible interface
served:SERVER:MODEL        a server that vlmbench starts, and the model it loads
PLUGIN:LOCATION            whatever a runner of another package makes of it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from vlmbench.errors import ModelError, UsageError, near_names, unknown_name
from vlmbench.models.baselines import BASELINES, baseline_model
from vlmbench.models.checkpoints import (
    CONFIG_FILE,
    PACKAGED,
    adapter_base,
    directory_digest,
    directory_name,
    model_path,
    read_config,
    served_gguf,
)
from vlmbench.models.endpoints import SERVER_OPTIONS
from vlmbench.models.families import family, family_key
from vlmbench.models.hf_options import ADAPTER_FILE, HFOptions, hf_options
from vlmbench.models.plugins import plugin_runners
from vlmbench.models.servers import openai_model, plugin_model, served_model
from vlmbench.models.spec import ModelSpec as ModelSpec
from vlmbench.models.training_data import trained_max_pixels
from vlmbench.records import stable_hash
from vlmbench.runs.directory import safe_name
from vlmbench.schema import Strict, parse, read_yaml

DTYPES = ("auto", "float32", "bfloat16", "float16")
"""`auto`: float32 on a CPU, the checkpoint's own elsewhere."""

DEVICES = ("auto", "cuda", "mps", "cpu")

COMMIT = re.compile(r"[0-9a-f]{40}")

DEFAULT_RECIPE = "chat"
"""For code of no known family: a processor with a chat template, as most have."""

NOT_WITH_CODE = ("attention", "quantization", "adapter", "min_pixels", "max_pixels")
"""Options that only models which transformers itself loads can take."""


class ModelEntry(Strict):
    """An alias in models.yaml."""

    hub: str | None = None
    """`org/name`."""
    embedded: str | None = None
    """A checkpoint directory that ships in the package."""
    family: str
    """A key of families.yaml, or what the family is called."""
    revision: str | None = None
    remote_code: bool = False
    """Needs the Python code that its repository brings."""
    chat_template: str | None = None
    """For checkpoints that bring none, or whose own says something else than their card."""
    licence: str | None = None
    """Of the weights, as their card says; None where that was not checked."""
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
    return parse(_ModelsFile, read_yaml(path), location=str(path)).models


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
        text: An alias, `hf:org/name`, either with `@revision`, `baseline:KIND`, `openai:NAME`,
            `served:SERVER:MODEL`, `PLUGIN:LOCATION` or a checkpoint directory.
        seed: Decides the answers of the random baseline; models do not see it.
        options: For the runner; see `endpoints` and `hf_options`. Baselines pass over them.

    Raises:
        UsageError: There is no such model, or it cannot take an option.
        ConfigError: An option is unknown or wrong.
        ModelError: The directory holds no checkpoint, or the model needs its own code.
    """
    for kind, value, known in (("dtype", dtype, DTYPES), ("device", device, DEVICES)):
        if value not in known:
            raise UsageError(unknown_name(kind, value, known, next_step=f"use {', '.join(known)}"))
    given = options or {}
    prefix, _, rest = text.partition(":")
    if prefix == "openai":
        return openai_model(rest, given)
    if prefix == "served":
        return served_model(rest, dtype, device, given, locate=_locate)
    if rest and prefix in plugin_runners():
        return replace(plugin_model(prefix, rest, dtype, given), device=device)
    foreign = next((name for name in given if name in SERVER_OPTIONS), None)
    if foreign is not None:
        raise UsageError(
            f"The model '{text}' takes no option '{foreign}'; leave that out, or run the model by "
            "itself."
        )
    of_checkpoint = hf_options(given)
    if of_checkpoint.device_map is not None and device != "auto":
        raise UsageError(f"'--device-map auto' chooses the devices; leave out '--device {device}'.")
    return replace(_resolve(text, dtype, seed, of_checkpoint), device=device)


def _resolve(text: str, dtype: str, seed: int, given: HFOptions) -> ModelSpec:
    given = _as_trained(given)
    if text.startswith("baseline:"):
        return baseline_model(text.removeprefix("baseline:"), seed)
    name, _, revision = text.removeprefix("hf:").partition("@")
    if text.startswith("hf:"):
        return _hub_model(safe_name(name), name, revision or None, dtype, given)
    if name in known_models():
        return _alias(name, known_models()[name], revision or None, dtype, given)
    if Path(text).is_dir():
        return _checkpoint(directory_name(Path(text)), text, dtype, given)
    raise UsageError(_unknown_model(text))


def _locate(name: str) -> str:
    """Where an alias is; anything else is a place itself."""
    entry = known_models().get(name)
    return name if entry is None else entry.hub or f"{PACKAGED}{entry.embedded}"


def _unknown_model(text: str) -> str:
    if text.endswith(".gguf") and Path(text).is_file():
        return f"{text} is no directory; {served_gguf(Path(text))}."
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


def _alias(
    name: str, entry: ModelEntry, revision: str | None, dtype: str, given: HFOptions
) -> ModelSpec:
    if entry.remote_code and not given.trust_remote_code:
        raise ModelError(
            f"The model '{name}' needs the Python code of {entry.location}, which "
            "--trust-remote-code would run on this machine with your rights; read that code, then "
            f"add the flag and name the commit that you read, as in '{name}@COMMIT'."
        )
    if entry.chat_template is not None:
        given = given.model_copy(update={"chat_template": entry.chat_template})
    if entry.embedded is not None:
        if revision is not None:
            raise UsageError(f"The model '{name}' ships with vlmbench and has no '@{revision}'.")
        return _checkpoint(name, f"{PACKAGED}{entry.embedded}", dtype, given)
    assert entry.hub is not None  # ModelEntry holds one of the two
    return _hub_model(name, entry.hub, revision or entry.revision, dtype, given)


def _hub_model(
    name: str, location: str, revision: str | None, dtype: str, given: HFOptions
) -> ModelSpec:
    if location.count("/") != 1 or not all(location.split("/")):
        raise UsageError(f"'{location}' is not a Hub id; write hf:org/name.")
    entry = next((one for one in known_models().values() if one.hub == location), None)
    # The flag alone does not make a model of a known family run somebody's code.
    with_code = entry.remote_code if entry is not None else given.trust_remote_code
    if with_code and given.trust_remote_code:
        if not COMMIT.fullmatch(revision or ""):
            raise UsageError(
                f"The code of {location} is run only at a commit that is named in full; write "
                "'@' and its 40 hexadecimal digits behind the model, as its page on the Hub "
                "shows them."
            )
        recipe = DEFAULT_RECIPE if entry is None else family(entry.family).recipe
        return _with_code(name, location, [location, revision], revision, recipe, dtype, given)
    return ModelSpec(
        name=name,
        runner="hf",
        location=location,
        fingerprint=stable_hash(["hf", location, revision, dtype, given.identity()]),
        revision=revision,
        dtype=dtype,
        options=given.as_dict(),
    )


def _checkpoint(name: str, location: str, dtype: str, given: HFOptions) -> ModelSpec:
    folder = model_path(location)
    if (folder / ADAPTER_FILE).is_file() and not (folder / CONFIG_FILE).is_file():
        return _adapter(name, location, dtype, given)
    config = read_config(folder)
    recipe = family(family_key(config)).recipe
    if given.trust_remote_code and (recipe or "auto_map" in config):
        content = directory_digest(folder, deep=True)
        return _with_code(name, location, content, None, recipe or DEFAULT_RECIPE, dtype, given)
    if recipe and "auto_map" not in config:  # its code is a package that is installed apart
        raise ModelError(
            f"The checkpoint {location} needs the Python code of its authors, which "
            "--trust-remote-code would run on this machine with your rights; read that code, then "
            "add the flag."
        )
    return ModelSpec(
        name=name,
        runner="hf",
        location=location,
        fingerprint=stable_hash(["directory", directory_digest(folder), dtype, given.identity()]),
        dtype=dtype,
        options=given.as_dict(),
    )


def _adapter(name: str, location: str, dtype: str, given: HFOptions) -> ModelSpec:
    """The model that an adapter directory was trained on, with the adapter."""
    if given.adapter is not None:
        raise UsageError(f"{location} is an adapter itself; leave out --adapter {given.adapter}.")
    base, revision = adapter_base(Path(location))
    given = _as_trained(given.model_copy(update={"adapter": location}))
    if model_path(base).is_dir():
        return _checkpoint(name, base, dtype, given)
    if base.count("/") == 1 and not base.startswith((".", "/", "~")):
        return _hub_model(name, base, revision, dtype, given)
    raise ModelError(
        f"The adapter {location} was trained on '{base}', which is not here; give that model's "
        f"directory with --model, and --adapter {location}."
    )


def _as_trained(given: HFOptions) -> HFOptions:
    """With the bound on pixels that an adapter was trained with, unless another one is given."""
    if given.adapter is None or given.max_pixels is not None:
        return given
    return given.model_copy(update={"max_pixels": trained_max_pixels(Path(given.adapter))})


def _with_code(
    name: str,
    location: str,
    content: Any,
    revision: str | None,
    recipe: str | None,
    dtype: str,
    given: HFOptions,
) -> ModelSpec:
    """A model that is asked through the Python code it brings."""
    if recipe is None:
        raise ModelError(
            f"There is no recipe for the code of '{name}' yet; add one to runners/remote_code/, "
            "or choose another model."
        )
    for option in NOT_WITH_CODE:
        if getattr(given, option) is not None:
            raise UsageError(
                f"The model '{name}' runs its own code, which takes no "
                f"--{option.replace('_', '-')}; leave that out."
            )
    options = given.as_dict() | {"recipe": recipe}
    return ModelSpec(
        name=name,
        runner="remote_code",
        location=location,
        fingerprint=stable_hash(["remote_code", content, dtype, given.identity(), recipe]),
        revision=revision,
        dtype=dtype,
        options=options,
    )
