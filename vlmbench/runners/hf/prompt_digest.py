"""Whether a run asks a model as it was trained: how prompts are made, as one digest.

A model that learned pictures of another size or another chat template answers worse, and nothing
says so (QwenLM/Qwen3-VL issue 2024: 576 image tokens in training, 16384 at inference).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from vlmbench.models.checkpoints import model_path
from vlmbench.models.spec import ModelSpec
from vlmbench.models.training_data import read_facts
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart, stable_hash
from vlmbench.runners.hf.adapt import bounds_in_force
from vlmbench.runners.hf.inputs import PROBE, Encoder
from vlmbench.runners.hf.load import InputPipeline


def prompt_digest(pipeline: InputPipeline, encoder: Encoder) -> str:
    """Hash of the tokens and shapes that a question about a picture becomes, and of the bounds
    that larger and smaller pictures are kept to."""
    text = TextPart(PROBE)
    parts = (text,) if pipeline.family.text_only else (ImagePart(_picture()), text)
    batch = encoder.encode([Request("probe", parts, Generation(1))])
    if batch.failed:
        made: Any = [one.error.kind for one in batch.failed if one.error]
    else:
        made = [
            [name, value.tolist() if name == "input_ids" else list(value.shape)]
            for name, value in sorted(batch.inputs.items())
            if hasattr(value, "shape")
        ]
    return stable_hash([made, bounds_in_force(pipeline.family, pipeline.processor)])


def trained_digest(spec: ModelSpec) -> str | None:
    """The digest of the prompts that a checkpoint was trained on; None where nothing says so."""
    folder = Path(spec.options.get("adapter") or model_path(spec.location))
    found = read_facts(folder).get("prompt")
    return found if isinstance(found, str) else None


def _picture() -> Image:
    """A picture of usual size, the same everywhere."""
    import PIL.Image

    encoded = io.BytesIO()
    PIL.Image.linear_gradient("L").resize((448, 336)).convert("RGB").save(encoded, "png")
    return Image(encoded.getvalue(), "a probe")
