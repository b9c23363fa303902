"""What a family's tiny model does when the runner asks it: the truth behind docs/models.md.

python tests/runners/hf/families/observe.py | python docs/build/family_pages.py   rewrites the page
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[3])]

from made_tasks import picture

from families import blip, deepseek, gemma, idefics, internvl, llava, mistral, phi, qwen, text
from families.common import Family, save
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Image, ImagePart, Request, Response, TextPart
from vlmbench.runners.hf.runner import HFRunner

FAMILIES: tuple[Family, ...] = tuple(
    family
    for module in (qwen, gemma, llava, mistral, deepseek, internvl, idefics, phi, blip, text)
    for family in module.FAMILIES
)
RED, BLUE = Image(picture("赤", size=(56, 48))), Image(picture("青", size=(64, 40)))
STRIP, DOT = Image(picture("緑", size=(2000, 3))), Image(picture("緑", size=(1, 1)))

TOLERANCE = 1e-4
"""Most that a logit of the first token may differ between a batch and a request alone."""


def ask(
    number: int, *parts: Image | str, new_tokens: int = 6, system: str | None = None
) -> Request:
    """A request of texts and images in this order."""
    whole = tuple(TextPart(part) if isinstance(part, str) else ImagePart(part) for part in parts)
    return Request(f"q{number}", whole, Generation(max_new_tokens=new_tokens), system)


ONE = ask(1, RED, "何色ですか。")
OTHER = ask(1, BLUE, "何色ですか。")
BLIND = ask(1, "何色ですか。")
TWO = ask(2, "これは", RED, "これは二枚目の", BLUE, "違いを説明してください。")
SWAPPED = ask(2, "これは", BLUE, "これは二枚目の", RED, "違いを説明してください。")
NONE = ask(4, "画像のない質問です。")
LONG = ask(5, BLUE, "短く答えてください。" * 5)
ODD = (ask(6, STRIP, "何色？"), ask(7, DOT, "何色？"))
MIXED = (ONE, NONE, TWO, LONG, *ODD)


def load(folder: Path, **options: Any) -> HFRunner:
    """The runner on a checkpoint directory."""
    runner = HFRunner()
    runner.prepare(resolve_model(str(folder), device="cpu", options=options))
    return runner


def logits(runner: HFRunner, requests: Sequence[Request]) -> Any:
    """Logits of the first new token, a row a request."""
    loaded = runner._ready()
    batch = runner.encode(requests)
    assert not batch.failed, batch.failed
    output = loaded.model.generate(
        **batch.inputs,
        max_new_tokens=1,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
        pad_token_id=loaded.tokenizer.pad_token_id,
    )
    return output.logits[0]


def difference(runner: HFRunner, one: Request, other: Request) -> float:
    """How far the first token's logits are apart."""
    return float((logits(runner, [one]) - logits(runner, [other])).abs().max())


def drift(runner: HFRunner, requests: Sequence[Request]) -> float:
    """How far a batch's logits are from those of each request alone."""
    together = logits(runner, requests)
    alone = [logits(runner, [request])[0] for request in requests]
    return max(float((row - one).abs().max()) for row, one in zip(together, alone, strict=True))


def answerable(runner: HFRunner, requests: Sequence[Request]) -> list[Request]:
    """Those that the family does not refuse."""
    responses = runner.generate(requests)
    pairs = zip(requests, responses, strict=True)
    return [request for request, response in pairs if response.error is None]


def observe(family: Family, runner: HFRunner) -> dict[str, Any]:
    """One row of the table, as plain values; see `family_pages`."""
    one, two, none = runner.generate([ONE, TWO, NONE])
    mixed = answerable(runner, MIXED)
    alone = [runner.generate([request])[0].text for request in mixed]
    batched = [response.text for response in runner.generate(mixed)]
    return {
        "family": family.model_type,
        "class": type(runner._ready().model).__name__,
        "one": _outcome(one),
        "two": _outcome(two),
        "none": _outcome(none),
        "images_in_place": runner.describe()["images_in_place"],
        "batch_equals_single": alone == batched and drift(runner, mixed) < TOLERANCE,
    }


def _outcome(response: Response) -> str:
    return "answered" if response.error is None else response.error.kind


def main() -> None:
    """Observe every family and print JSON."""
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for number, family in enumerate(FAMILIES):
            runner = load(save(family, Path(root) / str(number)))
            rows.append(observe(family, runner))
    json.dump(rows, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
