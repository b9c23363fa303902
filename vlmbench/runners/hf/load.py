"""Loads any checkpoint that transformers knows, or says in one sentence why it cannot."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.environment import set_thread_env
from vlmbench.errors import ModelError
from vlmbench.hub import go_offline_if_unreachable
from vlmbench.models.checkpoints import model_path
from vlmbench.models.completion import COMPLETION, completion_ends
from vlmbench.models.config_check import check_config, check_image_sizes, check_parsed_config
from vlmbench.models.families import ModelFamily, family, family_key
from vlmbench.models.hub_kernels import OPTION, kernels_named, refuse_kernels
from vlmbench.models.load_errors import as_model_error
from vlmbench.models.resolve import ModelSpec
from vlmbench.runners.hf.adapt import attention, bound_pixels, placement
from vlmbench.runners.hf.adapters import add_adapter, own_template, with_prompt_files
from vlmbench.runners.hf.checks import (
    check_adapter,
    check_attention,
    check_chat_template,
    check_tokenizer,
    check_weights,
)
from vlmbench.runners.hf.generation import unset_unusable
from vlmbench.runners.hf.quantize import compute_as_chosen, quantization
from vlmbench.runners.hf.sizes import WEIGHT_FILES, check_size

if TYPE_CHECKING:
    import torch

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class InputPipeline:
    """What prompts are made with; small, unlike the weights."""

    config: Any
    """The checkpoint's, of transformers."""
    family: ModelFamily
    """What is known of its kind."""
    processor: Any
    """The checkpoint's processor, or its tokenizer if it sees no images."""
    tokenizer: Any
    chat_template: str

    @property
    def is_completion(self) -> bool:
        """Whether it is a base model, which is asked in the form of a text to go on with."""
        return self.chat_template == COMPLETION

    @property
    def positions(self) -> int:
        """Most tokens of prompt and answer together."""
        text = self.config.get_text_config()
        return int(getattr(text, "max_position_embeddings", None) or 2**31)


@dataclass(frozen=True, slots=True)
class Loaded(InputPipeline):
    """A model, ready to generate."""

    model: Any
    device: torch.device
    """Where inputs go."""
    dtype: torch.dtype
    unset: tuple[str, ...] = ()
    """Settings of its generation_config.json that cannot hold; see `unset_unusable`."""
    stops: tuple[str, ...] = ()
    """Strings that end its answers, as its generation_config.json has them."""


def load_input_pipeline(spec: ModelSpec) -> InputPipeline:
    """Load all but the weights.

    Raises:
        ModelError: The checkpoint is missing, incomplete or of no kind that transformers loads.
        UsageError: Its family cannot take an option.
        DependencyError: It needs a package that is not installed.
    """
    prepare_libraries(spec)
    import transformers

    source = source_of(spec)
    check_attention(spec.options.get("attention"))
    if "adapter" in spec.options:
        check_adapter(spec, Path(spec.options["adapter"]))
    with as_model_error(spec):
        written, _ = transformers.PreTrainedConfig.get_config_dict(source, revision=spec.revision)
        check_config(written, spec.location)
        config = transformers.AutoConfig.from_pretrained(
            source, revision=spec.revision, trust_remote_code=False
        )
        check_parsed_config(config, spec.location)
        kind = family(family_key(config.to_dict()))
        check_kernels(spec, kind, written)
        processor = _processor(spec, source, kind, config)
        if images := getattr(processor, "image_processor", None):
            check_image_sizes(images.to_dict(), spec.location)
        bound_pixels(kind, processor, spec.options)
        model_class(spec, config, kind)
        tokenizer = getattr(processor, "tokenizer", processor)
        tokenizer.padding_side = "left"  # answers begin where prompts end
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        check_tokenizer(spec, tokenizer)
        template = _chat_template(spec, processor, tokenizer, kind)
        check_chat_template(spec, processor, template, sees_images=not kind.text_only)
    return InputPipeline(config, kind, processor, tokenizer, template)


def check_checkpoint(spec: ModelSpec) -> None:
    """See whether a model could be loaded, without reading its weights.

    Raises:
        VlmbenchError: See `load_input_pipeline`; or a directory holds no weights.
    """
    load_input_pipeline(spec)
    pick_device(spec.device)
    folder = model_path(spec.location)
    if folder.is_dir() and not any(list(folder.glob(kind)) for kind in WEIGHT_FILES):
        raise ModelError(f"There are no weights in {folder}; restore its *.safetensors files.")


def check_kernels(spec: ModelSpec, kind: ModelFamily, config: Mapping[str, Any]) -> None:
    """See that no code of the Hub would run that nobody allowed.

    Args:
        config: What its config.json says.

    Raises:
        ModelError: The checkpoint's config.json names some.
    """
    chosen = spec.options.get("attention")
    replaced = isinstance(chosen, str) and not kind.attention
    if OPTION in spec.options or replaced:
        return
    refuse_kernels(
        kernels_named(config), spec.location, instead="choose another with --attention sdpa"
    )


