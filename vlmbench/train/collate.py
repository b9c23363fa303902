"""Micro-batches into tensors, for the Qwen2-VL family.

The questions of a group share one prefix, which holds the pictures: prefix, question and answer
1, question and answer 2 ... stand in one row. An attention mask lets each question see the prefix
and itself only, and each continues the prefix's positions. So every answer gets the same logits as
it would alone (a test holds this), and the pictures are looked at once. Loss falls on the
answers alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.train.synthetic_data import Demonstration, MicroBatch

if TYPE_CHECKING:
    import torch

VISION_END = "<|vision_end|>"
"""What the family's chat templates write behind each image."""
IGNORE = -100
"""Label of a token that carries no loss."""
PREFIX = 0
"""Segment number of the shared prefix; questions count from 1."""
PADDING = -1


@dataclass(slots=True)
class _PackedRow:
    """One group, laid out."""

    ids: list[int]
    labels: list[int]
    segments: list[int]
    positions: list[list[int]]
    """Time, height and width of each token."""


class PackedCollator:
    """Turns one micro-batch into the keyword arguments of the model, and `labels`."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._image_id = processor.image_token_id
        self._merge = processor.image_processor.merge_size

    def __call__(self, features: list[MicroBatch]) -> dict[str, torch.Tensor]:
        groups = [group for batch in features for group in batch]
        pictures = [
            part for group in groups for part in group[0].content if not isinstance(part, str)
        ]
        vision = self._processor.image_processor(images=pictures, return_tensors="pt")
        grids = iter((vision["image_grid_thw"] // self._merge).tolist())
        rows = [self._row(group, grids) for group in groups]
        return {
            **_tensors(rows, self._tokenizer.pad_token_id),
            "pixel_values": vision["pixel_values"],
            "image_grid_thw": vision["image_grid_thw"],
        }

    def _row(self, group: list[Demonstration], grids: Any) -> _PackedRow:
        texts = [self._chat_text(demonstration) for demonstration in group]
        cuts = [text.rindex(VISION_END) + len(VISION_END) for text in texts]
        prefix = texts[0][: cuts[0]]
        if any(text[:cut] != prefix for text, cut in zip(texts, cuts, strict=True)):
            raise ValueError("the questions of a group must share all that precedes them")
        row = self._prefix_row(prefix, grids)
        start = max(row.positions[-1]) + 1
        for number, (text, cut, shown) in enumerate(zip(texts, cuts, group, strict=True), 1):
            self._append(row, number, start, text[cut:], shown.answer)
        return row

    def _chat_text(self, demonstration: Demonstration) -> str:
        content = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
            for part in demonstration.content
        ]
        text: str = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        return text

    def _prefix_row(self, prefix: str, grids: Any) -> _PackedRow:
        """The prefix's tokens, each image mark widened to one token a merged patch."""
        row = _PackedRow([], [], [], [])
        position = 0
        for token in self._tokenizer(prefix, add_special_tokens=False)["input_ids"]:
            if token != self._image_id:
                row.ids.append(token)
                row.positions.append([position] * 3)
                position += 1
                continue
            _, height, width = next(grids)
            row.ids += [token] * (height * width)
            row.positions += [
                [position, position + y, position + x] for y in range(height) for x in range(width)
            ]
            position += max(height, width)
        row.labels = [IGNORE] * len(row.ids)
        row.segments = [PREFIX] * len(row.ids)
        return row

    def _append(self, row: _PackedRow, number: int, start: int, question: str, answer: str) -> None:
        asked = self._tokenizer(question, add_special_tokens=False)["input_ids"]
        answered = self._tokenizer(answer, add_special_tokens=False)["input_ids"]
        answered = [*answered, self._tokenizer.eos_token_id]
        length = len(asked) + len(answered)
        row.ids += [*asked, *answered]
        row.labels += [*[IGNORE] * len(asked), *answered]
        row.segments += [number] * length
        row.positions += [[position] * 3 for position in range(start, start + length)]


def _tensors(rows: list[_PackedRow], pad: int) -> dict[str, torch.Tensor]:
    """Right-padded tensors; `attention_mask` is (batch, 1, query, key), True where allowed."""
    import torch

    length = max(len(row.ids) for row in rows)

    def padded(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (length - len(values))

    segments = torch.tensor([padded(row.segments, PADDING) for row in rows])
    positions = [row.positions + [[0, 0, 0]] * (length - len(row.positions)) for row in rows]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    same = segments[:, :, None] == segments[:, None, :]
    allowed = earlier & (same | (segments[:, None, :] == PREFIX))
    return {
        "input_ids": torch.tensor([padded(row.ids, pad) for row in rows]),
        "labels": torch.tensor([padded(row.labels, IGNORE) for row in rows]),
        "position_ids": torch.tensor(positions).permute(2, 0, 1).contiguous(),
        "attention_mask": allowed[:, None],
    }
