"""Examples -> the tensors that a model learns from, for any family that transformers loads.

The prompt, its images included, is made by the encoder of `vlmbench run`, so that a model learns
what it is asked later. Behind it stand the answer's own tokens and the stop token, and between
the answers of a longer conversation what the chat template writes there; `later_images` says how
where images stand between them. Labels start closed and
open over answers and their stop token alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.errors import DataError, ModelError
from vlmbench.records import Image
from vlmbench.runners.hf.inputs import Encoder
from vlmbench.runners.hf.load import InputPipeline
from vlmbench.runners.hf.prompt_digest import prompt_digest
from vlmbench.train.batch import IGNORE, PREFIX, Batch, Continuation, Cut, assemble
from vlmbench.train.data.examples import Example, Turn
from vlmbench.train.later_images import gaps, shows_later_images
from vlmbench.train.questions import (
    first_request,
    place_of,
    question_of,
    request_parts,
    split_turns,
)
from vlmbench.train.shared_prefix import RowPlan, alone, image_tokens, plan_rows

_PROBE = "vlmbenchprobe"
"""A text that no template writes by itself."""


@dataclass(frozen=True, slots=True)
class Size:
    """What an example costs."""

    tokens: int
    """Of the whole conversation, images and answers included."""
    learned: int
    """Tokens that the loss falls on."""
    images: int


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Tokens behind the first prompt."""

    tokens: list[int]
    learned: bool


