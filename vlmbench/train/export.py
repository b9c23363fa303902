"""`vlmbench train export`: an adapter merged into the model that it was trained on."""

from __future__ import annotations

from pathlib import Path

from vlmbench.errors import ModelError, UsageError
from vlmbench.models.resolve import resolve_model
from vlmbench.models.spec import ModelSpec
from vlmbench.records import Request
from vlmbench.runners.hf.adapters import import_peft, without_peft_warnings
from vlmbench.runners.hf.load import Loaded, load
from vlmbench.runners.hf.runner import HFRunner
from vlmbench.tasks.registry import load_task
from vlmbench.tasks.variants.variant import variant_requests
from vlmbench.train.reload import answers_to

COMPARED = 32
"""Answers that must be the same before and after."""


def merge_adapter(checkpoint: str, out: Path, *, task: str = "ja-vqa") -> int:
    """Merges an adapter in float32 into its base, and compares answers before and after.

    Args:
        checkpoint: The adapter's directory.
        task: Whose first samples are asked.

    Returns:
        How many answers were compared.

    Raises:
        UsageError: The checkpoint is no adapter, or `out` exists.
        ModelError: The merged model answers otherwise; it is not kept.
    """
    spec = resolve_model(checkpoint, dtype="float32")
    folder = spec.options.get("adapter")
    if folder is None:
        raise UsageError(f"{checkpoint} is no adapter, so there is nothing to merge.")
    if out.exists():
        raise UsageError(f"{out} is there already; choose another directory with -o.")
    asked = variant_requests(load_task(task), None, only=range(COMPARED), seed=0)
    requests = [request for request, _ in asked]
    before = _answers(spec, requests)
    _save_merged(spec, folder, out)
    after = _answers(resolve_model(str(out), dtype="float32"), requests)
    differing = sum(one != other for one, other in zip(before, after, strict=True))
    if differing:
        raise ModelError(
            f"The merged model in {out} gives another answer to {differing} of {len(requests)} "
            f"questions of {task}; use the adapter itself."
        )
    return len(requests)


def _answers(spec: ModelSpec, requests: list[Request]) -> list[str]:
    runner = HFRunner()
    runner.prepare(spec)
    try:
        return answers_to(runner, requests)
    finally:
        runner.close()


def _save_merged(spec: ModelSpec, folder: str, out: Path) -> None:
    peft = import_peft("LoRA adapters need")
    loaded: Loaded = load(spec, adapted=False)
    with without_peft_warnings():
        merged = peft.PeftModel.from_pretrained(loaded.model, folder).merge_and_unload()
    part = out.with_name(f".{out.name}.part")
    merged.save_pretrained(part)
    loaded.processor.save_pretrained(part)
    if not (part / "chat_template.jinja").exists():
        (part / "chat_template.jinja").write_text(loaded.chat_template, encoding="utf-8")
    part.rename(out)
