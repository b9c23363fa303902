"""What a checkpoint must bring, looked at before anything is asked of it.

transformers goes on without much of this: weights that a file lacks are drawn at random, a
tokenizer without its file knows no character, a template that fails does so with every request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmbench.errors import ModelError, UsageError, unknown_name
from vlmbench.models.checkpoints import model_path, weights_digest
from vlmbench.models.load_errors import first_line
from vlmbench.models.resolve import ModelSpec
from vlmbench.models.training_data import read_facts
from vlmbench.runners.hf.chat_template import render

EXAMPLE = "何色ですか。 a1"
"""Every tokenizer reads some of it."""

MOST_GROWTH = 1_000
"""Characters that a tokenizer may write in place of one; real ones write one or two."""


def check_attention(chosen: str | Mapping[str, str] | None) -> None:
    """See that transformers has an attention of this name; it may not suit the model.

    Raises:
        UsageError: It has none. So no name leads to code that the Hub would bring.
    """
    if chosen is None:
        return
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    known = ["sdpa", "eager", *(n for n in ALL_ATTENTION_FUNCTIONS.valid_keys() if n != "sdpa")]
    for name in [chosen] if isinstance(chosen, str) else chosen.values():
        if name not in known:
            raise UsageError(
                unknown_name("attention", name, known, next_step=f"use {', '.join(known)}")
            )


def check_weights(spec: ModelSpec, report: Mapping[str, Any]) -> None:
    """See that the files held every weight, each of the right shape.

    Raises:
        ModelError: They did not.
    """
    for name, held, wanted in sorted(report["mismatched_keys"]):
        raise ModelError(
            f"The weights of {spec.location} do not fit its config.json ({name} is "
            f"{_shape(held)} in the file and {_shape(wanted)} in the model); restore whichever of "
            "them was changed."
        )
    missing = sorted(report["missing_keys"])
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"The checkpoint {spec.location} lacks weights of the model ({missing[0]}{others}), "
            "which would be drawn at random; give a complete one."
        )


def _shape(size: Any) -> str:
    return " x ".join(map(str, size))


def check_adapter(spec: ModelSpec, folder: Path) -> None:
    """See that an adapter is put on the weights it was trained on, and holds all that was trained.

    Only checkpoint.json of our own trainer says these; other adapters pass.

    Raises:
        ModelError: The base is another, or the file lacks what was trained in full.
    """
    facts = read_facts(folder)
    if not isinstance(facts.get("base"), dict):
        return
    base, here = facts["base"], model_path(spec.location)
    was, now = base.get("weights"), weights_digest(here) if here.is_dir() else None
    place = base.get("location")
    moved = spec.location == place and spec.revision != base.get("revision")
    if moved or (was and now and was != now):
        raise ModelError(
            f"The adapter {folder} was trained on other weights ({place}) than those of "
            f"{spec.location}; give the model that it was trained on."
        )
    file = folder / "adapter_model.safetensors"
    wanted = facts.get("beside")
    if not wanted or not isinstance(wanted, list) or not file.is_file():
        return
    from safetensors import safe_open

    with safe_open(file, "pt") as weights:
        held = {name.removeprefix("base_model.model.") for name in weights.keys()}  # noqa: SIM118
    missing = [name for name in wanted if name not in held]
    if missing:
        raise ModelError(
            f"The adapter {folder} lacks {missing[0]}, which was trained in full beside it; "
            f"restore its {file.name}."
        )


def check_tokenizer(spec: ModelSpec, tokenizer: Any) -> None:
    """See that the tokenizer knows some characters, and does not make texts far longer.

    Raises:
        ModelError: It has no vocabulary, as where its files are missing; or it replaces a character
            by so many that the memory would be full.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    for part in ("normalizer", "decoder"):
        step = getattr(backend, part, None)
        if step is not None and _growth(json.loads(step.__getstate__())) > MOST_GROWTH:
            raise ModelError(
                f"The {part} of the tokenizer of {spec.location} makes texts more than "
                f"{MOST_GROWTH:,} times as long; restore its tokenizer.json."
            )
    if not tokenizer.tokenize(EXAMPLE):
        raise ModelError(
            f"The tokenizer of {spec.location} has no vocabulary; put its files (tokenizer.json "
            "and tokenizer_config.json) beside the weights."
        )


def _growth(step: Any) -> int:
    """How many characters at most a tokenizer's step writes in place of one."""
    if isinstance(step, list):
        return math.prod(map(_growth, step))
    if not isinstance(step, dict):
        return 1
    if step.get("type") == "Replace":
        return max(1, len(step["content"]))
    return math.prod(map(_growth, step.values()))


def check_chat_template(
    spec: ModelSpec, processor: Any, template: str, *, sees_images: bool
) -> None:
    """See that the chat template can write a question, with an image if the model sees any.

    Raises:
        ModelError: It cannot.
    """
    text = {"type": "text", "text": EXAMPLE}
    content = [{"type": "image"}, text] if sees_images else EXAMPLE
    try:
        prompt = render(processor, [{"role": "user", "content": content}], template)
    except ModelError:
        raise
    except Exception as error:  # jinja2's, or whatever the template itself raises
        raise ModelError(
            f"The chat template of {spec.location} fails at a plain question "
            f"({first_line(error)}); correct its chat_template.jinja."
        ) from error
    if "'type'" in prompt:  # it wrote the list down, as Python does
        raise ModelError(
            f"The chat template of {spec.location} is one for texts, and has no place for an "
            "image; put one that has into its chat_template.jinja."
        )
