"""Each harness's files become a run; the compat metric gives the figure that they store."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_harness import SHOPS, cvqa_prompt, cvqa_rows, write_lines, write_rows

from vlmbench.cli.main import main
from vlmbench.errors import DataError
from vlmbench.imports import vlmevalkit
from vlmbench.imports.formats import READERS
from vlmbench.runs.directory import RunDir
from vlmbench.runs.journal import read_journal

LETTERS = "ABCD"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(command: str, capsys: pytest.CaptureFixture[str], *, code: int = 0) -> dict[str, Any]:
    """What `vlmbench import ... --json` says."""
    capsys.readouterr()
    arguments = ["import", *command.split(), "--name", "mine", "--data-dir", "data", "--json"]
    assert main(arguments) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_llm_jp_eval_mm(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = cvqa_rows()
    write_rows("cvqa-ja", rows, place / "data")
    suffix = "与えられた選択肢の中から最も適切な回答のアルファベットを直接記入してください。"
    texts = ["A", "答えはBです", "B", "D"]
    folder = place / "result" / "cvqa" / "org" / "name"
    lines = [
        {
            "question_id": str(number),
            "text": text,
            "answer": LETTERS[number],
            "input_text": f"{cvqa_prompt(row)}\n\n{suffix}",
            # substring_match_scorer.py: whether the answer, in lower case, contains the letter.
            "substring-match": int(LETTERS[number] in text),
        }
        for number, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]
    write_lines(folder / "prediction.jsonl", lines)
    # Three of four; the form is that of asdict(AggregateOutput).
    stored = {"substring-match": {"overall_score": 0.75, "details": {"substring_match": 0.75}}}
    write_lines(folder / "evaluation.jsonl", [stored])
    (folder / "manifest.json").write_text(
        json.dumps({"schema_version": "1.0", "model_id": "org/name", "task_id": "cvqa"})
    )
    found = imported("llm-jp-eval-mm result/cvqa/org/name --task cvqa-ja", capsys)
    assert (found["matched_by_id"], found["matched_by_question"], found["missing"]) == (4, 0, 0)
    (figure,) = found["figures"]
    assert (figure["metric"], figure["value"]) == ("compat_evalmm.substring_match", 0.75)
    assert figure["value_here"] == pytest.approx(figure["value"])
    header = read_journal(RunDir.of(Path("runs"), "mine", "cvqa-ja").journal).header
    assert header.model["location"] == "org/name"
    assert header.model["options"]["harness"] == "llm-jp-eval-mm"
    assert header.model["options"]["harness_version"] == "result schema 1.0"
    assert "theirs" in header.model["options"]["images"]
    # Asked by the harness itself, so nothing about how it asked keeps it from its own numbers.
    assert main(["compare", "runs", "--published", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert {one["kind"] for one in table["caveats"]} == {"items"}  # 4 rows of its 203
    assert len(table["rows"]) > 20


def test_llm_jp_eval_mm_s_failures_are_errors(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = cvqa_rows()
    write_rows("cvqa-ja", rows, place / "data")
    lines = [
        {"question_id": str(number), "text": text} for number, text in enumerate(["A", "", "", "D"])
    ]
    write_lines(place / "result" / "prediction.jsonl", lines)
    failed = [{"question_id": "1", "error": "CUDA out of memory"}]
    write_lines(place / "result" / "error_message.jsonl", failed)
    found = imported("llm-jp-eval-mm result/prediction.jsonl --task cvqa-ja", capsys, code=3)
    # The answer that is empty without an error was given; that of question 1 was not.
    assert found["record"]["coverage"] == {"answered": 3, "errors": {"runner": 1}, "total": 4}


def test_lmms_eval(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "type": "human_test",
            "question": f"How tall is bar {number}?",
            "answer": str(100 + number),
        }
        for number in range(4)
    ]
    write_rows("chartqa", rows, place / "data")
    texts = ["100", "105", "150", "103"]  # chartqa/utils.py: 105 is within 5 % of 101
    lines = [
        {
            "doc_id": number,
            "target": row["answer"],
            "filtered_resps": text,
            "resps": [f"<think>…</think>{text}"],
            "token_counts": [{"output_tokens": 3}],
            "doc_hash": "0" * 64,
            "relaxed_overall": float(number != 2),
            "input": f"{row['question']}\nAnswer the question with a single word.",
        }
        for number, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]
    write_lines(place / "logs" / "org__name" / "20260101_120000_samples_chartqa.jsonl", lines)
    results = {
        "results": {"chartqa": {"alias": "chartqa", "relaxed_overall,none": 0.75}},
        "model_name": "org/name",
        "git_hash": "75571cf",
        "lmms_eval_version": "main@75571cfe",
    }
    path = place / "logs" / "org__name" / "20260101_120000_results.json"
    path.write_text(json.dumps(results))
    found = imported("lmms-eval logs --task chartqa", capsys)
    assert (found["harness_version"], found["matched_by_id"]) == ("main@75571cfe", 4)
    (figure,) = found["figures"]
    assert (figure["metric"], figure["value"]) == ("compat_lmms.chartqa_relaxed", 0.75)
    assert figure["value_here"] == pytest.approx(0.75)
    assert found["record"]["performance"]["output_tokens"] == 12


@pytest.mark.parametrize("suffix", ["xlsx", "tsv", "json"])
def test_vlmevalkit(place: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    rows = cvqa_rows()
    write_rows("cvqa-ja", rows, place / "data")
    texts = ["A", "The answer is B.", "A", "D. 青木商店"]
    table = [
        {
            "index": 1000 + number,
            "question": row["Question"],
            **dict(zip(LETTERS, SHOPS, strict=True)),
            "answer": LETTERS[number],
            "category": "NA",
            "prediction": text,
        }
        for number, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]
    folder = place / "outputs" / "T20260101_Gabcdef12"
    folder.mkdir(parents=True)
    frame, file = pd.DataFrame(table), folder / f"name_CVQA_JA.{suffix}"
    if suffix == "xlsx":
        frame.to_excel(file, index=False)
    elif suffix == "tsv":
        frame.to_csv(file, sep="\t", index=False, quoting=1)
    else:
        file.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    # report_acc of multiple_choice.py: the mean of `hit`; can_infer reads all but none is wrong.
    (folder / "name_CVQA_JA_acc.csv").write_text('"split","Overall"\n"none","0.75"\n')
    found = imported(f"vlmevalkit {file} --task cvqa-ja", capsys)
    assert (found["harness_version"], found["matched_by_question"]) == ("abcdef12", 4)
    (figure,) = found["figures"]
    assert (figure["metric"], figure["value"]) == ("compat_vlmevalkit.choice", 0.75)
    assert figure["value_here"] == pytest.approx(0.75)
    # The prompt is not on file, so the task's stands in the journal, and the header says so.
    run = read_journal(RunDir.of(Path("runs"), "mine", "cvqa-ja").journal)
    assert run.header.model["options"]["prompts"] == "theirs, not on file: the task's are shown"


def test_vlmevalkit_s_failures_are_errors(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows("cvqa-ja", cvqa_rows(2), place / "data")
    failed = "Failed to obtain answer via API."
    table = [
        {"index": n, "question": row["Question"], "answer": LETTERS[n], "prediction": text}
        for n, (row, text) in enumerate(zip(cvqa_rows(2), ["A", failed], strict=True))
    ]
    pd.DataFrame(table).to_csv("name_CVQA.tsv", sep="\t", index=False, quoting=1)
    found = imported("vlmevalkit name_CVQA.tsv --task cvqa-ja", capsys, code=3)
    assert found["record"]["coverage"]["errors"] == {"runner": 1}


def test_simple_evals_mm(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "original_id": f"id{number}",
            "question": row["Question"],
            "options": row["Options"],
            "answer": row["Label"],
            "Category": "Food",
        }
        for number, row in enumerate(cvqa_rows())
    ]
    write_rows("jammeval-cvqa-ja", rows, place / "data")
    # extract_mcq_letter of common.py reads all but the third, which is then wrong.
    texts = ["考えます。\nAnswer: A", "答え：**Ｂ**", "たぶんC", "Answer: $D$"]
    suffix = "\nステップバイステップで考えてから答えてください。\n最後の行は"
    lines = [
        {
            "id": row["original_id"],
            "question": cvqa_prompt(row) + suffix,
            "correct_answer": LETTERS[number],
            "response_text": text,
            "extracted_answer": "",
            "score": float(number != 2),
            "raw_response": f"<think>長い考え</think>{text}",
            "input_tokens": 100,
            "output_tokens": 20,
            "finish_reason": "stop",
            "num_images": 1,
        }
        for number, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]
    folder = place / "results" / "cvqaja" / "name"
    write_lines(folder / "results_20260101_120000_r1.jsonl", lines)
    score = {"score": 0.75, "model_name": "name", "eval_name": "cvqaja", "num_examples": 4}
    write_lines(folder / "score_20260101_120000_r1.jsonl", [score])
    found = imported("simple-evals-mm results/cvqaja/name --task jammeval-cvqa-ja", capsys)
    assert (found["harness_version"], found["matched_by_question"]) == (None, 4)
    (figure,) = found["figures"]
    assert (figure["metric"], figure["value"]) == ("compat_simple_evals.choice", 0.75)
    assert figure["value_here"] == pytest.approx(0.75)
    # Their prompt is on file, and is what the journal shows.
    run = read_journal(RunDir.of(Path("runs"), "mine", "jammeval-cvqa-ja").journal)
    shown = next(iter(run.samples.values())).prompt[-1]
    assert isinstance(shown, str) and shown.startswith("1番目の店") and "ステップ" in shown
    assert next(iter(run.responses.values())).prompt_tokens == 100


def test_a_version_that_the_files_do_not_say(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows("cvqa-ja", cvqa_rows(), place / "data")
    lines = [{"id": str(n), "prediction": LETTERS[n]} for n in range(4)]
    write_lines(place / "old.jsonl", lines)
    found = imported("jsonl old.jsonl --task cvqa-ja --harness-version ours-2025", capsys)
    assert (found["harness"], found["harness_version"]) == ("jsonl", "ours-2025")
    (headline,) = [
        one
        for one in found["record"]["estimates"]
        if one["metric"] == "match.choice" and one["slice"] is None
    ]
    assert headline["value"] == 1.0


@pytest.mark.parametrize("beside", ["[" * 100_000, "[]", '{"results": [1]}', "NaN", "\0", ""])
def test_what_lies_beside_predictions_stops_no_import(tmp_path: Path, beside: str) -> None:
    line = {"question_id": 0, "text": "赤", "id": 0, "response_text": "赤", "prediction": "赤"}
    line |= {"doc_id": 0, "filtered_resps": "赤", "index": 0, "duration_seconds": 10**400}
    for file in ("manifest.json", "evaluation.jsonl", "d_results.json", "score_1_r1.jsonl"):
        (tmp_path / file).write_text(beside)
    for file in ("status.json", "m_t_acc.csv"):
        (tmp_path / file).write_text(beside)
    for name, file in (
        ("llm-jp-eval-mm", "prediction.jsonl"),
        ("lmms-eval", "d_samples_t.jsonl"),
        ("simple-evals-mm", "results_1_r1.jsonl"),
    ):
        found = READERS[name]([write_lines(tmp_path / file, [line])])
        assert [one.text for one in found.predictions] == ["赤"]
        assert (found.figures, found.predictions[0].seconds) == ((), None)
    (tmp_path / "m_t.json").write_text(json.dumps([line]))
    assert [one.text for one in READERS["vlmevalkit"]([tmp_path / "m_t.json"]).predictions] == [
        "赤"
    ]


def test_a_score_of_an_eval_that_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "score_1_r1.jsonl").write_text('{"score": 0.5, "eval_name": ["jmmmu"]}')
    results = write_lines(tmp_path / "results_1_r1.jsonl", [{"id": 0, "response_text": "A"}])
    assert READERS["simple-evals-mm"]([results]).figures == ()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 99])
def test_a_workbook_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m_t.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=r"m_t\.xlsx cannot be read"):
        READERS["vlmevalkit"]([tmp_path / "m_t.xlsx"])


def test_a_workbook_that_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vlmevalkit, "MAX_MEBIBYTES", 2)
    path = tmp_path / "m_t.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(3):
            part.write(bytes(2**20))
    with pytest.raises(DataError, match="unpacks to more than 2 MiB"):
        READERS["vlmevalkit"]([path])
