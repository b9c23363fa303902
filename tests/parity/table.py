"""Which form named after a harness stands beside which run of the gold files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity import aggregates, ngrams
from parity.checks import (
    MEAN,
    RAISES,
    SKIPPED,
    Aggregates,
    Check,
    at,
    counted_triple,
    expected,
    extracted,
    overall,
)
from parity.gold import Case
from vlmbench.metrics.compat.evalmm_ocr import FIELDS

LEFT_OUT = {
    "judge: board_vqa.boxed": "what is given to a judge, no score",
    "tokenisation: tok": "no score; the same words are behind the rows of text_bleu",
    "caption: METEOR": "needs a Java program",
    "text_rouge: rouge_ja on whole lists": "a bootstrap median without a seed, random",
}
"""Runs and values that no metric stands beside, and why."""

_NOTHING = {None, False, "RANDOM", "X", "No Answer Found.", "API Error"}


def _letter(case: Case) -> Any:
    value = expected(case)
    return None if value in _NOTHING else value


def _pair(case: Case) -> Any:
    """A judge's two scores as the start of our vector."""
    value = expected(case)
    if value is RAISES:
        return RAISES
    if isinstance(value, list):
        reference, model = value
        # Infinite scores, which the original takes, would make every mean infinite.
        return (
            RAISES
            if isinstance(reference, dict) or isinstance(model, dict)
            else (1, model, reference)
        )
    return (1, value["score"], value["score_gpt"])


def _field(name: str) -> Any:
    """Whether a receipt's field is equal; nothing to compare where the answer has no JSON."""

    def theirs(case: Case) -> Any:
        value = expected(case)
        if value is RAISES:
            return RAISES
        return RAISES if value["parse_error"] else value["field_accuracy"][f"field_{name}"]

    return theirs


def _short(run: str, metric: str, aggregates: Aggregates = MEAN) -> Check:
    return Check("short_answers", run, metric, aggregates=aggregates)


def _choice(run: str, metric: str, **options: Any) -> Check:
    return Check(
        "choice_parsing",
        run,
        metric,
        options,
        theirs=_letter,
        ours=extracted,
        aggregates=overall("accuracy_vs_gold"),
    )


def _skipped(case: Case) -> Any:
    return SKIPPED


def _receipts() -> Iterator[Check]:
    for value in ("f1", "precision", "recall", *FIELDS):
        in_corpus = f"field_{value}" if value in FIELDS else value
        yield Check(
            "receipt_kie",
            "kie.llm-jp",
            "compat_evalmm_ocr.receipt_kie",
            {"value": value},
            theirs=_field(value) if value in FIELDS else at("expected", value),
            aggregates=overall(f"reference_aggregate.details.{in_corpus}"),
        )


def _documents(run: str, metric: str, **paths: str) -> Check:
    return Check(
        "ocr_cer",
        run,
        metric,
        theirs=at("expected", paths["item"]) if paths.get("item") else expected,
        aggregates=overall(*paths["corpus"].split()),
    )


