"""What a checkpoint answers to somebody who has nothing but its files.

Another process loads it as `vlmbench run` does, so that nothing in the memory of this one can
help it along:

    python -m vlmbench.train.reload FOLDER      reads FOLDER/questions.json and the pictures beside
                                                it, writes FOLDER/answers.json
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.errors import ModelError, VlmbenchError
from vlmbench.models.resolve import resolve_model
from vlmbench.models.spec import ModelSpec
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
from vlmbench.runners.hf.runner import HFRunner

BATCH_SIZE = 16
"""Questions that are asked at a time."""

_QUESTIONS, _ANSWERS = "questions.json", "answers.json"

_IN_THE_RECIPE = ("max_pixels", "quantization")
"""Options with which a checkpoint is asked as it was trained, and which its files do not say."""

_OF_A_LAUNCHER = ("ACCELERATE_", "FSDP_", "MASTER_", "TORCHELASTIC_", "LOCAL_", "GROUP_", "ROLE_")
"""Variables that would make the other process wait for those that this one trains with."""


def answers_to(runner: HFRunner, requests: Sequence[Request]) -> list[str]:
    """What a runner answers.

    Raises:
        ModelError: It has no answer to a request.
    """
    texts: list[str] = []
    for start in range(0, len(requests), BATCH_SIZE):
        for one in runner.generate(requests[start : start + BATCH_SIZE]):
            if one.text is None:
                reason = one.error.message.rstrip(".") if one.error else "it gave no reason"
                row = one.sample_id.partition(" ")[2] or one.sample_id
                raise ModelError(
                    f"The model has no answer to '{row}' ({reason}); leave that row out, or lower "
                    "'learning_rate' if the training broke the model."
                )
            texts.append(one.text)
    return texts


def reloaded_answers(checkpoint: Path, live: ModelSpec, requests: Sequence[Request]) -> list[str]:
    """The answers of a checkpoint that this process loads a second time.

    Args:
        live: The model in memory; the checkpoint is loaded onto its device, in its number format.

    Raises:
        VlmbenchError: It cannot be loaded.
    """
    options = {name: live.options[name] for name in _IN_THE_RECIPE if name in live.options}
    runner = HFRunner()
    runner.prepare(
        resolve_model(str(checkpoint), dtype=live.dtype, device=live.device, options=options)
    )
    try:
        return answers_to(runner, requests)
    finally:
        runner.close()


def fresh_answers(checkpoint: Path, live: ModelSpec, requests: Sequence[Request]) -> list[str]:
    """The answers of a checkpoint in a process of its own; see `reloaded_answers`.

    Raises:
        ModelError: The other process cannot load the checkpoint, or fails otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="vlmbench-reload-") as temporary:
        folder = Path(temporary)
        _write_questions(folder, checkpoint, live, requests)
        if problem := run_process(folder):
            raise ModelError(
                f"The checkpoint that was written cannot be used by another process ({problem}), "
                "so it is not kept; correct that before you train."
            )
        answers: list[str] = json.loads((folder / _ANSWERS).read_text(encoding="utf-8"))
        return answers


def run_process(folder: Path) -> str | None:
    """Starts the process that answers the questions in a folder; returns what stopped it."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "vlmbench.train.reload", str(folder)],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode < 0:
        return f"it was killed by {signal.Signals(-done.returncode).name}"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return lines[-1].strip().rstrip(".")[:300] if lines else "it gave no reason"
    return None


def answer(folder: Path) -> None:
    """Answers the questions in a folder, in this process."""
    import torch

    asked = json.loads((folder / _QUESTIONS).read_text(encoding="utf-8"))
    torch.set_num_threads(asked["threads"])
    live = ModelSpec("live", "hf", "", "", **asked["model"])
    requests = [_request(folder, one) for one in asked["requests"]]
    answers = reloaded_answers(Path(asked["checkpoint"]), live, requests)
    (folder / _ANSWERS).write_text(json.dumps(answers), encoding="utf-8")


def _write_questions(
    folder: Path, checkpoint: Path, live: ModelSpec, requests: Sequence[Request]
) -> None:
    import torch

    images = {image.digest: image for request in requests for image in request.images}
    for digest, image in images.items():
        (folder / digest).write_bytes(image.data)
    values = {
        "checkpoint": str(checkpoint.resolve()),
        "model": {"dtype": live.dtype, "device": live.device, "options": dict(live.options)},
        "threads": torch.get_num_threads(),
        "requests": [_as_values(request) for request in requests],
    }
    (folder / _QUESTIONS).write_text(json.dumps(values), encoding="utf-8")


def _as_values(request: Request) -> dict[str, Any]:
    return {
        "id": request.sample_id,
        "parts": [
            {"text": part.text} if isinstance(part, TextPart) else {"image": part.image.digest}
            for part in request.parts
        ],
        "system": request.system,
        "max_new_tokens": request.generation.max_new_tokens,
    }


def _request(folder: Path, values: Mapping[str, Any]) -> Request:
    parts = tuple(
        TextPart(one["text"])
        if "text" in one
        else ImagePart(Image((folder / one["image"]).read_bytes(), one["image"]))
        for one in values["parts"]
    )
    return Request(values["id"], parts, Generation(values["max_new_tokens"]), values["system"])


def _environment() -> dict[str, str]:
    """This process's variables without its launcher's; modules are found where it finds them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OF_A_LAUNCHER) and name not in ("RANK", "WORLD_SIZE")
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(_absolute(sys.path))}


def _absolute(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        yield str(Path(path).absolute())  # the empty one is the working directory


def main(folder: Path) -> int:
    """Answers the questions in a folder and returns the exit code."""
    try:
        answer(folder)
    except VlmbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
