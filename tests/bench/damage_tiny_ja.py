"""Makes tests/compare/gate/tiny_ja_answers.json.xz: what tiny-ja answers, whole and damaged.

    python tests/bench/damage_tiny_ja.py /tmp/damage

tiny-ja, tiny-ja with normal noise of 0.35 and of 0.001 standard deviations of each tensor on its
weights, and tiny-ja without images answer the four embedded tasks: about five minutes on two cores.
The tests of the gate take the answers from the file.
"""

from __future__ import annotations

import json
import lzma
import shutil
import sys
from pathlib import Path

import vlmbench
from vlmbench.cli.main import main
from vlmbench.runs.journal import read_journal

TASKS = ("ja-caption", "ja-vqa", "ja-chart", "ja-multi-image")
TINY = Path(vlmbench.__file__).parent / "models" / "tiny-ja"
OUT = Path(__file__).parents[1] / "compare" / "gate" / "tiny_ja_answers.json.xz"


def add_noise(folder: Path, noise: float) -> Path:
    """A copy of tiny-ja whose weights have noise on them."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    file = folder / "model.safetensors"
    weights, draw = load_file(file), torch.Generator().manual_seed(0)
    for name in sorted(weights):
        exact = weights[name].float()
        drawn = torch.randn(exact.shape, generator=draw)
        if exact.numel() > 1:
            weights[name] = (exact + noise * exact.std(correction=0) * drawn).to(
                weights[name].dtype
            )
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def answers(run: Path, suffix: str = "") -> dict[str, dict[str, str]]:
    """By task and sample id."""
    return {
        task: {
            name: response.text or ""
            for name, response in read_journal(
                run / f"{task}{suffix}" / "journal.jsonl"
            ).responses.items()
        }
        for task in TASKS
    }


def make(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """All answers, by model."""
    noisy = {noise: add_noise(folder / f"noise-{noise}", noise) for noise in (0.35, 0.001)}
    common = ["--tasks", ",".join(TASKS), "--out", str(folder / "runs"), "--no-cache"]
    assert main(["run", "--model", "tiny-ja", "--image-mode", "blind", *common]) == 0
    for model in noisy.values():
        assert main(["run", "--model", str(model), *common]) == 0
    runs = folder / "runs"
    return {
        "whole": answers(runs / "tiny-ja"),
        "blind": answers(runs / "tiny-ja", "@blind"),
        **{model.name: answers(runs / model.name) for model in noisy.values()},
    }


def write(found: dict[str, dict[str, dict[str, str]]]) -> None:
    """Write the file."""
    OUT.write_bytes(lzma.compress(json.dumps(found, ensure_ascii=False).encode()))


if __name__ == "__main__":
    write(make(Path(sys.argv[1])))
