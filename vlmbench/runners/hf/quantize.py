"""Weights in 8 or 4 bit, by bitsandbytes, while they are loaded.

Four bits are NF4 (Dettmers et al. 2023, arXiv:2305.14314), and only for the language model:
image encoders in four bits give nonsense.
"""

from __future__ import annotations

import copy
import importlib.util
from typing import TYPE_CHECKING, Any

from vlmbench.errors import DependencyError
from vlmbench.models.families import ModelFamily
from vlmbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch


def quantization(
    spec: ModelSpec, device: torch.device, kind: ModelFamily, auto: Any, config: Any
) -> dict[str, Any]:
    """Arguments of `from_pretrained`.

    Args:
        auto: The class that loads the model.
        config: The checkpoint's.

    Raises:
        DependencyError: bitsandbytes is not installed.
    """
    bits = spec.options.get("quantization")
    if bits is None:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise DependencyError(
            f"Weights in {bits} ('--quantization', or 'method: qlora') need bitsandbytes; install "
            "it with pip install 'vlmbench-ja[quantization]'."
        )
    import torch
    import transformers

    make_config: Any = transformers.BitsAndBytesConfig
    if bits == "8bit":
        return {"quantization_config": make_config(load_in_8bit=True)}
    with torch.device("meta"):
        outline = auto.from_config(copy.deepcopy(config))
    named = torch.bfloat16 if spec.dtype == "auto" else getattr(torch, spec.dtype)
    compute = torch.float32 if device.type == "cpu" and spec.dtype == "auto" else named
    return {
        "quantization_config": make_config(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=compute,
            llm_int8_skip_modules=kept_whole(kind, outline),
        )
    }


def compute_as_chosen(model: Any) -> None:
    """Keeps four-bit layers from computing in bfloat16 on CPUs that are fast at it.

    They would pack their weights for that at the first answer, after which no gradient passes.
    """
    for layer in model.modules():
        if getattr(layer, "support_avx512bf16_for_cpu", False):
            layer.support_avx512bf16_for_cpu = False


def kept_whole(kind: ModelFamily, model: Any) -> list[str] | None:
    """Modules whose weights are not kept in four bits: all but the language model's layers.

    None for transformers' choice, the output head, where the family's parts are not known.
    """
    if kind.parts is None:
        return None
    head = model.get_output_embeddings()
    return [
        *(*kind.parts.vision, *kind.parts.connector, *kind.parts.other),
        *(
            name
            for name, module in model.named_modules()
            if module is head or type(module).__name__ in kind.parts.connector_classes
        ),
    ]
