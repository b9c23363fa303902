"""Templates of strangers: what could take for ever or fill the memory ends in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vlmbench import budget
from vlmbench.errors import ConfigError
from vlmbench.tasks.registry import load_task, task_names
from vlmbench.tasks.template import render, row_environment, validate_template
from vlmbench.tasks.template_shape import quick_shape


@pytest.fixture(autouse=True)
def short_budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    worker = budget.BudgetedWorker(seconds=1, mebibytes=400)
    monkeypatch.setattr(budget, "_worker", worker)
    yield
    worker.close()


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10 ** 9 }}",
        "{{ row.a * 10 ** 9 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 'x' | center(10 ** 9) }}",
        "{{ row.a | indent(10 ** 9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ lipsum(n=100000) }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}"
        "{% endfor %}{{ ns.x }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ row.a" + " | replace('a', 'aaaaaaaaaa')" * 12 + " }}",
    ],
)
def test_over_the_budget(source: str) -> None:
    assert quick_shape(row_environment(), source) is None
    with pytest.raises((ConfigError, ValueError), match=r"takes more than|writes|recursion"):
        render(validate_template(source), {"a": "aaaa"}, location="row 1")


@pytest.mark.parametrize(
    "source",
    [
        "{{" + "(" * 3000 + "1" + ")" * 3000 + "}}",
        "{{ 1" + " + 1" * 3000 + " }}",
        "{% if 1 %}" * 400 + "{% endif %}" * 400,
    ],
)
def test_nested_too_deeply(source: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        validate_template(source)


def test_too_long() -> None:
    with pytest.raises(ValueError, match="shorten the template to 20,000"):
        validate_template("a" * 20_001)


def test_what_is_no_quick_shape_still_works_and_says_what_is_missing() -> None:
    source = "{% for i in range(3) %}{% for c in row.a %}{{ c }}{% endfor %}{% endfor %}"
    assert quick_shape(row_environment(), source) is None
    assert render(validate_template(source), {"a": "xy"}, location="row 1") == "xyxyxy"
    with pytest.raises(ConfigError, match="division by zero"):
        render("{{ 1 / row.a }}", {"a": 0}, location="row 1")


LONG = {"a": "a" * 40_000, "b": "b" * 40_000, "c": "[" + "1, " * 20_000 + "1]"}


@pytest.mark.parametrize(
    "source",
    [
        "{% for c in row.a %}{{ row.b }}{% endfor %}",
        "{% for c in row.a %}{{ (row.b | sort) | length }}{% endfor %}",
        "{% for c in row.a %}{{ (row.b | list | unique | list) | length }}{% endfor %}",
        "{% for c in row.a %}{{ row.c | as_list | length }}{% endfor %}",
        "{{ row.a | join(row.b) }}",
        "{{ row['a'] | replace('a', 'aaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaa') }}",
    ],
)
def test_quadratic_in_a_long_row(source: str) -> None:
    """Quick for a short row, so that only the row tells."""
    validate_template(source)
    with pytest.raises(ConfigError, match="more than"):
        render(source, LONG, location="row 1")
    render(source, {"a": "aa", "b": "bb", "c": "[1, 2]"}, location="row 1")


def test_what_a_template_does_not_name_makes_no_row_long() -> None:
    shape = quick_shape(row_environment(), "{% for c in row.a %}{{ c }}{% endfor %}{{ row['b'] }}")
    assert shape is not None and shape.columns == {"a", "b"}
    assert shape.is_quick({"row": {"a": "aa", "b": "bb", "z": "z" * 10**6}})
    assert not shape.is_quick({"row": {"a": "a" * 10**6}})
    whole = quick_shape(row_environment(), "{% for c in row.a %}{{ row }}{% endfor %}")
    assert whole is not None and not whole.is_quick({"row": {"a": "a", "z": "z" * 10**6}})


@pytest.mark.parametrize("name", task_names())
def test_templates_of_our_own_tasks_are_rendered_in_this_process(name: str) -> None:
    task = load_task(name)
    references = task.fields.references
    templates = [task.prompt, task.fields.id, *task.fields.derived.values()]
    templates += references if isinstance(references, tuple) else ()
    assert all(quick_shape(row_environment(), one) for one in templates)
