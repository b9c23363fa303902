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
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid, normalize

from vlmbench.errors import DataError, UsageError

if TYPE_CHECKING:
    import PIL.Image
    from transformers import PreTrainedModel

    from vlmbench.records import Image

LossName: TypeAlias = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, slots=True)
class ImageText:
    """A picture with what is said of it."""

    image: Image
    text: str


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


class ImageEncoder(nn.Module):
    """A vision tower whose patches are averaged and projected.

    Args:
        tower: A vision model of transformers.
        width: Of the result.
    """

    def __init__(self, tower: PreTrainedModel, width: int) -> None:
        super().__init__()
        self.tower = tower
        config: Any = tower.config
        self.head = nn.Linear(config.hidden_size, width)

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors (n, width) of pixels (n, 3, height, width)."""
        output: Any = self.tower(pixel_values=pixels, output_hidden_states=True)
        # The last layer before its norm: what LLaVA will read.
        patches: Tensor = self.head(output.hidden_states[-1].mean(dim=1))
        return patches


class VlmImageEncoder(nn.Module):
    """A VLM's own image tokens, averaged: trains its connector (and tower) in place."""

    def __init__(self, vlm: PreTrainedModel) -> None:
        super().__init__()
        self.vlm = vlm

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors (n, width of the language model) of pixels (n, 3, height, width)."""
        model: Any = self.vlm
        tokens = model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
        if not isinstance(tokens, Tensor):  # LLaVA gives a list, an image each
            tokens = torch.stack(list(tokens))
        mean: Tensor = tokens.mean(dim=1)
        return mean


class TextTower(nn.Module):
    """A small transformer over a tokenizer's tokens, trained along with the images.

    Args:
        tokenizer: With a padding token.
        width: Of the result and inside.
    """

    def __init__(
        self, tokenizer: Any, width: int, *, layers: int = 2, heads: int = 4, max_length: int = 64
    ) -> None:
        super().__init__()
        self._tokenizer, self._max_length = tokenizer, max_length
        self.tokens = nn.Embedding(len(tokenizer), width)
        self.positions = nn.Embedding(max_length, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Vectors (n, width); what stands behind `max_length` tokens does not count."""
        encoded = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._max_length,
            return_tensors="pt",
        )
        ids = encoded["input_ids"].to(self.tokens.weight.device)
        mask = encoded["attention_mask"].to(ids.device).bool()
        hidden = self.tokens(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        hidden = self.layers(hidden, src_key_padding_mask=~mask)
        return _masked_mean(hidden, mask)


class TokenMeans(nn.Module):
    """The mean of a language model's own token embeddings, centered; nothing to train.

    Names as they are have a mean |cosine| of 0.40 under Gemma 3 270M, of 0.08 after centering.

    Args:
        texts: All that will be asked for; their mean is the center.
    """

    def __init__(self, language: PreTrainedModel, tokenizer: Any, texts: Sequence[str]) -> None:
        super().__init__()
        embed: Any = language.get_input_embeddings()
        distinct = sorted(set(texts))
        rows = []
        with torch.no_grad():
            for text in distinct:
                ids = tokenizer.encode(text, add_special_tokens=False)
                if not ids:
                    raise DataError(f"The text {text!r} has no token to compare with an image.")
                rows.append(embed(torch.tensor(ids, device=embed.weight.device)).float().mean(0))
        table = torch.stack(rows)
        self._rows = {text: row for row, text in enumerate(distinct)}
        self.register_buffer("table", table - table.mean(dim=0), persistent=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Vectors (n, width of the language model)."""
        table: Any = self.table
        rows: Tensor = table[[self._rows[text] for text in texts]]
        return rows


class DualEncoder(nn.Module):
    """Both encoders with the temperature, and SigLIP's bias, that the loss learns.

    Args:
        batch_size: Of the training; sets the bias so that the first steps do not only learn that
            nearly all pairs are negative.
    """

    def __init__(self, images: nn.Module, texts: nn.Module, *, batch_size: int = 256) -> None:
        super().__init__()
        self.images, self.texts = images, texts
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())
        self.bias = nn.Parameter(torch.tensor(1.0 / batch_size).log())

    def forward(self, pixels: Tensor, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Vectors of length 1 of images and texts, (n, width) each."""
        return normalize(self.images(pixels), dim=-1), normalize(self.texts(texts), dim=-1)

    def loss(self, images: Tensor, texts: Tensor, same: Tensor, kind: LossName) -> Tensor:
        """The mean loss of an image in a batch."""
        scale = self.log_scale.clamp(max=100.0**0.5).exp()
        if kind == "softmax":
            return softmax_loss(images, texts, scale, same)
        return sigmoid_loss(images, texts, scale, self.bias, same)


def _masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


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
    model: DualEncoder, pixels: Tensor, texts: Sequence[str], *, chunk_size: int, kind: LossName
) -> float:
    """Gradients of the whole batch's loss, with those of one chunk in memory at a time.

    The first pass has no gradients and gives all vectors; the loss gives their gradients; the
    second pass carries these on, a chunk at a time. Accumulating chunks' own losses would not: an
    image would meet only the negatives of its chunk.

    Returns:
        The loss.
    """
    chunks = [slice(at, at + chunk_size) for at in range(0, len(texts), chunk_size)]
    with torch.no_grad():
        vectors = [model(pixels[chunk], texts[chunk]) for chunk in chunks]
    images = torch.cat([image for image, _ in vectors]).requires_grad_()
    words = torch.cat([text for _, text in vectors]).requires_grad_()
    loss = model.loss(images, words, equal_texts(texts).to(images.device), kind)
    loss.backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None and words.grad is not None
    for chunk in chunks:
        image, text = model(pixels[chunk], texts[chunk])
        outputs = [(image, images.grad[chunk]), (text, words.grad[chunk])]
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
    pairs: Sequence[ImageText],
    config: ContrastiveConfig,
    *,
    to_pixels: Callable[[list[PIL.Image.Image]], Tensor],
    out: Path | None = None,
    resume: bool = False,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> DualEncoder:
    """Train what of the model requires gradients.

    Dropout is off: both passes of a step must see the same model.

    Args:
        to_pixels: The image processor of the vision tower.
        out: Where a checkpoint is kept; None for none.
        on_step: Called after each step with its number and loss.

    Raises:
        UsageError: Nothing is to be trained, or a checkpoint is of another configuration.
        DataError: There are no pairs, an image cannot be read, or the loss is not a number.
    """
    if not pairs:
        raise DataError("There is no pair of an image and a text to train on.")
    learned = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if set(learned) <= {"log_scale", "bias"}:
        raise UsageError("Nothing of the encoders is to be trained; unfreeze a part.")
    model.eval()
    optimizer = torch.optim.AdamW(
        learned.values(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    first = _load(out, learned, optimizer, config) if resume and out is not None else 0
    device = next(iter(learned.values())).device
    for step in range(first, config.steps):
        rows = batch_rows(len(pairs), batch_size=config.batch_size, step=step, seed=config.seed)
        pixels = to_pixels([pairs[row].image.decode() for row in rows]).to(device)
        optimizer.zero_grad(set_to_none=True)
        loss = backward_in_chunks(
            model,
            pixels,
            [pairs[row].text for row in rows],
            chunk_size=config.chunk_size,
            kind=config.loss,
        )
        if not loss < float("inf"):
            raise DataError(f"The loss is {loss} at step {step + 1}; lower the learning rate.")
        nn.utils.clip_grad_norm_(learned.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(step, config)
        optimizer.step()
        on_step(step + 1, loss)
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


_CHECKPOINT = "contrastive.pt"
_FREE_TO_CHANGE = ("chunk_size", "save_every")


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
    scratch = out / f"{_CHECKPOINT}.part"
    torch.save(state, scratch)
    scratch.replace(out / _CHECKPOINT)


def _load(
    out: Path,
    learned: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    config: ContrastiveConfig,
) -> int:
    """Where to go on."""
    file = out / _CHECKPOINT
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
