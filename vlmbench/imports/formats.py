"""The formats of `vlmbench import`, by name."""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.imports import evalmm, jsonl, lmms, simple_evals, vlmevalkit
from vlmbench.imports.predictions import Reader

READERS: Mapping[str, Reader] = {
    "llm-jp-eval-mm": evalmm.read,
    "lmms-eval": lmms.read,
    "vlmevalkit": vlmevalkit.read,
    "simple-evals-mm": simple_evals.read,
    "jsonl": jsonl.read,
}
