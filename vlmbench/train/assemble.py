"""A vision-language model out of an image encoder and a language model: `vlmbench train init`.

load both -> choose special tokens -> build a stock model -> copy the weights -> set the scale of
the fresh connector -> check that texts are read as before -> save with processor and template

The result is a checkpoint like any of the Hub. It answers at once, though it sees nothing until
its connector is trained.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vlmbench.errors import UsageError
from vlmbench.models.completion import COMPLETION, completion_ends
from vlmbench.train.connector_models import Parts
from vlmbench.train.connectors import Connector, find_connector
from vlmbench.train.load_parts import (
    language_config_of,
    load_parts,
    prepare_libraries,
    vision_config_of,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ConnectorName: TypeAlias = Literal["mlp", "qformer", "resampler", "cross-attention"]

PROBE = "犬は白い。 The dog is white."

FLATTEN = (
    "{%- set flat = namespace(messages=[], text='') -%}"
    "{%- for message in messages -%}"
    "{%- if message.content is string -%}{%- set flat.text = message.content -%}"
    "{%- else -%}{%- set flat.text = '' -%}{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}{%- set flat.text = flat.text + PLACEHOLDER -%}"
    "{%- elif part.type == 'text' -%}{%- set flat.text = flat.text + part.text -%}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- set flat.messages = flat.messages"
    " + [{'role': message.role, 'content': flat.text}] -%}"
    "{%- endfor -%}"
    "{%- set messages = flat.messages -%}"
)
"""Makes texts of messages with images, for a template that knows texts only."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A model put together, on the CPU."""

    model: PreTrainedModel
    processor: Any
    connector: Connector
    image_tokens: int
    """Tokens that an image takes in the prompt; 0 where it takes none of its own."""


def init_checkpoint(
    *,
    vision: str,
    language: str,
    connector: ConnectorName,
    out: Path,
    seed: int = 0,
    image_size: int | None = None,
    image_tokens: int | None = None,
) -> Assembled:
    """Put an image encoder and a language model together and save the checkpoint.

    Args:
        vision: A checkpoint directory, a Hub id, or a directory with a config.json only, which
            gets random weights.
        language: Likewise; a tokenizer must be with it.
        out: A directory that holds no model yet.
        seed: Of all random weights.
        image_size: Side of what the image encoder sees, in pixels; its own unless given.
        image_tokens: Tokens of an image in the prompt; the connector's usual number unless given.

    Raises:
        UsageError: The two do not fit together, or `out` holds a model.
        ModelError: A part cannot be loaded, or would not read texts as it did alone.
    """
    if (out / "config.json").exists():
        raise UsageError(f"{out} holds a model already; choose another directory with -o.")
    assembled = assemble(
        vision=vision,
        language=language,
        connector=connector,
        seed=seed,
        image_size=image_size,
        image_tokens=image_tokens,
    )
    assembled.model.save_pretrained(out)
    assembled.processor.save_pretrained(out)
    return assembled


def assemble(
    *,
    vision: str,
    language: str,
    connector: ConnectorName,
    seed: int = 0,
    image_size: int | None = None,
    image_tokens: int | None = None,
) -> Assembled:
    """The same as `init_checkpoint`, in memory."""
    prepare_libraries(vision, language)
    import torch

    torch.manual_seed(seed)
    vision_config, language_config = vision_config_of(vision), language_config_of(language)
    kind = find_connector(connector, vision_config.model_type, language_config.model_type)
    if image_tokens is not None and kind.family != "InternVL":
        raise UsageError(
            f"The number of an image's tokens is fixed in {kind.family}; leave it out, or take an "
            "image encoder of the kind dinov2 with the connector 'mlp'."
        )
    parts = load_parts(
        vision,
        vision_config,
        language,
        language_config,
        kind,
        image_size=image_size,
        image_tokens=image_tokens,
    )
    model = _with_weights(kind, parts)
    template = chat_template(parts.tokenizer, kind)
    processor = kind.processor(parts, template)
    _check_texts(kind, model, parts)
    _make_room(model, processor.tokenizer, kind)
    _set_generation(model, parts, template)
    image_tokens = _set_scale(kind, model, processor)
    _store_as(model, parts.stored_as)
    return Assembled(model, processor, kind, image_tokens)


def _with_weights(kind: Connector, parts: Parts) -> PreTrainedModel:
    """The stock model, holding the weights of both parts.

    Raises:
        UsageError: They have other names or shapes than the model's.
    """
    model = kind.build(parts)
    _copy(model, kind.vision_path, kind.vision_weights(parts), kind)
    weights = kind.language_weights(parts)
    if len(kind.language_paths) == 1:
        _copy(model, kind.language_paths[0], weights, kind)
    else:
        base, head = kind.language_paths
        _copy(model, base, {n: v for n, v in weights.items() if n != "lm_head.weight"}, kind)
        output: Any = parts.language.get_output_embeddings()  # type: ignore[no-untyped-call]
        _copy(model, head, {"weight": output.weight.detach()}, kind)
    model.tie_weights()
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _copy(model: PreTrainedModel, path: str, weights: dict[str, torch.Tensor], kind: Any) -> None:
    module = model.get_submodule(path)
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    held = {
        name: tuple(value.shape)
        for name, value in weights.items()
        if not name.startswith(("head.", "pooler."))
    }
    fresh = {name for name in wanted if "cross_attn" in name or _is_cross_layer(model, name)}
    odd = sorted(
        name for name in (set(wanted) | set(held)) - fresh if wanted.get(name) != held.get(name)
    )
    if odd:
        raise UsageError(
            f"The weight {odd[0]} does not fit {kind.family} ({held.get(odd[0], 'missing')} in the "
            f"part, {wanted.get(odd[0], 'unknown')} in the model); choose another pair."
        )
    module.load_state_dict({name: weights[name] for name in held}, strict=False)


