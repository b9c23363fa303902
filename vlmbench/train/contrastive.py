"""The contrastive stage: an image's vector moves towards its text's, and away from other texts'.

encoders    ImageEncoder: a vision tower with a new head, or a VLM's own image tokens
            TextTower: a small transformer; TokenMeans: a language model's frozen embeddings
losses      softmax (CLIP, arXiv:2103.00020) and sigmoid (SigLIP, arXiv:2303.15343), both with
            several positives where texts are equal
training    `train_contrastive`, resumable by step; large batches in two passes (GradCache,
            arXiv:2101.06983)
retrieval   recall at 1 and 5, both ways
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid, normalize

from vlmbench.errors import DataError, UsageError
from vlmbench.train.encoders import GetInputs, Seen
from vlmbench.train.parts import trainable

LossName: TypeAlias = Literal["softmax", "sigmoid"]
OnStep: TypeAlias = Callable[[int, float, float, float], None]
"""Told the number of a step from 1, its loss, gradient norm before clipping and learning rate."""


@dataclass(frozen=True, slots=True)
class ContrastiveConfig:
    """How `train_contrastive` trains."""

    steps: int
    batch_size: int = 256
    """Pairs whose texts are one another's negatives."""
    chunk_size: int = 256
    """Pairs that are in memory at a time with their gradients; changes no result."""
    loss: LossName = "sigmoid"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 0
    seed: int = 0
    save_every: int = 100
    """Steps between two checkpoints."""


LARGEST_SCALE = 100.0
"""CLIP's."""


