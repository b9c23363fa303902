"""Rows and task files that read well and mean something else: one sentence for each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_tasks import picture, write_task

from vlmbench.check import TaskCheck, check_task
from vlmbench.errors import ConfigError, DataError
from vlmbench.tasks.registry import load_task

ROWS: list[dict[str, Any]] = [
    {"id": f"q{n}", "question": "何色ですか。", "answer": answer, "A": "赤", "B": "青", "C": "緑"}
    for n, answer in enumerate(["赤", "青", "緑"])
]
OPTIONS = ["赤", "青", "緑"]


def checked(
    folder: Path, rows: list[dict[str, Any]] = ROWS, *, metric: str = "match.exact", **changes: Any
) -> TaskCheck:
    """The check of a task over these rows, with some keys of its `fields` or its prompt changed."""
    (folder / "a.png").write_bytes(picture())
    fields = {
        "id": "{{ row.id }}",
        "images": ["image"],
        "references": {"column": "answer"},
        **{key: value for key, value in changes.items() if key not in ("prompt", "paraphrases")},
    }
    others = {key: changes[key] for key in ("prompt", "paraphrases") if key in changes}
    path = write_task(
        folder,
        data={"path": "rows.jsonl"},
        fields=fields,
        slices=[],
        metrics=[{"use": metric}],
        **{"prompt": "{{ row.question }}", **others},
    )
    lines = [json.dumps({"image": "a.png", **row}) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return check_task(load_task(str(path)))


def test_nothing_is_wrong(tmp_path: Path) -> None:
    found = checked(tmp_path, choices={"column": "options"}, rows=with_options("A", "青", "(C)"))
    assert found.problems == ()
    assert found.first is not None and found.first.id == "q0"
    assert found.first.prompt == ("[image of 48 x 48 pixels]", "何色？")
    assert (found.first.references, found.first.choices) == (("A",), tuple(OPTIONS))


@pytest.mark.parametrize(
    ("changes", "word", "column"),
    [
        ({"references": ["answer"]}, "'references' of the task says the word 'answer'", "answer"),
        ({"references": ["row.answer"]}, "'references'", "answer"),
        ({"references": ["{answer}"]}, "the word '{answer}'", "answer"),
        ({"references": ["{{ row.answer }}", "A"]}, "'references' of", "A"),
        ({"prompt": "{question}"}, "'prompt' of the task says the word '{question}'", "question"),
        ({"prompt": "画像を見て答えてください: {question}"}, "'prompt'", "question"),
        ({"prompt": "{question}{{ image(0) }}"}, "'prompt'", "question"),
        ({"prompt": "question"}, "'prompt'", "question"),
        ({"paraphrases": {"plain": "{question}"}}, "'paraphrases.plain'", "question"),
        ({"derived": {"kind": "answer"}}, "'derived.kind'", "answer"),
    ],
)
def test_a_name_that_is_no_column(
    changes: dict[str, Any], word: str, column: str, tmp_path: Path
) -> None:
    problem, *more = checked(tmp_path, **changes).problems
    assert word in problem and f"'{column}' is a column" in problem and not more
    assert f"{{{{ row.{column} }}}}" in problem and "2 more samples are like this." in problem


def test_letters_that_are_columns(tmp_path: Path) -> None:
    found = checked(tmp_path, choices=["A", "B", "C"], rows=ROWS)
    assert len(found.problems) == 3 and all("'choices' of" in one for one in found.problems)


@pytest.mark.parametrize(
    "changes",
    [
        {"references": ["はい"]},
        {"references": ["{{ 'answer' }}"]},
        {"choices": ["X", "Y"]},
        {"prompt": '{{ row.question }} Write {"answer": ...} or {answer}.'},
        {"prompt": "この画像を説明してください。"},
        {"prompt": "{}"},
    ],
)
def test_texts_that_are_meant_as_such(changes: dict[str, Any], tmp_path: Path) -> None:
    assert checked(tmp_path, **changes).problems == ()


@pytest.mark.parametrize("count", [1, 3])
def test_an_id_that_is_a_columns_name(count: int, tmp_path: Path) -> None:
    if count == 1:
        (problem,) = checked(tmp_path, rows=ROWS[:1], id="id").problems
    else:
        with pytest.raises(DataError) as caught:
            checked(tmp_path, id="id")
        problem = str(caught.value)
    assert "'id' of the task says the word 'id'" in problem and "{{ row.id }}" in problem


def with_options(*answers: Any) -> list[dict[str, Any]]:
    rows = enumerate(answers)
    return [
        {"id": f"q{n}", "question": "何色？", "answer": one, "options": OPTIONS} for n, one in rows
    ]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (
            (0, 1, 2),
            "The reference '0' of sample 'q0' of task 'colors' names none of its 3 options",
        ),
        ((0, 1, 2), "1 is taken for A (赤)"),
        ((0, 1, 2), '["{{ row.answer | letter }}"]'),
        (("A", 4), "The reference '4' of sample 'q1'"),
        (("E", "A"), "'E' of sample 'q0' of task 'colors' names none of its 3 options (A to C); "),
        (("A", "黒"), "The reference '黒' of sample 'q1'"),
        (("E", "E", "E"), "2 more samples are like this."),
    ],
)
def test_references_that_name_no_option(
    answers: tuple[Any, ...], sentence: str, tmp_path: Path
) -> None:
    (problem,) = checked(
        tmp_path, with_options(*answers), metric="match.choice", choices={"column": "options"}
    ).problems
    assert sentence in problem


def test_only_metrics_of_choice_take_references_for_options(tmp_path: Path) -> None:
    assert not checked(tmp_path, with_options("黒"), choices={"column": "options"}).problems


def answers(*texts: Any) -> list[dict[str, Any]]:
    return [{"id": str(n), "question": "何色？", "answer": one} for n, one in enumerate(texts)]


@pytest.mark.parametrize(
    "text", ["['赤' 'レッド']", "['赤', 'レッド']", "['赤']", "[ '赤'\n '紅']"]
)
def test_a_list_that_is_a_text(text: str, tmp_path: Path) -> None:
    (problem,) = checked(tmp_path, answers(text, "青")).problems
    assert "under 'references' of sample '0'" in problem and "parse: list" in problem
    parsed = {"column": "answer", "parse": "list"}
    assert checked(tmp_path, answers(text, "青"), references=parsed).problems == ()


@pytest.mark.parametrize("text", ['["赤"]', "[赤]", "[1]", "['赤", "「赤」", "[図1] 赤"])
def test_texts_in_brackets_are_no_lists(text: str, tmp_path: Path) -> None:
    assert checked(tmp_path, answers(text)).problems == ()


@pytest.mark.parametrize("text", ["['a' ... 'z']", "[['a' 'b']\n ['c' 'd']]", "['a' 'b', 'c']"])
def test_a_list_that_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"The column 'answer' in row 0 of .* no list that can be"):
        checked(tmp_path, answers(text), references={"column": "answer", "parse": "list"})


def test_not_a_number_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no reference answer in row 1"):
        checked(tmp_path, answers("赤", float("nan")))
    with pytest.raises(DataError, match="There is no reference answer in row 0"):
        checked(tmp_path, answers(float("nan")), references=["{{ row.answer }}"])
    (problem,) = checked(tmp_path, answers("赤", "nan")).problems
    assert "The reference 'nan' of sample '1' of task 'colors' is how pandas writes" in problem
    rows = [{**one, "question": float("nan")} for one in answers("赤")]
    (problem,) = checked(tmp_path, rows).problems
    assert "row.question, which is empty" in problem


@pytest.mark.parametrize("image", [None, {"bytes": None, "path": None}, float("nan"), "", []])
def test_a_row_without_its_picture(image: Any, tmp_path: Path) -> None:
    rows = [*answers("赤", "青", "緑")]
    rows[1]["image"] = image
    (problem,) = checked(tmp_path, rows).problems
    assert "There is no image in sample '1'" in problem


def test_the_datas_own_number_of_an_image(tmp_path: Path) -> None:
    rows = answers("赤", "青")
    rows[1]["question"] = "<image 2>とは何ですか。"
    (problem,) = checked(tmp_path, rows, prompt="{{ row.question | interleave }}").problems
    assert "sample '1' of task 'colors' marks <image 2> where the sample has 1 image;" in problem


def test_a_line_of_json_may_lack_its_picture(tmp_path: Path) -> None:
    checked(tmp_path, answers("赤", "青"))
    lines = [{"image": "a.png", **answers("赤")[0]}, {**answers("赤", "青")[1]}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (problem,) = check_task(load_task(str(tmp_path / "colors.yaml"))).problems
    assert "There is no image in sample '1'" in problem
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, reversed(lines))))
    with pytest.raises(DataError, match="There is no column 'image' in row 0"):
        check_task(load_task(str(tmp_path / "colors.yaml")))


def test_a_name_without_its_row(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'question' is undefined\); write row.question in"):
        checked(tmp_path, prompt="{{ question }}")
