"""simple-evals-mm's reading of choices, quirks included (commit 06b2f44)."""

from __future__ import annotations

import re
from collections.abc import Collection

from vlmbench.metrics.base import Answer, metric, reproduces
from vlmbench.metrics.compat.text_mmmu import letters_of
from vlmbench.records import MetricScore

_REPOSITORY = "llm-jp/simple-evals-mm at 06b2f44"
_identity = reproduces("simple-evals-mm@06b2f44")

_SAID = (
    "Answer",
    "答え",
    "答",
    "答案",
    "解答",
    "回答",
    "정답",
    "답",
    "Antwort",
    "Respuesta",
    "Réponse",
    "Risposta",
    "Resposta",
)
"""What stands before the colon and the letter, in the order in which it is looked for."""

_PATTERNS = [
    re.compile(rf"(?i){word}\s*[:：]\s*\(?\*{{0,2}}\$?([A-Za-zＡ-Ｚａ-ｚأبجدঅবডঢ])\$?\*{{0,2}}\)?")
    for word in _SAID
]

_WRAPPERS = (
    "**",
    "$\\boxed{",
    "}$",
    "\\$",
    "$\\text{",
    "$",
    "\\mathrm{",
    "\\{",
    "\\text",
    "\\(",
    "\\mathbf{",
    "{",
    "\\boxed",
)
"""Pieces of LaTeX and Markdown that are taken out one after the other."""

_LETTERS = str.maketrans("أبجدঅবডঢ", "ABCDABCD") | {
    0xFEE0 + code: chr(code) for code in (*range(65, 91), *range(97, 123))
}


@metric(source=f"{_REPOSITORY}, extract_mcq_letter", identity=_identity)
def choice(answer: Answer) -> MetricScore:
    """Share of choice questions answered with the right letter, from 0 to 1, higher is better.

    The reference is the letter. The first letter behind "Answer:", 答え：and the like that is one
    of the options. An answer without it is wrong, as where the harness has no grader; with one it
    asks a model about such answers, and its figure may be higher.
    """
    letter = _letter(answer.prediction, letters_of(answer.choices))
    return MetricScore(
        (float(letter is not None and letter in answer.references),), extracted=letter
    )


def _letter(text: str, letters: Collection[str]) -> str | None:
    for wrapper in _WRAPPERS:
        text = text.replace(wrapper, "")
    for pattern in _PATTERNS:
        found = pattern.search(text)
        if found and (letter := found[1].translate(_LETTERS).upper()) in letters:
            return letter
    return None
