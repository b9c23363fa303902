"""Templates of strangers: what could take for ever or fill the memory ends in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vlmbench import budget
from vlmbench.errors import ConfigError
from vlmbench.tasks.registry import load_task, task_names
from vlmbench.tasks.template import render, row_environment, validate_template
from vlmbench.tasks.template_shape import is_bounded


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
    assert not is_bounded(row_environment(), source)
    with pytest.raises((ConfigError, ValueError), match=r"takes more than|recursion"):
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
    assert not is_bounded(row_environment(), source)
    assert render(validate_template(source), {"a": "xy"}, location="row 1") == "xyxyxy"
    with pytest.raises(ConfigError, match="division by zero"):
        render("{{ 1 / row.a }}", {"a": 0}, location="row 1")


@pytest.mark.parametrize("name", task_names())
def test_templates_of_our_own_tasks_are_rendered_in_this_process(name: str) -> None:
    task = load_task(name)
    references = task.fields.references
    templates = [task.prompt, task.fields.id, *task.fields.derived.values()]
    templates += references if isinstance(references, tuple) else ()
    assert all(is_bounded(row_environment(), one) for one in templates)
