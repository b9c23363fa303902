"""`vlmbench models show X`: how a model would be loaded, without its weights."""

from __future__ import annotations

from typing import Any

from vlmbench.errors import VlmbenchError
from vlmbench.models.baselines import BASELINES
from vlmbench.models.families import ModelFamily, family
from vlmbench.models.resolve import ModelEntry, ModelSpec, known_models


def plan(spec: ModelSpec) -> dict[str, Any]:
    """What a run would do with a model; `problem` says why it could not be found out."""
    values = spec.as_dict() | {"licence": None}
    entry = next((one for one in known_models().values() if one.hub == spec.location), None)
    if entry is not None:
        values["licence"] = entry.licence
    if spec.runner == "baseline":
        return values | {"note": BASELINES[spec.location]}
    if spec.runner != "hf":
        return values
    kind = family(entry.family) if entry is not None else ModelFamily()
    try:
        return values | _found(spec)
    except VlmbenchError as error:
        return (
            values
            | {"family": kind.title or None, "quirks": kind.quirks()}
            | {"problem": str(error)}
        )


def plan_with_code(name: str, entry: ModelEntry) -> dict[str, Any]:
    """The same of a model whose own Python code nobody has allowed to run."""
    kind = family(entry.family)
    return {
        "name": name,
        "runner": "remote_code",
        "location": entry.location,
        "revision": entry.revision,
        "family": kind.title or entry.family,
        "recipe": kind.recipe,
        "licence": entry.licence,
        "needs": f"--trust-remote-code, and the commit: {name}@COMMIT",
    }


def _found(spec: ModelSpec) -> dict[str, Any]:
    from vlmbench.runners.hf.adapt import attention
    from vlmbench.runners.hf.inputs import Encoder
    from vlmbench.runners.hf.load import load_input_pipeline, model_class, pick_device, pick_dtype

    pipeline = load_input_pipeline(spec)
    encoder = Encoder(pipeline, spec.options)
    device = pick_device(spec.device)
    kind = pipeline.family
    auto = model_class(spec, pipeline.config, kind)
    chosen = attention(kind, spec.options).get("attn_implementation", "chosen by transformers")
    if isinstance(chosen, dict):
        chosen = {part or "default": name for part, name in chosen.items()}
    return {
        "model_type": pipeline.config.model_type,
        "family": kind.title or None,
        "class": auto._model_mapping[type(pipeline.config)].__name__,
        "loaded_by": auto.__name__,
        "processor": type(pipeline.processor).__name__,
        "device": str(device),
        "dtype": str(pick_dtype(spec.dtype, device)).removeprefix("torch."),
        "attention": chosen,
        "quirks": kind.quirks(),
        "sees_images": not kind.text_only,
        "images_in_place": encoder.images_in_place,
        "system_prompt": encoder.system_place,
        "positions": pipeline.positions,
    }