class DualEncoder(nn.Module):
    """Both encoders with the temperature, and SigLIP's bias, that the loss learns.

    Args:
        batch_size: Of the training; sets the bias so that the first steps do not only learn that
            nearly all pairs are negative.
        largest_scale: What similarities are multiplied by at most. The smaller, the nearer an
            image has to come to its text itself before the loss is content.
        bf16: Encode images with arithmetic in bfloat16.
    """

    def __init__(
        self,
        images: nn.Module,
        texts: nn.Module,
        *,
        batch_size: int = 256,
        largest_scale: float = LARGEST_SCALE,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.largest_scale, self._bf16 = largest_scale, bf16
        self.images, self.texts = images, texts
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())
        self.bias = nn.Parameter(torch.tensor(1.0 / batch_size).log())

    def forward(self, inputs: Tensor | Seen, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Vectors of length 1 of images and texts, (n, width) each."""
        device = self.log_scale.device.type
        # Once a pass: a longer context would keep the weights as its first pass cast them.
        with torch.autocast(device, torch.bfloat16, enabled=self._bf16):
            images = self.images(inputs)
        return normalize(images.float(), dim=-1), normalize(self.texts(texts), dim=-1)

    def loss(self, images: Tensor, texts: Tensor, same: Tensor, kind: LossName) -> Tensor:
        """The mean loss of an image in a batch."""
        scale = self.log_scale.exp().clamp(max=self.largest_scale)
        if kind == "softmax":
            return softmax_loss(images, texts, scale, same)
        return sigmoid_loss(images, texts, scale, self.bias, same)


def equal_texts(texts: Sequence[str]) -> Tensor:
    """(n, n): whether text i says the same as text j, so that neither is the other's negative."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    ids = torch.tensor([numbers[text] for text in texts])
    return ids[:, None] == ids[None, :]


def softmax_loss(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """CLIP's: which text belongs to an image, and which image to a text; the mean of both ways.

    Args:
        images, texts: (n, width), of length 1; row i of both belongs together.
        same: See `equal_texts`; positives share the target evenly.
    """
    logits = scale * images @ texts.T
    targets = same.to(logits)
    targets = targets / targets.sum(dim=1, keepdim=True)
    return (cross_entropy(logits, targets) + cross_entropy(logits.T, targets)) / 2


def sigmoid_loss(
    images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, same: Tensor
) -> Tensor:
    """SigLIP's: each pair of image and text alone, whether they belong together.

    Args:
        images, texts: (n, width), of length 1.
        same: See `equal_texts`; every pair of equal texts is a positive one.
    """
    logits = scale * images @ texts.T + bias
    signs = 2 * same.to(logits) - 1
    return -logsigmoid(signs * logits).sum() / len(images)


def backward_in_chunks(
    model: DualEncoder,
    inputs: GetInputs,
    rows: Sequence[int],
    texts: Sequence[str],
    *,
    chunk_size: int,
    kind: LossName,
) -> float:
    """Gradients of the whole batch's loss, with those of one chunk in memory at a time.

    The first pass has no gradients and gives all vectors; the loss gives their gradients; the
    second pass carries these on, a chunk at a time. Accumulating chunks' own losses would not: an
    image would meet only the negatives of its chunk.

    Args:
        rows: Of the batch.
        texts: Of these rows.

    Returns:
        The loss.
    """
    chunks = [slice(at, at + chunk_size) for at in range(0, len(texts), chunk_size)]
    with torch.no_grad():
        vectors = [model(inputs(list(rows[chunk])), texts[chunk]) for chunk in chunks]
    images = torch.cat([image for image, _ in vectors]).requires_grad_()
    words = torch.cat([text for _, text in vectors]).requires_grad_()
    loss = model.loss(images, words, equal_texts(texts).to(images.device), kind)
    loss.backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None and words.grad is not None
    for chunk in chunks:
        image, text = model(inputs(list(rows[chunk])), texts[chunk])
        outputs = ((image, images.grad[chunk]), (text, words.grad[chunk]))
        learned = [(value, grad) for value, grad in outputs if value.requires_grad]
        torch.autograd.backward([value for value, _ in learned], [grad for _, grad in learned])
    return float(loss.detach())


def batch_rows(count: int, *, batch_size: int, step: int, seed: int) -> list[int]:
    """The rows of a step: a function of these numbers only, every row once an epoch."""
    size = min(batch_size, count)
    per_epoch = count // size
    epoch, at = divmod(step, per_epoch)
    order = list(range(count))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return order[at * size : (at + 1) * size]


def train_contrastive(
    model: DualEncoder,
    inputs: GetInputs,
    texts: Sequence[str],
    config: ContrastiveConfig,
    *,
    out: Path | None = None,
    resume: bool = False,
    on_step: OnStep = lambda step, loss, norm, rate: None,
) -> DualEncoder:
    """Train what of the model requires gradients.

    Dropout is off: both passes of a step must see the same model.

    Args:
        inputs: See `pixels_of` and `tokens_of`.
        texts: Row by row what is said of the image.
        out: Where a checkpoint is kept; None for none.
        on_step: Called after each step.

    Raises:
        UsageError: Nothing is to be trained, or a checkpoint is of another configuration.
        DataError: There are no pairs, an image cannot be read, or the loss is not a number.
    """
    if not texts:
        raise DataError("There is no pair of an image and a text to train on.")
    learned = trainable(model)
    if set(learned) <= {"log_scale", "bias"}:
        raise UsageError("Nothing of the encoders is to be trained; unfreeze a part.")
    model.eval()
    optimizer = torch.optim.AdamW(
        learned.values(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    first = _load(out, learned, optimizer, config) if resume and out is not None else 0
    for step in range(first, config.steps):
        rows = batch_rows(len(texts), batch_size=config.batch_size, step=step, seed=config.seed)
        optimizer.zero_grad(set_to_none=True)
        loss = backward_in_chunks(
            model,
            inputs,
            rows,
            [texts[row] for row in rows],
            chunk_size=config.chunk_size,
            kind=config.loss,
        )
        if not loss < float("inf"):
            raise DataError(f"The loss is {loss} at step {step + 1}; lower the learning rate.")
        norm = float(nn.utils.clip_grad_norm_(learned.values(), 1.0))
        rate = _learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        on_step(step + 1, loss, norm, rate)
        is_last = step + 1 == config.steps
        if out is not None and (is_last or (step + 1) % config.save_every == 0):
            _save(out, learned, optimizer, config, step + 1)
    return model


def _learning_rate(step: int, config: ContrastiveConfig) -> float:
    """Up for `warmup_steps`, then down to zero in a straight line."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    rest = config.steps - config.warmup_steps
    return config.learning_rate * (config.steps - step) / rest


STATE = "contrastive.pt"
"""The file that a training goes on from."""
_FREE_TO_CHANGE = ("chunk_size", "save_every")


def saved_step(out: Path) -> int:
    """Steps that the checkpoint in a directory has behind it."""
    return int(torch.load(out / STATE, weights_only=True)["step"])


def _identity(config: ContrastiveConfig) -> dict[str, Any]:
    return {key: value for key, value in asdict(config).items() if key not in _FREE_TO_CHANGE}


def _save(
    out: Path,
    learned: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    config: ContrastiveConfig,
    step: int,
) -> None:
    """Whole or not at all: a killed training leaves the checkpoint before."""
    out.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "config": _identity(config),
        "weights": {name: value.detach() for name, value in learned.items()},
        "optimizer": optimizer.state_dict(),
    }
    scratch = out / f"{STATE}.part"
    torch.save(state, scratch)
    scratch.replace(out / STATE)


def _load(
    out: Path,
    learned: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    config: ContrastiveConfig,
) -> int:
    """Where to go on."""
    file = out / STATE
    if not file.is_file():
        raise UsageError(f"There is no checkpoint to resume from in {out}; leave out --resume.")
    state = torch.load(file, weights_only=True)
    wanted = _identity(config)
    changed = [key for key, value in wanted.items() if state["config"].get(key) != value]
    if changed or set(state["weights"]) != set(learned):
        raise UsageError(
            f"The training in {out} was started with another "
            f"'{changed[0] if changed else 'choice of parts'}'; resume it with the same one."
        )
    with torch.no_grad():
        for name, value in state["weights"].items():
            learned[name].copy_(value)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Shares of right ones among the first 1 and 5, from 0 to 1."""

    text_of_image_1: float
    text_of_image_5: float
    image_of_text_1: float
    image_of_text_5: float


def retrieval(images: Tensor, texts: Tensor, names: Sequence[str]) -> Retrieval:
    """Recall at 1 and 5; texts that say the same count as one.

    Args:
        images: (n, width), of length 1.
        texts: Likewise; row i belongs to image i.
        names: The texts themselves.
    """
    distinct = list(dict.fromkeys(names))
    firsts = [list(names).index(name) for name in distinct]
    right = torch.tensor([[name == one for one in distinct] for name in names])
    scores = (images @ texts[firsts].T).cpu()

    def recall(similarity: Tensor, is_right: Tensor, top: int) -> float:
        best = similarity.topk(min(top, similarity.shape[1]), dim=1).indices
        return float(is_right.gather(1, best).any(dim=1).float().mean())

    return Retrieval(
        text_of_image_1=recall(scores, right, 1),
        text_of_image_5=recall(scores, right, 5),
        image_of_text_1=recall(scores.T, right.T, 1),
        image_of_text_5=recall(scores.T, right.T, 5),
    )
