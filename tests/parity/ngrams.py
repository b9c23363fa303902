"""The checks of n-gram metrics: sacrebleu, rouge_score, pycocoevalcap, and our own beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity import aggregates
from parity.checks import SKIPPED, Check, Theirs, at
from parity.gold import Case

_BLEU_TOKENIZERS = {"ja-mecab": "ja-mecab", "char": "char", "fugashi-none": "fugashi", "13a": "13a"}
_TER_OPTIONS: dict[str, dict[str, Any]] = {
    "ter": {},
    "ter.asian": {"normalized": True},
    "ter.fugashi": {"tokenizer": "fugashi"},
}
_CAPTION_TOKENIZERS = {
    "caption.wakati": "fugashi",
    "caption.char": "characters",
    "caption.wakati+ptb": "fugashi+penn",
    "caption.ptb-raw": "penn",
}
_CAPTION_METRICS = {
    "CIDEr-D": "cider_d",
    "CIDEr": "cider",
    "Bleu_1": "bleu_1",
    "Bleu_2": "bleu_2",
    "Bleu_3": "bleu_3",
    "Bleu_4": "bleu_4",
    "ROUGE_L.coco": "rouge_l",
}
_SCORE = "expected.score"


def compat_checks() -> Iterator[Check]:
    """The forms named after a program, against what it gives."""
    for run, tokenizer in _BLEU_TOKENIZERS.items():
        options: dict[str, Any] = {"tokenizer": tokenizer}
        yield _bleu(run, "bleu", options, "sentence_bleu_no_effective_order", _SCORE)
        yield _bleu(run, "sentence_bleu", options, "sentence_bleu")
    yield _corpus("text_chrf", "chrf", "chrf")
    yield _corpus("text_chrf", "chrf++", "chrf_pp")
    yield _corpus("text_chrf", "chrf++.fugashi", "chrf_pp", tokenizer="fugashi")
    for run, options in _TER_OPTIONS.items():
        yield _corpus("text_ter", run, "ter", **options)
    for kind in ("rouge1", "rouge2", "rougeL"):
        for normalizer, run in (("nfkc", "nfkc-fallback"), ("neologdn", "neologdn")):
            yield from _rouge(kind, normalizer, f"rouge.llm-jp.{run}")
    for run, tokenizer in _CAPTION_TOKENIZERS.items():
        for key, name in _CAPTION_METRICS.items():
            yield Check(
                "caption",
                run,
                f"compat_coco.{name}",
                {"tokenizer": tokenizer},
                theirs=at(key),
                aggregates=aggregates.corpora(f"expected.{key}"),
            )


def own_checks() -> Iterator[Check]:
    """Our own forms; they differ in normalization, in empty texts and in very short ones."""
    for kind, name in (("rouge1", "rouge_1"), ("rouge2", "rouge_2"), ("rougeL", "rouge_l")):
        yield _own("text_rouge", "rouge.llm-jp.nfkc-fallback", name, at(kind, "f"))
    yield _own("text_bleu", "bleu.fugashi-none", "sentence_bleu", at("sentence_bleu"), 100)
    yield _own("text_chrf", "chrf", "chrf", at(), 100)
    yield _own("text_chrf", "chrf++.fugashi", "chrf_pp", at(), 100)
    for key, name in _CAPTION_METRICS.items():
        yield Check(
            "caption",
            "caption.wakati",
            f"caption.{name}",
            theirs=at(key),
            aggregates=aggregates.none,
        )


def _bleu(run: str, name: str, options: Any, key: str, corpus: str | None = None) -> Check:
    return Check(
        "text_bleu",
        f"bleu.{run}",
        f"compat_sacrebleu.{name}",
        options,
        theirs=at(key),
        aggregates=aggregates.corpora(corpus),
    )


def _corpus(file: str, run: str, name: str, **options: Any) -> Check:
    return Check(
        file,
        run,
        f"compat_sacrebleu.{name}",
        options,
        theirs=at(),
        aggregates=aggregates.corpora(_SCORE),
    )


def _rouge(kind: str, normalizer: str, run: str) -> Iterator[Check]:
    name = "compat_evalmm_text.rouge"
    for part in ("f", "precision", "recall"):
        yield Check(
            "text_rouge",
            run,
            name,
            {"kind": kind, "part": part, "normalizer": normalizer},
            theirs=at(kind, part[0]),
            scale=0.01,
            aggregates=aggregates.none,
        )
    yield Check(
        "text_rouge",
        run,
        name,
        {"kind": kind, "normalizer": normalizer},
        theirs=_rouge_score if kind == "rougeL" else lambda case: SKIPPED,
        aggregates=aggregates.corpora(f"mean_f_x100.{kind}"),
    )


def _rouge_score(case: Case) -> Any:
    """The harness's own value, which it has for a single reference only."""
    return case.entry.get("RougeLScorer", SKIPPED)


def _own(file: str, run: str, name: str, theirs: Theirs, scale: float = 1.0) -> Check:
    return Check(
        file,
        run,
        f"overlap.{name}",
        theirs=theirs,
        scale=scale,
        aggregates=aggregates.none,
    )
