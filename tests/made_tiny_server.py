"""A server that answers with tiny-ja by transformers' own calls: another runner of the same model.

Nothing of vlmbench's runners is used: images come as data URLs, the prompt is the chat template's,
requests are answered one by one, and the numbers are of another format if a test says so.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from made_server import MadeServer, Reply, completion

import vlmbench

TINY = Path(vlmbench.__file__).parent / "models" / "tiny-ja"


def tiny_server(dtype: str = "float32") -> MadeServer:
    """Serves tiny-ja until the context ends.

    Args:
        dtype: Format of the weights' numbers, such as "bfloat16".
    """
    return MadeServer(_answering(dtype))


def _answering(dtype: str) -> Callable[[dict[str, Any], int], Reply]:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(TINY, dtype=dtype).eval()
    processor = AutoProcessor.from_pretrained(TINY)
    one_at_a_time = threading.Lock()

    def answer(body: dict[str, Any], earlier: int) -> Reply:
        messages = [
            {"role": one["role"], "content": [_part(part) for part in one["content"]]}
            for one in body["messages"]
        ]
        inputs = processor.apply_chat_template(
            messages,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        with one_at_a_time, torch.inference_mode():
            ids = model.generate(**inputs, max_new_tokens=body["max_tokens"], do_sample=False)
        text = processor.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return Reply(completion(text))

    return answer


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    from PIL import Image

    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return {"type": "image", "image": Image.open(io.BytesIO(data)).convert("RGB")}
