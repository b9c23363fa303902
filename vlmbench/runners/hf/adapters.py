"""Adapters of peft: their weights beside a model's own, and their files for prompts."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlmbench.errors import DependencyError, ModelError

WEIGHTS_FILE = "adapter_model.safetensors"

PROMPT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.jinja",
    "chat_template.json",
)
"""What trainers save beside an adapter, because it was trained on prompts made with it."""

_EMBEDDINGS = ("embed_tokens", "wte", "tok_embeddings", "lm_head")
_ROWS = (".weight", ".base_layer.weight", ".original_module.weight")


def import_peft(needed_by: str) -> Any:
    """The package peft.

    Args:
        needed_by: How the error begins, such as "LoRA adapters need".

    Raises:
        DependencyError: It is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise DependencyError(f"{needed_by} peft; install it with pip install peft.")
    import peft

    return peft


def add_adapter(model: Any, folder: str, tokenizer: Any = None) -> None:
    """Put an adapter's weights beside the model's own.

    They are not merged into them, which would round in half precision.

    Args:
        tokenizer: The one that prompts are made with, whose tokens must have embeddings.

    Raises:
        DependencyError: peft is not installed.
        ModelError: The adapter was made for another model, is incomplete, or of a kind that does
            more than change weights.
    """
    peft = import_peft(f"The adapter {folder} needs")
    try:
        config = peft.PeftConfig.from_pretrained(folder)
        made_for = (config.auto_mapping or {}).get("base_model_class", type(model).__name__)
        if made_for != type(model).__name__:
            raise ValueError(f"it was made for a {made_for}")
    except Exception as error:  # peft raises anything on files that are not as they should be
        raise _misfit(model, folder, str(error)) from error
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    if config.is_prompt_learning or getattr(config, "alora_invocation_tokens", None):
        kind = kind if config.is_prompt_learning else "activated LoRA"
        raise ModelError(
            f"The adapter {Path(folder)} is of the kind {kind}, which changes prompts and not only "
            "weights, and cannot be used here; merge it into its model first."
        )
    rows = embedding_rows(folder)
    if tokenizer is not None:
        _check_tokens(model, folder, tokenizer, rows)
    if rows is not None and rows != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows, mean_resizing=False)  # the file fills them
    try:
        # In place: what is put around the model is not needed, as the layers inside are changed.
        with without_peft_warnings():
            wrapped = peft.PeftModel(model, config, autocast_adapter_dtype=False)
            report = wrapped.load_adapter(folder, "default", autocast_adapter_dtype=False)
    except Exception as error:
        raise _misfit(model, folder, _reason(error)) from error
    missing = sorted(map(str, report.missing_keys))
    if missing:
        raise _misfit(model, folder, f"it has no weights for {missing[0]}")
    if report.unexpected_keys:
        raise _misfit(model, folder, f"the model has no {min(report.unexpected_keys)}")


@contextmanager
def without_peft_warnings() -> Iterator[None]:
    """Leaves out that peft asks transformers by a name that is getting old."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def embedding_rows(folder: str | Path) -> int | None:
    """How many tokens the embeddings in an adapter's file are of; None where it holds none."""
    file = Path(folder) / WEIGHTS_FILE
    if not file.is_file():
        return None
    from safetensors import safe_open

    with safe_open(file, "pt") as weights:
        for name in weights.keys():  # noqa: SIM118 - it is no dictionary
            module = next((name.removesuffix(one) for one in _ROWS if name.endswith(one)), "")
            if module.rpartition(".")[2] in _EMBEDDINGS:
                return int(weights.get_slice(name).get_shape()[0])
    return None


def prompt_files(folder: str | Path) -> list[str]:
    """The files in an adapter's directory that say how its prompts are made."""
    return [name for name in PROMPT_FILES if (Path(folder) / name).is_file()]


def own_template(folder: str | Path) -> str | None:
    """The chat template in an adapter's directory; None where there is none.

    Raises:
        ModelError: A file that may hold it cannot be read.
    """
    written = Path(folder) / "chat_template.jinja"
    if written.is_file():
        try:
            return written.read_text(encoding="utf-8")
        except ValueError as error:
            raise ModelError(f"{written} is not UTF-8; restore it.") from error
    for name in ("chat_template.json", "tokenizer_config.json"):
        path = Path(folder) / name
        if not path.is_file():
            continue
        try:
            template = json.loads(path.read_bytes()).get("chat_template")
            if isinstance(template, list):  # several, by name
                named = {one.get("name"): one.get("template") for one in template}
                template = named.get("default")
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise ModelError(f"{path} is not as it should be; restore it.") from error
        if isinstance(template, str):
            return template
    return None


def with_prompt_files(auto: Any, config: Any, processor: Any, folder: str | Path) -> Any:
    """The base model's processor or tokenizer with what the adapter's directory has in its place.

    Args:
        auto: The class of transformers that loads it.
        config: The base model's.
    """
    names = prompt_files(folder)
    if not names:
        return processor
    with tempfile.TemporaryDirectory() as place:
        config.save_pretrained(place)
        processor.save_pretrained(place)
        for name in names:
            shutil.copyfile(Path(folder) / name, Path(place) / name)
        return auto.from_pretrained(place, trust_remote_code=False)


def _check_tokens(model: Any, folder: str, tokenizer: Any, rows: int | None) -> None:
    """See that every token of the tokenizer has an embedding."""
    there = rows or model.get_input_embeddings().weight.shape[0]
    last = max(tokenizer.get_vocab().values(), default=-1)
    if last >= there and prompt_files(folder):
        raise ModelError(
            f"The adapter {Path(folder)} brings a tokenizer of {last + 1} tokens, and there are "
            f"embeddings for {there}; save it with its embeddings "
            "(save_pretrained(…, save_embedding_layers=True))."
        )


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no weights for {error.args[0] if error.args else error}"
    return str(error)


def _misfit(model: Any, folder: str, reason: str) -> ModelError:
    reason = " ".join(reason.split()).rstrip(".")[:200]
    return ModelError(
        f"The adapter {Path(folder)} does not fit the {type(model).__name__} ({reason}); give the "
        "model that it was trained on."
    )
