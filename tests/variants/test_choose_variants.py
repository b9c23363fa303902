from __future__ import annotations

import re

import pytest

from vlmbench.errors import JournalError, UsageError
from vlmbench.task import load_task, task_names
from vlmbench.variants.base import IMAGE_MODES, Variant, restore_variant, split_label
from vlmbench.variants.choose import Wanted, choose_variants


@pytest.mark.parametrize(
    ("task", "wanted", "labels", "problem"),
    [
        ("ja-vqa", Wanted(), [], None),
        ("ja-vqa", Wanted(IMAGE_MODES), ["blind", "shuffled", "noise"], None),
        ("ja-vqa", Wanted(prompts=2), ["prompt-polite", "prompt-plain"], None),
        ("ja-vqa", Wanted(prompts=9), ["prompt-polite", "prompt-plain", "prompt-terse"], None),
        ("ja-vqa", Wanted(rotate=True), [], "has no options"),
        ("mmmlu-ja", Wanted(("blind",)), [], "shows no images"),
        ("mmmlu-ja", Wanted(rotate=True), [], "does not list its options by 'choices'"),
        ("mmmlu-ja", Wanted(prompts=1), [], "has no 'paraphrases'"),
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


@pytest.mark.parametrize("name", [n for n in task_names() if not load_task(n).fields.choices])
def test_open_tasks_have_three_paraphrases_of_the_same_columns(name: str) -> None:
    task = load_task(name)
    assert list(task.paraphrases) == ["polite", "plain", "terse"]
    assert len({task.prompt, *task.paraphrases.values()}) == 4
    for prompt in task.paraphrases.values():
        assert set(re.findall(r"row\.[^%}]*", prompt)) == set(
            re.findall(r"row\.[^%}]*", task.prompt)
        )


def test_a_variant_of_another_version_is_refused() -> None:
    assert restore_variant(None) is None
    assert restore_variant(Variant("image", "noise", 3).as_dict()) == Variant("image", "noise", 3)
    for values in ({"kind": "sound", "name": "x", "seed": 0}, {"kind": "image", "more": 1}):
        with pytest.raises(JournalError, match="does not know"):
            restore_variant(values)
