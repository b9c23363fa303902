"""Our own metrics beside what a careful reader says, and beside the programs of their name."""

from __future__ import annotations

from typing import Any

from parity import ngrams
from parity.checks import SKIPPED, Check, extracted, sensible
from parity.gold import Case


def own_checks() -> list[Check]:
    """Our own forms, against what a careful reader says where the reference is odd."""
    return [
        _own("short_answers", "exact_match.vlmevalkit", "match.exact"),
        _own("short_answers", "substring_match.llm-jp", "match.states"),
        _own("short_answers", "mtvqa.lmms", "match.states"),
        _own("short_answers", "jdocqa.llm-jp", "match.jdocqa"),
        _own("short_answers", "relaxed.lmms", "match.relaxed"),
        _own("short_answers", "jfinqa_numeric.lmeval", "match.numeric"),
        _own("short_answers", "anls.lmms", "match.anls"),
        Check(
            "choice_parsing",
            "parse.llm-jp",
            "match.choice",
            theirs=_sensible_letter,
            ours=extracted,
            against="sensible",
        ),
        _own("choice_parsing", "score.llm-jp.mecha-ja", "match.choice"),
        _own("open_parsing", "open.llm-jp.jmmmu", "match.states"),
        _own("vqa_accuracy", "vqa.lmms.vqav2", "match.vqa"),
        _own("ocr_cer", "cer_similarity.llm-jp", "ocr.similarity"),
        _own("ocr_cer", "cc_ocr.llm-jp", "ocr.character_f1"),
        Check(
            "receipt_kie",
            "kie.llm-jp",
            "ocr.receipt",
            theirs=_sensible_receipt,
            against="sensible",
        ),
        *ngrams.own_checks(),
    ]


def _own(file: str, run: str, metric: str) -> Check:
    return Check(file, run, metric, theirs=sensible, against="sensible")


def _sensible_letter(case: Case) -> Any:
    return case.answer.meta["sensible"] or None if case.judged else SKIPPED


def _sensible_receipt(case: Case) -> Any:
    """F1; a careful reader's is written as a sentence with "f1 = "."""
    if not case.entry.get("quirk"):
        return case.entry["expected"]["f1"]
    sentence = case.entry["sensible"]
    return float(sentence.rpartition("f1 = ")[2]) if sentence else SKIPPED
