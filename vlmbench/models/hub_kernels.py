"""Compiled code of the Hub that a checkpoint's config can name: kernels for attention and experts.

transformers fetches and runs such kernels while it makes the model, without asking, where the
package `kernels` is installed. So they are looked for before, and need --trust-remote-code.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from typing import Any

from vlmbench.errors import ModelError

OPTION = "hub_kernels"
"""In `ModelSpec.options`: the kernels that a checkpoint names may run."""

_OF_PACKAGES = {
    "flash_attention_2": "flash_attn",
    "flash_attention_3": "flash_attn_interface",
    "flash_attention_4": "flash_attn.cute",
    "deepgemm": "deep_gemm",
    "sonicmoe": "sonicmoe",
}
"""Names for which transformers takes a kernel of the Hub where their own package is missing."""

_KEY = re.compile(r"(attn|attention|experts?)_implementation")


def kernels_named(config: Mapping[str, Any]) -> list[str]:
    """The kernels of the Hub that a config.json names, in itself or in the configs inside it."""
    return list(dict.fromkeys(name for name in _implementations(config) if is_kernel(name)))


def is_kernel(name: str) -> bool:
    """Whether the name of an implementation stands for code of the Hub on this machine."""
    name = name.rpartition("|")[2]  # as in paged|org/name
    if "/" in name:
        return True
    package = _OF_PACKAGES.get(name)
    return package is not None and not _is_installed(package) and _is_installed("kernels")


def refuse_kernels(names: list[str], location: str, *, instead: str) -> None:
    """Say that a checkpoint names kernels which nobody allowed.

    Args:
        instead: What else to do, as an imperative.

    Raises:
        ModelError: It names some.
    """
    if names:
        raise ModelError(
            f"The config.json of {location} names code of the Hugging Face Hub ({', '.join(names)})"
            ", which --trust-remote-code would run on this machine with your rights; read that "
            f"code and add the flag, or {instead}."
        )


def refuse_kernels_of(source: str, revision: str | None = None) -> None:
    """See that a part of a model or of a metric names no code of the Hub; no flag allows it there.

    Args:
        source: A directory or a model of the Hub.

    Raises:
        ModelError: Its config.json names some.
    """
    import transformers

    config, _ = transformers.PreTrainedConfig.get_config_dict(source, revision=revision)
    if names := kernels_named(config):
        raise ModelError(
            f"The config.json of {source} names code of the Hugging Face Hub ({', '.join(names)}), "
            "which would run on this machine with your rights; take that name out of a copy of it."
        )


def _implementations(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and _KEY.search(key):
                yield from _texts(inner)
            else:
                yield from _implementations(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _implementations(inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):  # by part of the model
        for inner in value.values():
            yield from _texts(inner)


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of a package around it
        return False
