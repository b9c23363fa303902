"""Task files: what is accepted, and what a mistake in one is answered with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_tasks import task_data, write_task

from vlmbench.check import check_task
from vlmbench.errors import ConfigError, UsageError
from vlmbench.runs.journal_header import Header
from vlmbench.schema import parse
from vlmbench.tasks.registry import journal_task, load_task, task_names
from vlmbench.tasks.spec import TaskSpec

METRIC = {"use": "match.exact"}


@pytest.mark.parametrize("name", task_names())
def test_shipped_tasks_load(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.display.licence
    header = Header({}, task.as_dict(), None, {})
    assert journal_task(header) == task


@pytest.mark.parametrize("name", task_names())
def test_shipped_tasks_are_well(name: str) -> None:
    task = load_task(name)
    if task.data_path is None or not task.data_path.is_file():
        pytest.skip("its data is not here")
    found = check_task(task)
    assert found.problems == ()
    assert found.samples > 0


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"promt": "x"}, "Unknown key 'promt' in t.yaml; did you mean 'prompt'?"),
        ({"display": {"title": "x", "licence": "x"}}, "The key 'display.capability' is missing"),
        (
            {"generation": {"max_tokens": 3}},
            "Unknown key 'generation.max_tokens' in t.yaml; did you mean 'max_new_tokens'?",
        ),
        ({"generation": {"max_new_tokens": 0}}, "'generation.max_new_tokens' in t.yaml is wrong"),
        ({"generation": {"temperature": "0"}}, "'generation.temperature' in t.yaml is wrong"),
        ({"metrics": []}, "'metrics' in t.yaml is wrong"),
        ({"metrics": [METRIC, METRIC]}, "metric 'match.exact' stands there twice"),
        (
            {"metrics": [{"use": "match.exact", "were": "x"}]},
            "Unknown key 'metrics.0.were' in t.yaml; did you mean 'where'?",
        ),
        (  # both unknown and, under its right name, missing
            {"metrics": [{"us": "match.exact"}]},
            "Unknown key 'metrics.0.us' in t.yaml; did you mean 'use'?",
        ),
        ({"metrics": [{**METRIC, "where": "import os"}]}, "the condition 'import os' fails"),
        ({"slices": ["level"]}, "slice 'level' is not listed under fields.meta"),
        ({"data": {}}, "give either 'path' or 'hub'"),
        ({"data": {"hub": "a/b"}}, "a Hub data set needs 'split'"),
        (
            {"fields": {"id": "{{ row.id }}", "references": "answers"}},
            "'fields.references' in t.yaml is wrong: a text is neither a column nor a list; write "
            "{column: answers} for",
        ),
        ({"prompt": "{{ row.q "}, "'prompt' in t.yaml is wrong"),
        ({"name": "../x"}, "'name' in t.yaml is wrong"),
        ({"name": None}, "'name' in t.yaml is wrong"),
    ],
)
def test_mistakes(changes: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(TaskSpec, task_data(**changes), location="t.yaml")
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("name: [", "is not valid YAML at line"),
        ("- a", "does not hold a task"),
        ("name: 2020-01-01", "put dates and the like in quotes"),
        ("!!python/object/apply:os.getcwd []", "is not valid YAML"),
    ],
)
def test_files_that_are_no_tasks(tmp_path: Path, text: str, fragment: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=fragment):
        load_task(str(path))


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("ja-vq", "Did you mean 'ja-vqa'"),
        ("../../etc/passwd", "Unknown task"),
        ("gone.yaml", "There is no task file"),
    ],
)
def test_unknown_tasks(name: str, fragment: str) -> None:
    with pytest.raises(UsageError, match=fragment):
        load_task(name)


@pytest.mark.parametrize(
    ("changes", "task_changes", "prompt_changes"),
    [
        ({"prompt": "x"}, False, True),
        ({"generation": {"max_new_tokens": 9}}, False, True),
        ({"metrics": [{"use": "match.vqa"}]}, True, False),
        ({"display": {"title": "y", "capability": "vqa", "licence": "x"}}, False, False),
    ],
)
def test_fingerprints(changes: dict[str, Any], task_changes: bool, prompt_changes: bool) -> None:
    before = parse(TaskSpec, task_data(), location="t")
    after = parse(TaskSpec, task_data(**changes), location="t")
    assert (before.fingerprint != after.fingerprint) == task_changes
    assert (before.prompt_fingerprint != after.prompt_fingerprint) == prompt_changes


EXAMPLE = {
    "row": {
        "id": "e1",
        "question": "<image>何色ですか。",
        "references": ["赤"],
        "kind": "colour",
        "style": None,
    },
    "images": 1,
    "prompt": "<image>何色ですか。\n短く答えてください。\n",
    "scores": {"赤": 1.0, "青": 0.0, "": 0.0},
}


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({}, None),
        ({"prompt": "何色？"}, "is frozen"),
        ({"scores": {"青": 1.0}}, "'青' scores 0.0 in example 1 of task 'colors' where 1.0"),
    ],
)
def test_examples_hold_a_task(
    tmp_path: Path, changes: dict[str, Any], fragment: str | None
) -> None:
    from made_tasks import color_rows

    path = write_task(tmp_path, color_rows(2), examples=[{**EXAMPLE, **changes}])
    problems = check_task(load_task(str(path))).problems
    assert problems == () if fragment is None else fragment in problems[0]


def test_all_mistakes_are_named_at_once() -> None:
    """A first task file, as somebody writes it from memory: a line for each mistake."""
    data = {
        "name": "My Task",
        "display": {"titel": "x", "capability": "vqa"},
        "dat": {"path": "x.jsonl"},
        "fields": {"images": ["image"], "references": "answer", "idd": "{{ row.id }}"},
        "prompts": "hello",
        "metrics": [{"use": "match.exact", "option": {}}, {"usee": "x"}],
        "generation": {"max_new_token": 0, "temperature": -1},
    }
    with pytest.raises(ConfigError) as caught:
        parse(TaskSpec, data, location="t.yaml")
    first, *lines = str(caught.value).split("\n  ")
    assert first == f"{len(lines)} things to correct in t.yaml:"
    wanted = [
        "The value of 'name' in t.yaml is wrong",
        "Unknown key 'display.titel' in t.yaml; did you mean 'title'",
        "The key 'display.licence' is missing in t.yaml; add it.",
        "Unknown key 'dat' in t.yaml; did you mean 'data'?",
        "Unknown key 'fields.idd' in t.yaml; did you mean 'id'?",
        "The value of 'fields.references' in t.yaml is wrong: a text is neither a column nor",
        "Unknown key 'prompts' in t.yaml; did you mean 'prompt'?",
        "Unknown key 'metrics.0.option' in t.yaml; did you mean 'options'?",
        "Unknown key 'metrics.1.usee' in t.yaml; did you mean 'use'?",
        "Unknown key 'generation.max_new_token' in t.yaml; did you mean 'max_new_tokens'?",
        "The value of 'generation.temperature' in t.yaml is wrong: input should be greater",
    ]
    assert len(lines) == len(wanted)  # each once, and no key missing that is misspelled
    for fragment in wanted:
        assert sum(line.startswith(fragment) for line in lines) == 1, fragment
