"""`vlmbench metrics` and `vlmbench score --metrics`: what they print, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tasks import color_rows, write_task

from vlmbench.cli.main import main
from vlmbench.metrics.base import Answer, load_metric, metric_names
from vlmbench.scoring.predictions_file import score_file

GOOD: list[dict[str, Any]] = [
    {"id": "a", "prediction": "赤い橋。", "references": ["赤い橋"]},
    {"id": "b", "prediction": "猫", "references": ["犬", "猫"], "kind": "animal"},
    {"id": 3, "prediction": "電車", "references": ["バス"], "choices": ["電車", "バス"]},
]


def call(*arguments: str) -> int:
    """The exit code of a command."""
    try:
        return main(arguments)
    except SystemExit as way_out:  # argparse's own
        return int(way_out.code or 0)


def lines(values: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.jsonl"
    path.write_text(lines(GOOD), encoding="utf-8")
    return path


def test_a_file_is_scored_line_by_line_and_as_a_whole(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("metrics", "score", "match.exact", str(good)) == 0
    *samples, corpus = map(json.loads, capsys.readouterr().out.splitlines())
    assert [one["id"] for one in samples] == ["a", "b", 3]
    assert [one["value"] for one in samples] == [1, 1, 0]
    assert all(set(one) == {"id", "value", "extracted", "unscored"} for one in samples)
    assert (corpus["metric"], corpus["n"], corpus["unscored"]) == ("match.exact", 3, 0)
    assert corpus["value"] == pytest.approx(2 / 3)
    # Wilson's interval of 2 out of 3, as in tests/test_stats.py.
    assert (corpus["low"], corpus["high"]) == pytest.approx((0.20766, 0.93851), abs=1e-5)
    assert corpus["signature"] == load_metric("match.exact").signature


def test_json_is_one_document(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("metrics", "score", "match.exact", str(good), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in document["samples"]] == ["a", "b", 3]
    assert document["corpus"]["n"] == 3


def test_options_have_their_types(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--option", "tolerance=0", "--option", "counts_exact=true")
    assert call("metrics", "score", "match.relaxed", str(good), *options) == 0
    corpus = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "|counts_exact:True|" in corpus["signature"]
    assert "|tolerance:0.0|" in corpus["signature"]


def test_a_metric_that_needs_all_references(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("metrics", "score", "caption.cider_d", str(good)) == 0
    *samples, corpus = map(json.loads, capsys.readouterr().out.splitlines())
    ready = load_metric("caption.cider_d").prepare([one["references"] for one in GOOD])
    expected = [
        ready.score(Answer(one["prediction"], tuple(one["references"]))).vector for one in GOOD
    ]
    assert [(one["value"],) for one in samples] == expected
    assert corpus["n"] == 3


def test_the_corpus_value_is_not_always_a_mean(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("metrics", "score", "overlap.bleu", str(good)) == 0
    *samples, corpus = map(json.loads, capsys.readouterr().out.splitlines())
    metric = load_metric("overlap.bleu")
    vectors = [
        metric.score(Answer(one["prediction"], tuple(one["references"]))).vector for one in GOOD
    ]
    totals = np.sum(np.array(vectors, dtype=float), axis=0)
    assert corpus["value"] == pytest.approx(float(metric.combine(totals, len(GOOD))))
    assert corpus["value"] != pytest.approx(np.mean([one["value"] for one in samples]))


def test_unscored_lines_have_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(lines(GOOD[:1]), encoding="utf-8")
    assert call("metrics", "score", "caption.cider_d", str(path)) == 0
    sample, corpus = map(json.loads, capsys.readouterr().out.splitlines())
    assert sample["value"] is None and "document frequencies" in sample["unscored"]
    assert (corpus["n"], corpus["unscored"], corpus["value"]) == (0, 1, None)


def test_a_pipe_and_standard_input(good: Path) -> None:
    command = [sys.executable, "-m", "vlmbench", "metrics", "score", "match.exact"]
    with good.open("rb") as stream:
        plain = subprocess.check_output([*command, str(good)])
        redirected = subprocess.check_output([*command, "-"], stdin=stream)
    piped = subprocess.run([*command, "-"], input=good.read_bytes(), capture_output=True).stdout
    assert plain == redirected == piped
    assert plain.count(b"\n") == 4


def test_texts_of_any_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.jsonl"
    odd = r'{"id": "\ud800", "prediction": "\ud800\u0000", "references": ["\u2028"]}'
    path.write_bytes(b"\xef\xbb\xbf" + odd.encode() + b"\r\n\r\n")
    assert call("metrics", "score", "overlap.rouge_l", str(path)) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["id"] is not None


BAD_LINES = [
    ("", "There are no lines in"),
    ("\n \n", "There are no lines in"),
    ("{", "Line 1 of bad.jsonl is not JSON (Expecting property name"),
    (lines(GOOD) + "{'id': 1}\n", "Line 4 of bad.jsonl is not JSON"),
    ("[" * 100_000, "Line 1 of bad.jsonl is not JSON"),
    ("[]", "Line 1 of bad.jsonl is a list and no JSON object"),
    ('{"id": 1, "references": ["a"]}', "has no 'prediction'"),
    ('{"prediction": "a", "references": ["a"]}', "has no 'id'"),
    ('{"id": 1, "prediction": "a"}', "has no 'references'"),
    ('{"id": 1, "prediction": "a", "references": []}', "'references' in line 1 of bad.jsonl is em"),
    (
        '{"id": 1, "prediction": "a", "references": "a"}',
        "'references' in line 1 of bad.jsonl holds",
    ),
    ('{"id": 1, "prediction": "a", "references": [1]}', "holds a number where a text belongs"),
    ('{"id": 1, "prediction": null, "references": ["a"]}', "holds null where a text belongs"),
    ('{"id": 1, "prediction": ["a"], "references": ["a"]}', "holds a list where a text belongs"),
    ('{"id": 1.5, "prediction": "a", "references": ["a"]}', "The id in line 1 of bad.jsonl is a n"),
    ('{"id": true, "prediction": "a", "references": ["a"]}', "is a truth value"),
    ('{"id": 1, "prediction": "a", "references": ["a"], "choices": [1]}', "The field 'choices' in"),
    (lines(GOOD) + lines(GOOD[:1]), "The id 'a' stands twice in bad.jsonl"),
    (lines(GOOD) + lines([{**GOOD[0], "id": "3"}]), "The id '3' stands twice in bad.jsonl"),
]


@pytest.mark.parametrize(("text", "fragment"), BAD_LINES)
def test_bad_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    fragment: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.jsonl").write_text(text, encoding="utf-8")
    assert call("metrics", "score", "match.exact", "bad.jsonl") == 2
    captured = capsys.readouterr()
    assert fragment in captured.err
    assert captured.err.startswith("vlmbench: ") and captured.err.count("\n") == 1
    assert not captured.out, "nothing of a file that is not all right"


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ("match.exat good.jsonl", "Did you mean 'match.exact'"),
        ("match.exact gone.jsonl", "The file gone.jsonl cannot be read"),
        ("match.exact .", "cannot be read"),
        ("match.exact binary", "Line 1 of binary is not JSON (not UTF-8)"),
        ("match.exact good.jsonl --option x=1", "Unknown option of match.exact"),
        ("match.relaxed good.jsonl --option tolerence=0.1", "Did you mean 'tolerance'"),
        ("match.relaxed good.jsonl --option tolerance=much", "give it a number from 0 to 1"),
        ("match.relaxed good.jsonl --option tolerance=2", "give it a number from 0 to 1"),
        ("match.relaxed good.jsonl --option counts_exact=1", "give it true or false"),
        ("match.relaxed good.jsonl --option tolerance", "has no value; write it as NAME=VALUE"),
        ("match.exact", "required: FILE"),
        ("semantic.bert_score good.jsonl --option model=./gone", "The encoder ./gone cannot"),
        ("semantic.bert_score good.jsonl --option layer=x", "a whole number from 0 to 200"),
    ],
)
def test_mistakes(
    good: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    fragment: str,
) -> None:
    monkeypatch.chdir(good.parent)
    Path("binary").write_bytes(b"\xff\xfe\x00\n")
    assert call("metrics", "score", *arguments.split()) == 2
    message = capsys.readouterr().err
    assert fragment in message
    assert message.startswith("vlmbench: ") and message.count("\n") == 1


def test_a_long_file_is_streamed(tmp_path: Path) -> None:
    """2,000 lines of 3,000 characters: the texts are 24 MB, what is kept is less than half."""
    path = tmp_path / "long.jsonl"
    with path.open("w", encoding="utf-8") as handle:
        for number in range(2_000):
            text = "あ" * 3_000 + f"{number:06}"
            handle.write(json.dumps({"id": number, "prediction": text, "references": [text]}))
            handle.write("\n")
    metric = load_metric("compat_evalmm.exact_match")  # does next to nothing itself
    tracemalloc.start()
    try:
        estimate = score_file(metric, path, emit=lambda line: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (estimate.value, estimate.n) == (1, 2_000)
    assert peak < 10e6


def test_list_names_every_metric_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("metrics", "list") == 0
    out = capsys.readouterr().out
    for name in metric_names():
        assert out.count(f" {name} ") == 1
    assert call("metrics", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == list(metric_names())


def test_show_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("metrics", "show", "match.relaxed", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["range"] == [0, 1]
    assert shown["options"]["tolerance"] == 0.05
    assert shown["signature"] == load_metric("match.relaxed").signature
    assert "Masry" in shown["source"] and "tolerance" in shown["definition"]


@pytest.fixture
def runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The runs of the oracle and of the most frequent answer on a small task."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "good", color_rows(6))
    models = "baseline:oracle,baseline:majority"
    assert call("run", "--quiet", "--model", models, "--tasks", "good/colors.yaml") == 0
    capsys.readouterr()
    return tmp_path / "runs"


def contents(runs: Path) -> dict[str, bytes]:
    """The derived files."""
    names = ("run.json", "scores.jsonl")
    return {str(path): path.read_bytes() for path in runs.rglob("*") if path.name in names}


def test_score_adds_metrics_and_takes_them_away_again(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(runs)
    extra = ("--metrics", "overlap.rouge_l,match.exact,overlap.bleu", "--option", "beta=2")
    assert call("score", str(runs), *extra, "--json") == 0
    records = json.loads(capsys.readouterr().out)["runs"]
    overall = [one for one in records[0]["estimates"] if one["slice"] is None]
    headlines = {one["metric"]: one["headline"] for one in overall}
    assert headlines["match.exact"] is True
    assert headlines["overlap.rouge_l:beta=2.0"] is False
    assert headlines["overlap.bleu"] is False
    assert [one["metric"] for one in overall].count("match.exact") == 1
    first = contents(runs)
    assert b"overlap.rouge_l:beta=2.0" in first[str(runs / "baseline-oracle/colors/scores.jsonl")]
    assert call("score", str(runs), *extra) == 0
    assert contents(runs) == first
    assert call("score", str(runs)) == 0
    assert contents(runs) == before


def test_scored_runs_can_be_reported(runs: Path) -> None:
    assert call("score", str(runs), "--metrics", "overlap.rouge_l", "--option", "beta=2") == 0
    assert call("report", str(runs), "--out", "site") == 0
    assert call("gate", "save", str(runs / "baseline-oracle"), "-o", "base.json") == 0
    assert call("gate", "check", str(runs / "baseline-oracle"), "--baseline", "base.json") == 0


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ("--metrics match.exat", "Did you mean 'match.exact'"),
        ("--metrics match.exact,overlap.rouge_l --option bets=2", "Unknown option of match.exact"),
        ("--metrics overlap.rouge_l --option beta=x", "give it a number from 0.01 to 100"),
        ("--option beta=2", "'--option' needs '--metrics'"),
    ],
)
def test_score_refuses(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: str, fragment: str
) -> None:
    before = contents(runs)
    assert call("score", str(runs), *arguments.split()) == 2
    message = capsys.readouterr().err
    assert fragment in message and message.count("\n") == 1
    assert contents(runs) == before


def test_a_condition_on_a_missing_field_is_refused(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a journal cannot come from `vlmbench run`, but from somebody's editor."""
    journal = runs / "baseline-oracle" / "colors" / "journal.jsonl"
    header, rest = journal.read_text(encoding="utf-8").split("\n", 1)
    changed = json.loads(header)
    use = changed["task"]["metrics"][0]
    use["where"] = "meta.kid == 'a'"
    journal.write_text(json.dumps(changed, ensure_ascii=False) + "\n" + rest, encoding="utf-8")
    assert call("score", str(journal.parent)) == 2
    message = capsys.readouterr().err
    assert "Did you mean 'meta.kind'" in message and message.count("\n") == 1


def test_scoring_needs_no_model_and_no_torch(runs: Path) -> None:
    code = (
        "import sys; from vlmbench.cli.main import main;"
        "code = main(['score', 'runs', '--metrics', 'overlap.rouge_l,caption.cider_d']);"
        "print([m for m in ('torch', 'transformers') if m in sys.modules], code)"
    )
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert out.splitlines()[-1] == "[] 0"