def compat_checks() -> list[Check]:
    """The forms named after a harness, against what that harness gives."""
    return [
        _short("exact_match.llm-jp", "compat_evalmm.exact_match"),
        _short("exact_match.vlmevalkit", "compat_vlmevalkit.exact_match"),
        _short("exact_match.lmms", "compat_lmms.exact_match"),
        _short("substring_match.llm-jp", "compat_evalmm.substring_match"),
        _short("jic_vqa.llm-jp", "compat_evalmm.jic_vqa", aggregates.macro_by_kind),
        _short("mtvqa.lmms", "compat_lmms.mtvqa", aggregates.mtvqa),
        _short("jdocqa.llm-jp", "compat_evalmm_text.jdocqa", aggregates.jdocqa),
        _short("relaxed.lmms", "compat_lmms.chartqa_relaxed"),
        _short("relaxed.vlmevalkit", "compat_vlmevalkit.chartqa_relaxed"),
        _short("relaxed_pro.vlmevalkit", "compat_vlmevalkit.chartqapro_relaxed"),
        _short("jfinqa_exact.lmeval", "compat_jfinqa.exact_match"),
        _short("jfinqa_numeric.lmeval", "compat_jfinqa.numerical_match"),
        _short("mathvista_free.llm-jp", "compat_evalmm.mathvista"),
        _short("anls.lmms", "compat_lmms.anls"),
        _short("anls.vlmevalkit", "compat_vlmevalkit.anls"),
        _short("anls.multidocvqa", "compat_lmms.multidocvqa_anls"),
        _short("anls.dude", "compat_lmms.dude_anls"),
        _short("anls.slidevqa", "compat_lmms.slidevqa_anls"),
        _short("anls.pypi", "compat_anls.anls"),
        Check(
            "jdocqa_mixed",
            "jdocqa.llm-jp",
            "compat_evalmm_text.jdocqa",
            aggregates=aggregates.jdocqa,
        ),
        _choice("parse.llm-jp", "compat_evalmm.jmmmu_choice"),
        _choice("parse.llm-jp.random", "compat_evalmm.jmmmu_choice"),
        _choice("parse.lmms.jmmmu", "compat_lmms_choice.jmmmu_choice", unparsed_as_chance=False),
        _choice("parse.lmms.mmmu", "compat_lmms_choice.mmmu_choice", unparsed_as_chance=False),
        _choice("parse.lmms.jmmmu_pro", "compat_lmms_choice.jmmmu_pro_choice"),
        _choice("parse.lmms.videommmu", "compat_lmms_choice.video_mmmu_choice"),
        _choice("parse.vlmevalkit", "compat_vlmevalkit.choice"),
        Check(
            "choice_parsing",
            "parse.llm-jp.mathvista",
            "compat_evalmm.mathvista",
            ours=extracted,
            aggregates=aggregates.letters,
        ),
        Check("choice_parsing", "score.llm-jp.ai2d", "compat_evalmm.ai2d"),
        Check("choice_parsing", "score.llm-jp.blink", "compat_evalmm.blink"),
        Check(
            "choice_parsing",
            "score.llm-jp.mecha-ja",
            "compat_evalmm.mecha_ja",
            aggregates=aggregates.mecha_ja,
        ),
        Check(
            "choice_parsing",
            "score.llm-jp.jmmmu",
            "compat_evalmm.jmmmu",
            aggregates=aggregates.subjects(aggregates.JMMMU_DOMAINS),
        ),
        Check(
            "choice_parsing",
            "score.llm-jp.mmmu",
            "compat_evalmm.mmmu",
            aggregates=aggregates.subjects(aggregates.MMMU_DOMAINS),
        ),
        Check("open_parsing", "open.llm-jp.jmmmu", "compat_evalmm.jmmmu_open"),
        Check(
            "open_parsing",
            "open.llm-jp.jmmmu.shipped",
            "compat_evalmm.jmmmu_open",
            {"grown_indicators": True},
        ),
        Check("open_parsing", "open.llm-jp.mmmu", "compat_evalmm.mmmu_open"),
        Check("open_parsing", "open.lmms.jmmmu", "compat_lmms_choice.jmmmu_open"),
        Check("open_parsing", "open.lmms.mmmu", "compat_lmms_choice.mmmu_open"),
        Check(
            "open_parsing",
            "open.lmms.mmmu.functions",
            "compat_lmms_choice.mmmu_open",
            {"as_shipped": False},
        ),
        Check("vqa_accuracy", "vqa.lmms.vqav2", "compat_lmms.vqav2"),
        Check("vqa_accuracy", "vqa.lmms.vqav2.noid", "compat_lmms.vqav2", {"answer_ids": False}),
        Check("vqa_accuracy", "vqa.lmms.textvqa", "compat_lmms.textvqa"),
        Check("vqa_accuracy", "vqa.vlmevalkit", "compat_vlmevalkit.vqa_score"),
        _documents(
            "cer_similarity.llm-jp",
            "compat_evalmm_ocr.handwriting_ocr",
            corpus="reference_aggregate.overall",
        ),
        _documents("cer.jiwer", "compat_jiwer.cer", corpus="corpus_cer"),
        _documents(
            "cc_ocr.llm-jp",
            "compat_evalmm_ocr.cc_ocr",
            corpus="reference_aggregate.overall reference_aggregate.details.mean_sample_f1",
        ),
        Check(
            "ocr_cer",
            "cc_ocr.llm-jp",
            "compat_evalmm_ocr.cc_ocr_micro",
            theirs=_skipped,
            aggregates=overall("reference_aggregate.details.micro_f1_score"),
        ),
        _documents(
            "cc_ocr.vlmevalkit",
            "compat_vlmevalkit.cc_ocr_macro",
            item="macro_f1_score",
            corpus="reference_aggregate.macro_f1_score",
        ),
        _documents(
            "cc_ocr.vlmevalkit",
            "compat_vlmevalkit.cc_ocr_micro",
            item="mirco_f1_score",
            corpus="reference_aggregate.mirco_f1_score",
        ),
        _documents(
            "cc_ocr.lmms",
            "compat_lmms_choice.cc_ocr_macro",
            item="macro_f1",
            corpus="reference_aggregate.macro_f1",
        ),
        _documents(
            "cc_ocr.lmms",
            "compat_lmms_choice.cc_ocr_micro",
            item="micro_f1",
            corpus="reference_aggregate.micro_f1",
        ),
        *_receipts(),
        *ngrams.compat_checks(),
        Check(
            "judge",
            "heron.parse_score",
            "compat_evalmm_judge.heron_rel",
            theirs=_pair,
            ours=counted_triple,
            aggregates=aggregates.none,
        ),
        Check(
            "judge",
            "heron.aggregate",
            "compat_evalmm_judge.heron_overall_rel",
            aggregates=aggregates.heron,
            has_items=False,
        ),
        Check("judge", "llm_as_a_judge.digit", "compat_evalmm_judge.llm_as_a_judge"),
        Check("judge", "board_vqa.yesno", "compat_evalmm_judge.board_vqa"),
        Check(
            "judge",
            "heron_legacy.parse_score",
            "compat_heron.relative",
            theirs=_pair,
            ours=counted_triple,
            aggregates=aggregates.none,
        ),
        Check(
            "judge",
            "heron_legacy.sample_reviews",
            "compat_heron.relative",
            theirs=_pair,
            ours=counted_triple,
            aggregates=aggregates.sample_reviews,
        ),
    ]
