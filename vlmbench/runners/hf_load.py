"""Loads any checkpoint that transformers knows, or says in one sentence why it cannot."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.errors import DependencyError, ModelError
from vlmbench.hub import use_cache_when_unreachable, why_not_loaded
from vlmbench.models import ModelSpec, model_path

if TYPE_CHECKING:
    import torch

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")

LOCAL_MODEL = "pass the directory of a downloaded checkpoint, as in '--model ./dir'"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, ready to generate."""

    model: Any
    processor: Any
    """The checkpoint's processor, or its tokenizer if it sees no images."""
    tokenizer: Any
    chat_template: str
    device: torch.device
    dtype: torch.dtype


def load(spec: ModelSpec) -> Loaded:
    """Load processor and model onto the device.

    Raises:
        ModelError: The checkpoint is missing, incomplete or of no kind that transformers loads.
        DependencyError: It needs a package that is not installed.
    """
    is_local = model_path(spec.location).is_dir()
    if not is_local:
        use_cache_when_unreachable()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch
    import transformers

    messages: Any = transformers.utils.logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    device = _device(spec.device)
    source = str(model_path(spec.location)) if is_local else spec.location
    try:
        config = transformers.AutoConfig.from_pretrained(
            source, revision=spec.revision, trust_remote_code=False
        )
        processor = _processor(spec, source)
        model = _model_class(spec, config).from_pretrained(
            source,
            revision=spec.revision,
            config=config,
            dtype=_dtype(spec.dtype, device),
            trust_remote_code=False,
            **_attention(spec),
        )
    except ImportError as error:
        raise DependencyError(
            f"The model {spec.location} needs a package that is not installed "
            f"({_first_line(error)}); install it with pip."
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(_why_not(spec, error, is_local=is_local)) from error
    tokenizer = getattr(processor, "tokenizer", processor)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    template = _chat_template(spec, processor, tokenizer)
    model = model.to(device).eval()
    dtype: torch.dtype = next(
        (p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32
    )
    return Loaded(model, processor, tokenizer, template, device, dtype)


def _device(name: str) -> torch.device:
    import torch

    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, there in usable.items() if there), "cpu")
    elif not usable.get(name, name == "cpu"):
        raise ModelError(f"This machine has no usable '{name}' device; try '--device auto'.")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> Any:
    """float32 on a CPU, where half precision lets batches change answers."""
    import torch

    if name == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    return getattr(torch, name)


def _processor(spec: ModelSpec, source: str) -> Any:
    import transformers

    if spec.options.get("text_only"):
        return transformers.AutoTokenizer.from_pretrained(source, revision=spec.revision)
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in PROCESSOR_FILES):
        raise _no_image_processor(spec)
    auto: Any = transformers.AutoProcessor
    processor = auto.from_pretrained(source, revision=spec.revision, trust_remote_code=False)
    if getattr(processor, "image_processor", None) is None:
        raise _no_image_processor(spec)
    return processor


def _no_image_processor(spec: ModelSpec) -> ModelError:
    return ModelError(
        f"The checkpoint {spec.location} has no image processor; save its processor beside the "
        "weights (processor.save_pretrained), or copy processor_config.json or "
        "preprocessor_config.json from the model it was made from."
    )


def _model_class(spec: ModelSpec, config: Any) -> Any:
    import transformers

    if spec.options.get("text_only"):
        return transformers.AutoModelForCausalLM
    for name in ("AutoModelForMultimodalLM", "AutoModelForImageTextToText"):
        auto = getattr(transformers, name, None)
        if auto is not None and type(config) in auto._model_mapping:
            return auto
    raise ModelError(
        f"The checkpoint {spec.location} is a '{config.model_type}', which transformers does not "
        "load as a vision-language model; choose another one ('vlmbench models list')."
    )


def _attention(spec: ModelSpec) -> dict[str, Any]:
    implementation = spec.options.get("attn_implementation")
    return {} if implementation is None else {"attn_implementation": implementation}


def _chat_template(spec: ModelSpec, processor: Any, tokenizer: Any) -> str:
    # Some processors lose their template when they are saved, while their tokenizer keeps it.
    template = (
        spec.options.get("chat_template")
        or getattr(processor, "chat_template", None)
        or getattr(tokenizer, "chat_template", None)
    )
    if not isinstance(template, str):
        raise ModelError(
            f"The checkpoint {spec.location} brings no chat template; put a chat_template.jinja "
            "in its directory, or choose an instruction-tuned model."
        )
    return template


def _why_not(spec: ModelSpec, error: Exception, *, is_local: bool) -> str:
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return (
            f"The model {spec.location} needs its own Python code, which vlmbench does not run; "
            "choose another one ('vlmbench models list')."
        )
    if not is_local:
        return why_not_loaded(error, f"model '{spec.location}'", local=LOCAL_MODEL)
    return (
        f"The checkpoint {spec.location} cannot be loaded ({_first_line(error)}); give a complete "
        "directory with configuration, weights, tokenizer and processor."
    )


def _first_line(error: Exception) -> str:
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.strip().rstrip(".")[:200]
