"""The answer behind the reasoning that a model writes before it.

    <think>…</think>東京    [THINK]…[/THINK]東京    ◁think▷…◁/think▷東京
    <seed:think>…</seed:think>東京
    <|channel|>analysis<|message|>…<|end|>…<|channel|>final<|message|>東京
    <|START_THINKING|>…<|END_THINKING|><|START_RESPONSE|>東京<|END_RESPONSE|>

Every metric of our own and every judge sees the answer alone; the journal keeps the whole text.
"""

from __future__ import annotations

import re

from vlmbench.text.japanese import normalize

REASONING_FORM = "reasoning2"
"""Version of `without_reasoning`."""

_WORDS = "think|thinking|thought|reasoning|seed:think|seed:cot_think"
_START = re.compile(
    rf"<(?:{_WORDS})>|\[THINK\]|◁think▷|<\|(?:START_THINKING|begin_of_thought|thought_start)\|>"
    r"|<\|channel\|>\s*(?:analysis|commentary)[^<]{0,40}<\|message\|>",
    re.IGNORECASE,
)
_END = re.compile(
    rf"</(?:{_WORDS})>|\[/THINK\]|◁/think▷|<\|(?:END_THINKING|end_of_thought|thought_end)\|>"
    r"|<\|channel\|>\s*final[^<]{0,40}<\|message\|>",
    re.IGNORECASE,
)
# The same marks as gpt-oss leaves them where its special tokens are dropped.
_CHANNELS_WITHOUT_MARKS = re.compile(r"\Aanalysis.*assistantfinal(?=\S)", re.DOTALL)
_FRAME = re.compile(
    r"<\|(?:START_RESPONSE|END_RESPONSE|begin_of_solution|end_of_solution|end|return)\|>",
    re.IGNORECASE,
)
_MAY_REASON = re.compile(r"[<◁]|\[/?THINK\]|\Aanalysis", re.IGNORECASE)
_MARK = re.compile(
    rf"</?(?:{_WORDS})>|\[/?THINK\]|◁/?think▷|<\|(?:channel|message|start|end|return)\|>"
    r"|<\|(?:START|END)_(?:THINKING|RESPONSE)\|>|<\|(?:begin|end)_of_(?:thought|solution)\|>"
    r"|<\|thought_(?:start|end)\|>",
    re.IGNORECASE,
)
_HEAD, _LAST = 4000, 8000


def without_reasoning(text: str) -> str:
    """What follows the last reasoning block, with or without the mark that opens it.

    A block that is never closed has no answer behind it: only what precedes it is left, in most
    cases nothing. Text without such a block stays as it is.
    """
    if not _MAY_REASON.search(text):
        return text
    ends = list(_END.finditer(text))
    if ends:
        text = text[ends[-1].end() :].lstrip()
    elif found := _CHANNELS_WITHOUT_MARKS.match(text):
        text = text[found.end() :]
    if opened := _START.search(text):
        return text[: opened.start()]
    return _FRAME.sub("", text)


def is_reasoning_mark(token: str) -> bool:
    """Whether a special token is such a mark or a part of one, so that it must not get lost."""
    return bool(_MARK.fullmatch(token))


def ends_in_reasoning(text: str) -> bool:
    """Whether a reasoning block is opened and never closed, so that no answer follows."""
    ends = list(_END.finditer(text))
    return _START.search(text, ends[-1].end() if ends else 0) is not None


def answer_lines(text: str) -> str:
    """The answer after its reasoning, each line normalized.

    Of an answer longer than 12,000 characters only the first 4,000 and the last 8,000, where final
    answers are.
    """
    text = without_reasoning(text)
    if len(text) > _HEAD + _LAST:
        text = text[:_HEAD] + "\n" + text[-_LAST:]
    return "\n".join(normalize(line) for line in text.splitlines()).strip()