def _is_cross_layer(model: PreTrainedModel, name: str) -> bool:
    """Whether a weight belongs to a layer that Mllama adds to the language model."""
    text: Any = model.config.get_text_config()
    layers = getattr(text, "cross_attention_layers", None) or []
    found = re.match(r"layers\.(\d+)\.", name)
    return found is not None and int(found[1]) in layers


def chat_template(tokenizer: Any, connector: Connector) -> str:
    """The language model's own template, to which images come as the connector's placeholder."""
    own = tokenizer.chat_template or COMPLETION
    flatten = FLATTEN.replace("PLACEHOLDER", repr(connector.placeholder(tokenizer)))
    begin = ""
    if connector.family == "Mllama" and "bos_token" not in own:
        begin = "{{- bos_token -}}"  # its processor would put it behind the tokenizer's own
    return flatten + begin + str(own)


def _check_texts(kind: Connector, model: PreTrainedModel, parts: Parts) -> None:
    """See that the assembled model computes for texts what the language model computed alone.

    Raises:
        UsageError: It does not, as where the language model scales its logits at the end.
    """
    import torch

    ids = torch.tensor([parts.tokenizer.encode(PROBE)])
    whole: Any = model if len(kind.language_paths) > 1 else model.get_submodule("language_model")
    before: Any = parts.language
    with torch.inference_mode():
        expected = before(input_ids=ids, use_cache=False).logits
        got = whole(input_ids=ids, use_cache=False).logits
    if not torch.allclose(expected, got, rtol=1e-4, atol=1e-4):
        raise UsageError(
            f"The language model computes its answers in a way that {kind.family} does not (logits "
            f"differ by up to {(expected - got).abs().max():.2g}); choose another one."
        )


def _make_room(model: PreTrainedModel, tokenizer: Any, kind: Connector) -> None:
    """Rows for tokens that the vocabulary did not have; spare rows are used first."""
    embeddings: Any = model.get_input_embeddings()
    if len(tokenizer) <= embeddings.weight.shape[0]:
        return
    if kind.family == "Mllama":
        raise UsageError(
            f"The tokenizer has {len(tokenizer)} tokens and the language model room for "
            f"{embeddings.weight.shape[0]}; choose another pair."
        )
    model.resize_token_embeddings(len(tokenizer))


def _set_generation(model: PreTrainedModel, parts: Parts, template: str) -> None:
    """Where an answer ends: where the language model's does, and at a line break for COMPLETION."""
    from transformers import GenerationConfig

    own = parts.language.generation_config
    ends = own.eos_token_id if own is not None else None
    ends = ends if ends is not None else parts.tokenizer.eos_token_id
    found = [ends] if isinstance(ends, int) else list(ends or [])
    if template.endswith(COMPLETION):
        found = completion_ends(parts.tokenizer, found)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=found,
        pad_token_id=parts.tokenizer.pad_token_id,
        bos_token_id=parts.tokenizer.bos_token_id,
    )
    model.config.get_text_config().eos_token_id = found  # BLIP-2's inner model looks here


def _set_scale(kind: Connector, model: PreTrainedModel, processor: Any) -> int:
    """Give the fresh connector the size of the token embeddings, and count an image's tokens.

    A fresh connector's vectors are several times smaller or larger than those of words, which the
    language model would have to learn to read first.
    """
    import torch

    output = model.get_submodule(kind.output)
    seen: list[torch.Tensor] = []
    hook = output.register_forward_hook(lambda module, args, result: seen.append(result))
    inputs = _probe_inputs(processor)
    embed: Any = model.get_input_embeddings()
    with torch.inference_mode():
        model(**inputs)
        words = embed(torch.tensor(processor.tokenizer.encode(PROBE, add_special_tokens=False)))
    hook.remove()
    factor = (_rms(words) / _rms(seen[0])).item()
    with torch.no_grad():
        for parameter in output.parameters():
            parameter.mul_(factor)
    image_id = getattr(model.config, "image_token_id", None)
    return 0 if kind.family == "Mllama" else int((inputs["input_ids"] == image_id).sum())


def _probe_inputs(processor: Any) -> Any:
    """One prompt with a picture of noise, as the runner would make it."""
    import numpy as np
    import PIL.Image

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = [
        {"type": "image", "image": PIL.Image.fromarray(noise)},
        {"type": "text", "text": PROBE},
    ]
    template = processor.chat_template or processor.tokenizer.chat_template
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        chat_template=template,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


def _rms(values: torch.Tensor) -> torch.Tensor:
    return values.float().pow(2).mean().sqrt()


def _store_as(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Cast parameters only: `model.to` would round the rotary frequencies too."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    for config in (model.config, *(getattr(model.config, n) for n in model.config.sub_configs)):
        config.dtype = dtype


def part_sizes(assembled: Assembled) -> dict[str, int]:
    """Parameters of the image encoder, the connector and the language model."""
    model = assembled.model
    vision = {id(p) for p in model.get_submodule(assembled.connector.vision_path).parameters()}
    language = {
        id(p)
        for path in assembled.connector.language_paths
        for name, p in model.get_submodule(path).named_parameters()
        if not _is_cross_layer(model, name)
    }
    sizes = {"vision": 0, "connector": 0, "language": 0}
    for parameter in model.parameters():
        part = "vision" if id(parameter) in vision else "connector"
        part = "language" if id(parameter) in language else part
        sizes[part] += parameter.numel()
    return sizes
