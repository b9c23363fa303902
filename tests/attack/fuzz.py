"""Random input for what reads strangers' text: `python tests/attack/fuzz.py [--minutes 10]`.

Texts are strung together from what answers are made of, its look-alikes and any other character.
A reader may raise nothing but a VlmbenchError, and takes less than a second of the processor.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vlmbench.errors import VlmbenchError

SECONDS = 1.0
"""Of the processor, for one input."""

PIECES = [
    *("答え", "答えは", "最終回答：", "正解は", "は", "です。", "ではない", "ではなく", "または"),
    *("A", "b", "Ｃ", "ｄ", "İ", "ß", "ﬁ", "①", "⑳", "㊤", "ア", "ｱ", "イ.", "(3)", "【４】"),
    *("1", "12", "１２", "三", "十", "百", "千", "万", "億", "兆", "〇", "零", "半", "-", "−"),
    *(".", "．", ",", "，", "%", "％", "°C", "km", "円", "$", "割", "分", "秒", "時", "年", "月"),
    *("令和", "平成元年", "/", ":", "〜", "~", "±", "^", "10^", "×", "e+99", "e9999", "²", "½"),
    *("\\boxed{", "}", "{", "\\frac", "$$", "\\(", "<think>", "</think>", "<answer>", "**", "`"),
    *("```json", "```", "[", "]", '"', "'", "「", "」", "『", "（", ")", "\n", "\r", "\t", " "),
    *("はい", "いいえ", "yes", "No", "わかりません", "猫", "犬", "赤", "が", "゛", "\u3099"),
    *("\u3000", "\u200b", "\ud800", "\x00", "\u2028", "🎌", "\u200d", "\U000e0001", "NaN", "∞"),
]
"""Parts of answers in all writings, and characters that change when their case is folded."""

ANY = st.characters(exclude_categories=[])
PARTS = st.one_of(st.sampled_from(PIECES), ANY)
TEXTS = st.one_of(
    st.lists(PARTS, max_size=30).map("".join),
    # Long ones, in which the same comes again and again.
    st.tuples(st.lists(PARTS, min_size=1, max_size=4).map("".join), st.integers(1, 3_000)).map(
        lambda one: one[0] * one[1]
    ),
)
CHOICES = st.lists(
    st.one_of(st.sampled_from(PIECES), st.lists(PARTS, min_size=1, max_size=6).map("".join)),
    max_size=12,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**4200), 10**4200),
        st.floats(),
        st.lists(PARTS, max_size=8).map("".join),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["type", "text", "id", "a", "content"]), inner, max_size=4),
    ),
    max_leaves=10,
)
ROWS = st.dictionaries(
    st.sampled_from(
        [
            *("id", "prediction", "references", "choices", "images", "meta", "image", "question"),
            *("answer", "messages", "conversations", "prompt", "completion", "text", "caption"),
        ]
    ),
    VALUES,
    max_size=7,
)
LINES = st.lists(
    st.one_of(
        ROWS.map(lambda row: json.dumps(row, ensure_ascii=True).encode()),
        st.binary(max_size=40),
        st.integers(1, 60_000).map(lambda depth: b"[" * depth),
    ),
    max_size=4,
).map(b"\n".join)


IDS = st.sampled_from(["q0", "q1", "q9", 0, 7])
IMPORTED = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                **{
                    name: st.one_of(IDS, VALUES)
                    for name in ("id", "question_id", "doc_id", "index")
                },
                **dict.fromkeys(("prediction", "text", "filtered_resps", "response_text"), VALUES),
                **dict.fromkeys(("question", "input_text", "input", "input_media"), VALUES),
                **dict.fromkeys(("answer", "target", "references", "choices", "image"), VALUES),
                **dict.fromkeys(("token_counts", "input_tokens", "duration_seconds"), VALUES),
                **dict.fromkeys(("error", "finish_reason", "A", "B"), VALUES),
            },
        ).map(lambda row: json.dumps(row).encode()),
        st.binary(max_size=20),
        st.integers(1, 60_000).map(lambda depth: b"[" * depth),
    ),
    max_size=3,
).map(b"\n".join)
"""Lines of predictions as other harnesses name their keys."""
BESIDE = st.one_of(
    VALUES,
    st.dictionaries(
        st.sampled_from(
            ["model_id", "schema_version", "results", "score", "eval_name", "commit", "jmmmu"]
        ),
        st.one_of(
            VALUES,
            st.dictionaries(st.sampled_from(["t", "overall_score"]), VALUES, max_size=2),
            st.just({"t": {"anls,none": 1e400}}),
        ),
        max_size=5,
    ),
)
"""Other files of a harness."""


@dataclass(frozen=True)
class Target:
    """Something that reads, and what it is given."""

    read: Callable[..., object]
    given: tuple[st.SearchStrategy[Any], ...]
    first: tuple[Any, ...]
    """Read once before, so that imports are not what is measured."""


def _choice(text: str, choices: list[str]) -> None:
    from vlmbench.text.choices import choice_index, read_choice

    read_choice(text, choices)
    choice_index(text, choices)


def _number(text: str) -> None:
    from vlmbench.text.extract import stated_quantity
    from vlmbench.text.numbers import find_quantities, read_quantity, read_range

    for read in (read_quantity, read_range, find_quantities, stated_quantity):
        read(text)


def _final_answer(text: str, reference: str) -> None:
    from vlmbench.text.equivalence import members, same_answer
    from vlmbench.text.extract import boxed, candidates, marked_answer, says, tagged_answer
    from vlmbench.text.json_fields import read_object
    from vlmbench.text.reasoning import answer_lines
    from vlmbench.text.refusal import is_refusal

    readers: tuple[Callable[[str], object], ...] = (
        *(boxed, candidates, marked_answer, tagged_answer, members),
        *(read_object, answer_lines, is_refusal),
    )
    for read in readers:
        read(text)
    says(text, reference)
    same_answer(text, reference)


def _judge_reply(reply: str, value: Any) -> None:
    from vlmbench.metrics.judge_prompt import read_json
    from vlmbench.metrics.judge_prompts import CORRECT, PAIRWISE, RUBRIC

    for prompt in (CORRECT, PAIRWISE, RUBRIC):
        assert prompt.schema is not None
        read_json(reply, prompt.schema)
        read_json(json.dumps(value), prompt.schema)


def _file(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    return path


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="vlmbench-fuzz-"))


@cache
def _real_journal() -> bytes:
    """Of a short run."""
    from made_judge import colors
    from made_runs import answered_run, make_task

    task = make_task(_folder() / "task", colors(3))
    out = answered_run(task, _folder() / "runs", "m", {f"q{n}": "赤" for n in range(3)})
    return (out / "ja-small" / "journal.jsonl").read_bytes()


def _journal(place: float, damage: bytes, cut: float, extra: bytes) -> None:
    from vlmbench.runs.journal import read_journal

    whole = _real_journal()
    at = int(place * len(whole))
    kept = whole[:at] + damage + whole[at + len(damage) :]
    read_journal(_file("journal.jsonl", kept[: int(cut * len(kept))] + b"\n" + extra + b"\n"))


def _task(key: str, value: Any, damage: str, place: float) -> None:
    import yaml

    from vlmbench.tasks.registry import load_task

    _real_journal()
    text = (_folder() / "task" / "ja-small.yaml").read_text(encoding="utf-8")
    changed = yaml.safe_load(text)
    changed[key] = value
    at = int(place * len(text))
    for written in (json.dumps(changed), text[:at] + damage + text[at:]):
        path = _file("task.yaml", written.encode("utf-8", "surrogatepass"))
        _allowed(load_task, str(path))


def _predictions(lines: bytes) -> None:
    from vlmbench.metrics.base import load_metric
    from vlmbench.scoring.predictions_file import score_file

    path = _file("predictions.jsonl", lines)
    score_file(load_metric("match.exact"), path, emit=lambda score: None)


def _training_rows(lines: bytes) -> None:
    from vlmbench.train.data.formats import read_examples

    for _ in read_examples(str(_file("rows.jsonl", lines))):
        pass


@cache
def _real_workbook() -> bytes:
    import pandas as pd

    path = _folder() / "real.xlsx"
    pd.DataFrame({"index": ["0"], "prediction": ["赤"], "A": ["赤"]}).to_excel(path, index=False)
    return path.read_bytes()


def _importers(lines: bytes, beside: Any, place: float, damage: bytes) -> None:
    """All formats: their predictions, and what lies beside these."""
    import shutil

    from vlmbench.imports.formats import READERS
    from vlmbench.imports.journal import write_run
    from vlmbench.tasks.registry import load_task

    _real_journal()
    task = load_task(str(_folder() / "task" / "ja-small.yaml"))
    workbook = _real_workbook()
    at = int(place * len(workbook))
    files = {
        "jsonl": {"a.jsonl": lines},
        "llm-jp-eval-mm": {"prediction.jsonl": lines},
        "lmms-eval": {"d_samples_t.jsonl": lines},
        "simple-evals-mm": {"results_1_r1.jsonl": lines},
        "vlmevalkit": {
            "m_t.json": b"[" + lines.replace(b"\n", b",") + b"]",
            "m_u.tsv": lines.replace(b",", b"\t"),
            "m_v.xlsx": workbook[:at] + damage + workbook[at + len(damage) :],
        },
    }
    folder = _folder() / "import"
    for name, contents in files.items():
        for file, content in contents.items():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / file).write_bytes(content)
            for other in ("manifest.json", "evaluation.jsonl", "error_message.jsonl"):
                (folder / other).write_text(json.dumps(beside))
            for other in ("d_results.json", "score_1_r1.jsonl", "status.json", "m_u_acc.csv"):
                (folder / other).write_text(json.dumps(beside))

            def read(name: str = name, file: str = file) -> None:
                found = READERS[name]([folder / file])
                write_run(found, task, name="m", out=folder / "runs", fresh=True)

            _allowed(read)


KEYS = ["name", "display", "data", "fields", "slices", "prompt", "metrics", "generation", "x"]
TARGETS: dict[str, Target] = {
    "choice": Target(_choice, (TEXTS, CHOICES), ("A", ["赤", "青"])),
    "number": Target(_number, (TEXTS,), ("1",)),
    "final_answer": Target(_final_answer, (TEXTS, TEXTS), ("赤", "赤")),
    "judge_reply": Target(_judge_reply, (TEXTS, VALUES), ("{}", {})),
    "journal": Target(
        _journal,
        (st.floats(0, 1), st.binary(max_size=20), st.floats(0, 1), LINES),
        (0.0, b"", 1.0, b""),
    ),
    "task": Target(
        _task,
        (st.sampled_from(KEYS), VALUES, st.lists(PARTS, max_size=5).map("".join), st.floats(0, 1)),
        ("x", 1, "", 0.0),
    ),
    "predictions": Target(_predictions, (LINES,), (b"",)),
    "training_rows": Target(_training_rows, (LINES,), (b"",)),
    "importers": Target(
        _importers,
        (IMPORTED, BESIDE, st.floats(0, 1), st.binary(max_size=20)),
        (b'{"id": "q0", "prediction": "a"}', {}, 0.0, b""),
    ),
}


def _allowed(read: Callable[..., object], *values: Any) -> None:
    try:
        read(*values)
    except VlmbenchError as error:
        # A sentence, or the head of a list and a line for each thing that is wrong.
        head, *lines = str(error).split("\n")
        assert not lines or head.endswith(":"), "a message of several lines"
        assert all(line.startswith("  ") for line in lines), "a message of several lines"


def fuzz(name: str, *, examples: int) -> None:
    """Give a target so many inputs; the smallest one that it does not stand is raised with."""
    target = TARGETS[name]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(st.tuples(*target.given))
    def check(values: tuple[Any, ...]) -> None:
        began = time.process_time()
        _allowed(target.read, *values)
        seconds = time.process_time() - began
        assert seconds < SECONDS, f"{seconds:.1f} s"

    _real_journal()
    _allowed(target.read, *target.first)  # imports are not what is measured
    check()


def main() -> int:
    """Fuzz; 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target")
    parser.add_argument("--target", action="append", choices=TARGETS)
    options = parser.parse_args()
    found = 0
    for name in options.target or TARGETS:
        began, inputs = time.monotonic(), 0
        try:
            while time.monotonic() - began < options.minutes * 60:
                fuzz(name, examples=500)
                inputs += 500
        except Exception as error:
            found += 1
            notes = " ".join(getattr(error, "__notes__", []))
            print(f"BAD {name}: {type(error).__name__}: {error} {notes}"[:1500], flush=True)
            continue
        print(f"ok  {name}: {inputs:,} inputs", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
