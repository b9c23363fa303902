from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_public import PUBLIC, write_public
from made_tasks import color_rows, write_task

from vlmbench.errors import DataError, JournalError, UsageError
from vlmbench.tasks.registry import load_task, task_names
from vlmbench.tasks.variants.choose import Wanted, choose_variants
from vlmbench.tasks.variants.variant import (
    IMAGE_MODES,
    Variant,
    restore_variant,
    split_label,
    variant_requests,
)

COLUMNS = r"\{[{%].*?[%}]\}"


@pytest.mark.parametrize(
    ("task", "wanted", "labels", "problem"),
    [
        ("ja-vqa", Wanted(), [], None),
        ("ja-vqa", Wanted(IMAGE_MODES), ["blind", "shuffled", "noise"], None),
        ("ja-vqa", Wanted(prompts=2), ["prompt-polite", "prompt-plain"], None),
        ("ja-vqa", Wanted(prompts=9), ["prompt-polite", "prompt-plain", "prompt-terse"], None),
        ("ja-vqa", Wanted(rotate=True), [], "has no options"),
        ("mmmlu-ja", Wanted(("blind",)), [], "shows no images"),
        ("jmmmu-pro-vision", Wanted(rotate=True), [], "leaves the options to the image"),
    ],
)
def test_what_a_task_can_be_asked(
    task: str, wanted: Wanted, labels: list[str], problem: str | None
) -> None:
    choice = choose_variants(load_task(task), wanted)
    assert [variant.label for variant in choice.variants] == labels
    assert bool(choice.problems) == (problem is not None)
    assert problem is None or problem in choice.problems[0]


def test_an_unknown_mode_suggests_a_near_one() -> None:
    with pytest.raises(UsageError, match="Did you mean 'blind'"):
        Wanted(("blnd",))


@pytest.mark.parametrize(
    "variant",
    [Variant("image", "noise", 3), Variant("prompt", "terse"), Variant("options", "2-of-4")],
)
def test_a_label_says_kind_and_name(variant: Variant) -> None:
    assert split_label(variant.label) == (variant.kind, variant.name)


def test_a_task_without_paraphrases_says_so(tmp_path: Path) -> None:
    task = load_task(str(write_task(tmp_path, color_rows(1))))
    (problem,) = choose_variants(task, Wanted(prompts=1)).problems
    assert "has no 'paraphrases', so '--prompts' leaves it out" in problem


@pytest.mark.parametrize("name", task_names())
def test_tasks_have_three_paraphrases_of_the_same_columns(name: str) -> None:
    task = load_task(name)
    assert list(task.paraphrases) == ["polite", "plain", "terse"]
    assert len({task.prompt, *task.paraphrases.values()}) == 4
    own = set(re.findall(COLUMNS, task.prompt))
    assert all(set(re.findall(COLUMNS, prompt)) == own for prompt in task.paraphrases.values())


def test_a_variant_of_another_version_is_refused() -> None:
    assert restore_variant(None) is None
    assert restore_variant(Variant("image", "noise", 3).as_dict()) == Variant("image", "noise", 3)
    for values in ({"kind": "sound", "name": "x", "seed": 0}, {"kind": "image", "more": 1}):
        with pytest.raises(JournalError, match="does not know"):
            restore_variant(values)


def test_every_public_task_with_options_can_move_them(tmp_path: Path) -> None:
    """All but the one whose options stand in a picture; its prompt with each option in front."""
    with_choices = [name for name in PUBLIC if load_task(name).fields.choices]
    assert len(with_choices) == 14
    for name in with_choices:
        write_public(load_task(name), tmp_path)
        task = load_task(name, data_dir=tmp_path)
        found = choose_variants(task, Wanted(rotate=True))
        assert bool(found.problems) == (name == "jmmmu-pro-vision"), name
        for variant in found.variants:
            asked = [one for one, _ in variant_requests(task, variant, seed=0)]
            requests = (one for one, _ in variant_requests(task, None, seed=0))
            plain = {one.sample_id: one for one in requests}
            assert asked and all(one.key != plain[one.sample_id].key for one in asked)


def test_options_that_cannot_be_read_in_the_text_are_named(tmp_path: Path) -> None:
    rows = [{**row, "options": ["赤", "青"]} for row in color_rows(2)]
    fields = {"id": "{{ row.id }}", "references": ["A"], "choices": {"column": "options"}}
    prompt = "{{ row.question | with_options(choices) }}"
    metrics = [{"use": "match.choice"}]
    changes = {"fields": fields, "prompt": prompt, "metrics": metrics, "slices": []}
    task = load_task(str(write_task(tmp_path, rows, **changes)))
    (variant,) = choose_variants(task, Wanted(rotate=True)).variants
    with pytest.raises(DataError, match="'--options' cannot move them; leave it out"):
        list(variant_requests(task, variant, seed=0))