class ExampleEncoder:
    """Makes batches for one model.

    Args:
        options: Of the ModelSpec, as the runner gets them.
        ends: Ids of the tokens at which the model stops when it generates.

    Raises:
        ModelError: No token ends an answer.
    """

    def __init__(
        self, pipeline: InputPipeline, options: Mapping[str, Any], ends: Sequence[int]
    ) -> None:
        self.prompts = Encoder(pipeline, options)
        """The encoder of `vlmbench run`."""
        self._tokenizer = self.prompts.tokenizer
        self._text_only = pipeline.family.text_only
        self._image_tokens = image_tokens(pipeline.processor, pipeline.tokenizer, pipeline.config)
        self._stop_id, self._stop_text = self._find_stop(ends)
        self.digest = prompt_digest(pipeline, self.prompts)
        """Of how prompts are made; another one means that a run asks otherwise."""

    def size(self, example: Example) -> Size:
        """What an example costs; checks it as a batch of it would.

        Raises:
            DataError: See `batch`.
        """
        batch = self.batch([(example,)])
        return Size(batch.labels.shape[1], batch.learned, len(example.images))

    def batch(self, groups: Sequence[Sequence[Example]]) -> Batch:
        """The tensors of some groups of examples, which all have images or all have none.

        The examples of a group stand in one row where they share their pictures and all that
        precedes these; else each has a row.

        Raises:
            DataError: An image cannot be read, an example does not fit the model, or there is
                nothing to learn in it.
        """
        plans = [plan for group in groups for plan in self._plans(group)]
        encoded = self._encoded([plan.examples[0] for plan in plans])
        prompts = encoded["attention_mask"].bool()
        for plan, ids, prompt in zip(plans, encoded["input_ids"], prompts, strict=True):
            first = plan.questions[0]
            if first and ids[prompt].tolist()[-len(first) :] != first:
                # The processor writes the prompt otherwise than the template alone.
                return self.batch([(one,) for plan in plans for one in plan.examples])
        rows = [
            self._with_later_images(plan.examples[0], ids[prompt].tolist())
            if shows_later_images(plan.examples[0])
            else self._continued(plan)
            for plan, ids, prompt in zip(plans, encoded["input_ids"], prompts, strict=True)
        ]
        examples = [example for plan in plans for example in plan.examples]
        return assemble(encoded, rows, examples, self._tokenizer.pad_token_id)

    def _plans(self, group: Sequence[Example]) -> list[RowPlan]:
        if len(group) == 1 or any(shows_later_images(one) for one in group):
            return [alone(one) for one in group]
        try:
            return plan_rows(group, self._prompt_tokens, self._image_tokens)
        except DataError:  # the row will be named when it is encoded
            return [alone(one) for one in group]

    def _prompt_tokens(self, examples: Sequence[Example]) -> list[list[int]]:
        """Of each example's first question as the template writes it."""
        messages = [self.prompts.conversation(question_of(one, "")) for one in examples]
        texts = [self.prompts.rendered(one) for one in messages]
        found = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [list(tokens) for tokens in found]

    def _encoded(self, examples: Sequence[Example]) -> Any:
        """The inputs of each example's first question, or last one where later images are shown."""
        requests = [first_request(example, str(at)) for at, example in enumerate(examples)]
        encoded = self.prompts.encode(
            requests, lambda request: self._messages(examples[int(request.sample_id)])
        )
        if encoded.failed:
            problem = encoded.failed[0]
            example = examples[int(problem.sample_id)]
            reason = problem.error.message.rstrip(".") if problem.error else "unknown"
            raise DataError(f"{place_of(example)} cannot be learned from ({reason}); leave it out.")
        return encoded.inputs

    def _continued(self, plan: RowPlan) -> Continuation:
        """What follows the first question of a row: its answer, the next question ..."""
        row = Continuation(own=len(plan.questions[0]))
        for number, (example, question) in enumerate(
            zip(plan.examples, plan.questions, strict=True), 1
        ):
            asked = question if number > 1 else []  # the prompt has the first one already
            stretches = self._continuation(example)
            tokens = [token for one in stretches for token in one.tokens]
            learned = [one.learned for one in stretches for _ in one.tokens]
            row.add(number, [*asked, *tokens], [*[False] * len(asked), *learned])
        return row

    def _with_later_images(self, example: Example, ids: Sequence[int]) -> Continuation:
        """The answers of a prompt that has marks for all but the last."""
        messages = self._messages(example)
        mark = self._stop_id, self._stop_text
        found = gaps(self.prompts, messages, ids, mark, place_of(example))
        *earlier, last = self._continuation(example)[::2]
        tokens, learned, cuts = list[int](), list[bool](), list[Cut]()
        for gap, answer in zip(found, earlier, strict=True):
            new = [*gap.before, *answer.tokens]
            cuts.append(Cut(gap.start, gap.end, len(new)))
            tokens += new
            learned += [False] * len(gap.before) + [answer.learned] * len(answer.tokens)
        row = Continuation(0, tuple(cuts))
        row.add(PREFIX, [*tokens, *last.tokens], [*learned, *[last.learned] * len(last.tokens)])
        return row

    def _messages(self, example: Example) -> list[dict[str, Any]]:
        """What the processor is given: the first question; or all up to the last one, with marks
        for the answers, where later images are shown."""
        messages = self.prompts.conversation(question_of(example, ""))
        if shows_later_images(example):
            for turn in split_turns(example)[1][1::2]:
                mark = {"role": "assistant", "content": [{"type": "text", "text": self._stop_text}]}
                messages += [mark, self._asked(turn)]
        return messages

    def marked(self, example: Example) -> str:
        """The conversation as the model sees it, what is learned between 【 and 】."""
        batch = self.batch([(example,)])
        ids, labels = batch.inputs["input_ids"][0].tolist(), batch.labels[0].tolist()
        parts, opened = [], False
        start = 0
        for at in range(len(ids) + 1):
            opens = at < len(ids) and labels[at] != IGNORE
            if at == len(ids) or opens != opened:
                parts.append(self._tokenizer.decode(ids[start:at], skip_special_tokens=False))
                parts.append("【" if opens else "】" if opened else "")
                start, opened = at, opens
        return "".join(parts)

    def _continuation(self, example: Example) -> list[_Stretch]:
        """What stands behind the first prompt: an answer, the next question, an answer ..."""
        _, rest = split_turns(example)
        messages, before = list[dict[str, Any]](), ""
        if len(rest) > 1:
            messages = self.prompts.conversation(question_of(example, ""))
            before = self.prompts.rendered(messages)
        stretches: list[_Stretch] = []
        for at, turn in enumerate(rest):
            if turn.role == "user":
                continue
            stretches.append(_Stretch(self._answer(turn, example), turn.learn))
            messages.append(self._message("assistant", turn.text))
            if at + 1 < len(rest):
                messages.append(self._asked(rest[at + 1]))
                after = self.prompts.rendered(messages)
                between = self._tokens(self._between(before, after, turn, example))
                stretches.append(_Stretch(between, learned=False))
                before = after
        if not any(one.learned for one in stretches):
            raise DataError(f"{place_of(example)} has no answer to learn; leave the row out.")
        return stretches

    def _answer(self, turn: Turn, example: Example) -> list[int]:
        """The answer's tokens and the stop token, which read back as the answer."""
        text = self.prompts.escaped(turn.text).strip()
        tokens = self._tokens(text)
        read = self._tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        if not tokens or read.strip() != text:
            problem = f"reads back as '{read[:40]}'" if tokens else "is empty"
            raise DataError(
                f"The answer '{text[:40]}' of {place_of(example)} {problem}, so the model cannot "
                "learn to write it; correct the row or leave it out."
            )
        return [*tokens, self._stop_id]

    def _between(self, before: str, after: str, answer: Turn, example: Example) -> str:
        """What the template writes between an answer's stop token and the next answer."""
        text = self.prompts.escaped(answer.text).strip()
        if not after.startswith(before) or not after[len(before) :].lstrip().startswith(text):
            raise DataError(
                f"The chat template writes the earlier turns of {place_of(example)} otherwise once "
                "a later one follows; split the conversation into rows of one answer each."
            )
        rest = after[len(before) :].lstrip()[len(text) :]
        return rest.lstrip(" ").removeprefix(self._stop_text)

    def _asked(self, turn: Turn) -> dict[str, Any]:
        """A later question."""
        if not any(isinstance(part, Image) for part in turn.parts):
            return self._message("user", turn.text)
        return {"role": "user", "content": self.prompts.content(request_parts(turn))}

    def _message(self, role: str, text: str) -> dict[str, Any]:
        escaped = self.prompts.escaped(text)
        text = escaped.strip() if role == "assistant" else escaped
        content = text if self._text_only else [{"type": "text", "text": text}]
        return {"role": role, "content": content}

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _find_stop(self, ends: Sequence[int]) -> tuple[int, str]:
        """The token that the template writes behind an answer, or else the model's own end."""
        messages = [self._message("user", "a"), self._message("assistant", _PROBE)]
        behind = self.prompts.rendered([*messages, self._message("user", "b")])
        known = [token for token in (*ends, self._tokenizer.eos_token_id) if token is not None]
        rest = behind.partition(_PROBE)[2]
        for text in (rest, rest.lstrip()):  # a line break may be what ends an answer
            tokens = self._tokens(text)
            if tokens and tokens[0] in known:
                return tokens[0], self._tokenizer.decode(tokens[:1])
        if not known:
            raise ModelError(
                "The model has no token that ends an answer; give its generation_config.json an "
                "eos_token_id."
            )
        return known[0], self._tokenizer.decode(known[:1])
