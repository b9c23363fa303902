"""The metrics named after a harness: its quirks by hand, and its values where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import GOLD
from parity.__main__ import main
from parity.checks import Check
from parity.report import markdown
from parity.table import compat_checks

from vlmbench.errors import DataError
from vlmbench.metrics.base import Answer, load_metric, metric_names
from vlmbench.records import Scalar

CITIES = ("東京", "大阪", "京都", "名古屋")
MINE = [
    name
    for name in metric_names()
    if name.startswith("compat_") and not name.startswith(("compat_sacrebleu.", "compat_coco."))
]
CHECKS = [check for check in compat_checks() if check.metric in MINE]


@pytest.mark.reference
@pytest.mark.parametrize("check", CHECKS, ids=[f"{c.run}-{c.label}" for c in CHECKS])
def test_every_item_and_aggregate_of_the_gold_files(check: Check) -> None:
    if not GOLD.is_dir():
        pytest.skip("the reference values (../shared/reference/gold) are not here")
    if check.metric.endswith(".jdocqa"):
        pytest.importorskip("ipadic", reason="the extra 'compat' is not installed")
    if check.options.get("normalizer") == "neologdn":
        pytest.importorskip("neologdn", reason="the extra 'compat' is not installed")
    row = check.row(GOLD)
    assert row is not None, "the gold file lacks the run"
    assert row.items or row.aggregates
    assert row.exceptions == ()


# metric, options, answer, references, value; from section 15 of the reference notes, or derived by
# hand from the harness's rule that the docstring tells.
VALUES: list[tuple[str, dict[str, Scalar], str, tuple[str, ...], float]] = [
    ("compat_evalmm.exact_match", {}, "東京\n", ("東京",), 0),
    ("compat_evalmm.substring_match", {}, "The correct answer is B", ("A",), 1),
    ("compat_evalmm.substring_match", {}, "There are three cats.", ("3",), 1),
    ("compat_evalmm.substring_match", {}, "someone is here", ("one",), 0),
    ("compat_evalmm.substring_match", {}, "twenty one", ("20 1",), 1),
    ("compat_evalmm.substring_match", {}, "12", ("１２",), 0),
    ("compat_evalmm.substring_match", {}, "x", ("",), 1),
    ("compat_evalmm.jic_vqa", {}, "フライパン", ("パン",), 1),
    ("compat_evalmm.mecha_ja", {}, "NBA", ("A",), 1),
    ("compat_evalmm.ai2d", {}, "b.", ("B",), 1),
    ("compat_evalmm.ai2d", {}, "(B)", ("B",), 0),
    ("compat_evalmm.blink", {}, "(B).", ("B",), 1),
    ("compat_evalmm.blink", {}, "B. foo", ("B",), 0),
    ("compat_evalmm.jmmmu_choice", {}, "みかんです", ("B",), 0),
    ("compat_evalmm.jmmmu_choice", {"unparsed_as_chance": True}, "みかんです", ("B",), 1 / 4),
    ("compat_lmms_choice.jmmmu_choice", {}, "みかんです", ("B",), 1 / 4),
    ("compat_lmms_choice.mmmu_open", {}, "3", ("3",), 0),
    ("compat_lmms_choice.mmmu_open", {"as_shipped": False}, "3", ("3",), 1),
    ("compat_lmms_choice.mmmu_open", {}, "何か", ("",), 1),
    (
        "compat_evalmm_text.rouge",
        {},
        "たかしが公園にいたようだ。",
        ("たかしが公園で遊んでいた。",),
        200 / 3,
    ),
    ("compat_evalmm_text.rouge", {}, "私は猫です。", ("私は犬です。",), 80),
    ("compat_evalmm_text.rouge", {}, "", ("",), 0),
    ("compat_evalmm_ocr.handwriting_ocr", {}, "東京都", ("東京",), 0.5),
    ("compat_evalmm_ocr.handwriting_ocr", {}, "ab", ("ＡＢ",), 1),
    ("compat_evalmm_ocr.handwriting_ocr", {}, "東京", ("東 京",), 2 / 3),
    ("compat_evalmm_ocr.handwriting_ocr", {}, "a", ("a\n",), 0.5),
    ("compat_evalmm_ocr.cc_ocr", {}, "タワー東京", ("東京 タワー",), 1),
    ("compat_evalmm_ocr.cc_ocr", {}, "ABC", ("ＡＢＣ",), 0),
    ("compat_evalmm_ocr.cc_ocr", {}, "東京都", ("東京",), 0.8),
    ("compat_evalmm_ocr.cc_ocr", {}, "", ("",), 0),
    (
        "compat_evalmm_ocr.receipt_kie",
        {},
        '{"total_amount": "¥1,280"}',
        ('{"total_amount": 1280}',),
        1,
    ),
    ("compat_evalmm_ocr.receipt_kie", {}, "読めません", ('{"total_amount": 1280}',), 0),
    ("compat_evalmm_judge.llm_as_a_judge", {}, "five", ("",), 0),
    ("compat_evalmm_judge.heron_score", {}, "Mock response", ("",), -1),
    ("compat_lmms.exact_match", {}, "-3", ("3",), 1),
    ("compat_lmms.mtvqa", {}, "0.8", ("8",), 1),
    ("compat_lmms.chartqa_relaxed", {}, "2025", ("2020",), 1),
    ("compat_lmms.chartqa_relaxed", {}, "0.0", ("0",), 0),
    ("compat_lmms.chartqa_relaxed", {}, "1,200", ("1200",), 0),
    ("compat_lmms.anls", {}, "abef", ("abcd",), 0.5),
    ("compat_lmms.slidevqa_anls", {}, "abef", ("abcd",), 0),
    ("compat_anls.anls", {}, "abef", ("abcd",), 0),
    ("compat_lmms.multidocvqa_anls", {}, "", ("",), 0),
    ("compat_lmms.vqav2", {}, "赤", ("赤",) * 10, 1),
    ("compat_lmms.vqav2", {"answer_ids": False}, "赤", ("赤",) * 10, 0),
    ("compat_vlmevalkit.chartqapro_relaxed", {}, "1,234", ("1234",), 0.8),
    ("compat_vlmevalkit.chartqapro_relaxed", {}, "['red', 5, 7]", ("[red, 5]",), 2 / 3),
    ("compat_vlmevalkit.chartqapro_relaxed", {}, "2024", ("2023",), 1),
    ("compat_vlmevalkit.chartqapro_relaxed", {"year": True}, "2024", ("2023",), 0),
    ("compat_jfinqa.exact_match", {}, "Answer: ▲１，２３４", ("-1234",), 1),
    # As lm_eval/tasks/jfinqa/test_jfinqa_utils.py of that commit has it
    ("compat_jfinqa.exact_match", {}, "計算すると\n回答：100百万円\n以上です", ("100百万円",), 1),
    ("compat_jfinqa.exact_match", {}, "回答: 42%", ("42%",), 1),
    ("compat_jfinqa.numerical_match", {}, "回答 : 41.9%\n1", ("42%",), 1),
    ("compat_jfinqa.exact_match", {}, "答え: 42%", ("42%",), 0),  # no cue of its
    ("compat_jfinqa.numerical_match", {}, "3万円", ("3億円",), 1),
    ("compat_jfinqa.numerical_match", {}, "10,000円", ("1万円",), 0),
    ("compat_jiwer.cer", {}, "東京都", ("東京",), 0.5),
    ("compat_jiwer.cer", {}, "abc", ("",), 3),
]


@pytest.mark.parametrize(("name", "options", "answer", "references", "value"), VALUES)
def test_values(
    name: str, options: dict[str, Scalar], answer: str, references: tuple[str, ...], value: float
) -> None:
    metric = load_metric(name, options)
    vector = metric.score(Answer(answer, references, CITIES)).vector
    assert float(metric.combine(np.array(vector), 1)) == pytest.approx(value, abs=1e-8)


# metric, answer, reference, meta, what the reason says: where the original ends with an exception.
UNSCORED: list[tuple[str, str, str, dict[str, Scalar], str]] = [
    ("compat_evalmm.mathvista", "inf", "100", {"answer_type": "integer"}, "OverflowError"),
    ("compat_evalmm_ocr.receipt_kie", '```json\n["x"]\n```', "{}", {}, "AttributeError"),
    ("compat_evalmm_ocr.receipt_kie", '{"line_items": 5}', "{}", {}, "TypeError"),
    ("compat_evalmm_judge.heron_score", '{"score": null, "score_gpt": 8}', "", {}, "TypeError"),
    ("compat_evalmm_judge.heron_overall_rel", "{}", "", {}, "no meta.category"),
    ("compat_heron.relative", "inf 6", "", {"category": "conv"}, "not finite"),
    ("compat_heron.relative", "7 6", "", {"category": "other"}, "'other'"),
    ("compat_evalmm_text.jdocqa", "東京", "東京", {"answer_type": 4}, "4"),
    ("compat_evalmm_text.jdocqa", "東京", "東京", {}, "None"),
    ("compat_evalmm_text.rouge", "\ud800", "東京", {}, "UnicodeEncodeError"),
]


@pytest.mark.parametrize(("name", "answer", "reference", "meta", "reason"), UNSCORED)
def test_unscored(
    name: str, answer: str, reference: str, meta: dict[str, Scalar], reason: str
) -> None:
    score = load_metric(name).score(Answer(answer, (reference,), meta=meta))
    assert score.vector is None
    assert reason in str(score.unscored)


def test_a_field_of_a_receipt_is_left_out_where_no_json_was_found() -> None:
    metric = load_metric("compat_evalmm_ocr.receipt_kie", {"value": "date"})
    assert metric.score(Answer("", ("{}",))).vector is None


def test_heron_counts_a_missing_category_as_zero() -> None:
    # Section 1a of the notes: conv 8/8 with one failure, complex 6/8, detail all failures.
    replies = [
        ("conv", (8, 8)),
        ("conv", None),
        ("complex", (6, 8)),
        ("detail", None),
    ]
    metric = load_metric("compat_evalmm_judge.heron_overall_rel")
    vectors = [
        metric.score(
            Answer(
                json.dumps({"score": pair[0], "score_gpt": pair[1]}) if pair else "?",
                ("",),
                meta={"category": category},
            )
        ).vector
        for category, pair in replies
    ]
    total = np.sum(vectors, axis=0)
    assert float(metric.combine(total, len(vectors))) == pytest.approx((100 + 0 + 75) / 3)


@pytest.mark.parametrize("name", MINE)
def test_signatures_name_what_is_reproduced(name: str) -> None:
    metric = load_metric(name)
    if name == "compat_evalmm_text.jdocqa":
        pytest.importorskip("ipadic", reason="the extra 'compat' is not installed")
    assert "|ref:" in metric.signature
    assert "|norm:nfkc-ja1" not in metric.signature


HOSTILE = ("1", "{", "{}", "```json", "(", "A*", "Answer:\n", "1,234,", "1.2.3e", "= ", "\\boxed{")


@pytest.mark.parametrize("name", MINE)
def test_patterns_take_linear_time(name: str) -> None:
    import time

    if name == "compat_evalmm_text.jdocqa":
        pytest.importorskip("ipadic", reason="the extra 'compat' is not installed")
    metric = load_metric(name)
    meta: dict[str, Scalar] = {"category": "conv", "answer_type": 3}
    metric.score(Answer("猫", ("猫",), CITIES, meta))
    for text in HOSTILE:
        start = time.process_time()
        metric.score(Answer(text * (20_000 // len(text)), ("東京",), CITIES, meta))
        assert time.process_time() - start < 0.5, text


def test_the_report_is_a_table() -> None:
    rows = [check.row(GOLD) for check in CHECKS[:2]] if GOLD.is_dir() else []
    table = markdown([row for row in rows if row])
    assert table.splitlines()[1] == "|---|---|---|---|---|---|"
    assert all(line.count("|") == 7 for line in table.splitlines())


def test_a_folder_without_gold_files_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["parity", "--gold", str(tmp_path)])
    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("give the folder with --gold.")


def test_a_gold_file_without_texts_is_one_sentence(tmp_path: Path) -> None:
    check = next(check for check in CHECKS if check.file == "short_answers")
    run = {"run_id": check.run, "parameters": {}, "per_item": {"short/001": {"expected": 1.0}}}
    content = {"schema": "vlmbench-gold/1", "inputs": {}, "runs": [run]}
    (tmp_path / "short_answers.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"short_answers.json has no texts to score"):
        check.row(tmp_path)


@given(answer=st.text(st.characters(), max_size=40), reference=st.text(max_size=20))
@settings(max_examples=25, deadline=None)
def test_forms_of_one_rule_agree(answer: str, reference: str) -> None:
    """What the docstrings call equal between harnesses is equal."""
    one = Answer(answer, (reference,), CITIES)

    def score(name: str, **options: Scalar) -> object:
        return load_metric(name, options).score(one).vector

    assert score("compat_lmms.anls") == score("compat_vlmevalkit.anls")
    assert score("compat_evalmm.jmmmu_open") == score("compat_lmms_choice.jmmmu_open")
    assert score("compat_evalmm.jmmmu_choice") == score(
        "compat_lmms_choice.jmmmu_choice", unparsed_as_chance=False
    )