def load(spec: ModelSpec, *, adapted: bool = True) -> Loaded:
    """Load processor and model onto the device.

    Args:
        adapted: With its adapter, if it has one.

    Raises:
        VlmbenchError: See `load_input_pipeline`.
    """
    pipeline = load_input_pipeline(spec)
    import torch

    device = pick_device(spec.device)
    placed = placement(spec, device)
    auto = model_class(spec, pipeline.config, pipeline.family)
    check_size(spec, auto, pipeline.config)
    with as_model_error(spec):
        model, report = auto.from_pretrained(
            source_of(spec),
            revision=spec.revision,
            config=pipeline.config,
            dtype=pick_dtype(spec.dtype, device),
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `check_weights` names them
            **attention(pipeline.family, spec.options),
            **({"allow_all_kernels": True} if OPTION in spec.options else {}),
            **quantization(spec, device, pipeline.family, auto, pipeline.config),
            **placed,
        )
    if pipeline.is_completion:
        config = model.generation_config
        config.eos_token_id = completion_ends(pipeline.tokenizer, config.eos_token_id)
    check_weights(spec, report)
    unset, stops = unset_unusable(model)
    compute_as_chosen(model)
    if not placed:
        model = model.to(device)
    if adapted and "adapter" in spec.options:
        add_adapter(model, spec.options["adapter"], pipeline.tokenizer)
    dtype: torch.dtype = next(
        (p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32
    )
    return Loaded(
        pipeline.config,
        pipeline.family,
        pipeline.processor,
        pipeline.tokenizer,
        pipeline.chat_template,
        model=model.eval(),
        device=model.device,
        dtype=dtype,
        unset=unset,
        stops=stops,
    )


def prepare_libraries(spec: ModelSpec) -> None:
    """What must be said to torch and transformers before and after they are imported."""
    if not model_path(spec.location).is_dir():
        go_offline_if_unreachable()
    set_thread_env()
    quiet_libraries()


def quiet_libraries() -> None:
    """Keeps libraries from showing bars and remarks of their own."""
    # It would tell which kernels this machine lacks, needed or not, once transformers' schedules or
    # peft import it, and of each layer of each answer that it computes in half precision.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import transformers

    messages: Any = transformers.utils.logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()


def source_of(spec: ModelSpec) -> str:
    """What `from_pretrained` is given: a directory or a Hub id."""
    path = model_path(spec.location)
    return str(path) if path.is_dir() else spec.location


def pick_device(name: str) -> torch.device:
    """The device of this machine that a name stands for.

    Raises:
        ModelError: It has none.
    """
    import torch

    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, there in usable.items() if there), "cpu")
    elif not usable.get(name, name == "cpu"):
        raise ModelError(f"This machine has no usable '{name}' device; try '--device auto'.")
    return torch.device(name)


def pick_dtype(name: str, device: torch.device) -> Any:
    """float32 on a CPU, where half precision lets batches change answers."""
    import torch

    if name == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    return getattr(torch, name)


def _processor(spec: ModelSpec, source: str, kind: ModelFamily, config: Any) -> Any:
    """The base model's, with what an adapter has in its place."""
    import transformers

    auto = transformers.AutoTokenizer if kind.text_only else transformers.AutoProcessor
    processor = _own_processor(spec, source, kind)
    if "adapter" not in spec.options:
        return processor
    return with_prompt_files(auto, config, processor, spec.options["adapter"])


def _own_processor(spec: ModelSpec, source: str, kind: ModelFamily) -> Any:
    import transformers

    if kind.text_only:
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


def model_class(spec: ModelSpec, config: Any, kind: ModelFamily) -> Any:
    """The class of transformers that loads such a checkpoint.

    Raises:
        ModelError: There is none.
    """
    import transformers

    if kind.text_only:
        return transformers.AutoModelForCausalLM
    for name in ("AutoModelForMultimodalLM", "AutoModelForImageTextToText"):
        auto = getattr(transformers, name, None)
        if auto is not None and type(config) in auto._model_mapping:
            return auto
    raise ModelError(
        f"The checkpoint {spec.location} is a '{config.model_type}', which transformers does not "
        "load as a vision-language model; choose another one ('vlmbench models list')."
    )


def _chat_template(spec: ModelSpec, processor: Any, tokenizer: Any, kind: ModelFamily) -> str:
    # Some processors lose their template when they are saved, while their tokenizer keeps it.
    adapter = spec.options.get("adapter")
    template = (
        (own_template(adapter) if adapter else None)  # what it was trained with
        or spec.options.get("chat_template")
        or getattr(processor, "chat_template", None)
        or getattr(tokenizer, "chat_template", None)
        or kind.template
    )
    if template is None and kind.text_only:
        return COMPLETION
    if not isinstance(template, str):
        raise ModelError(
            f"The checkpoint {spec.location} brings no chat template; put a chat_template.jinja "
            "in its directory, or choose an instruction-tuned model."
        )
    return template
