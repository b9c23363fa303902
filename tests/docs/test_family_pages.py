"""docs/models.md says what the tables say; test_families.py checks the rows of tested families."""

from __future__ import annotations

from family_pages import PAGE, families_part, family_row, parts_part, remote_part
from locations import ROOT
from pages import with_part

from vlmbench.models.families import known_families
from vlmbench.models.hf_options import HFOptions

ROW = {
    "family": "paligemma",
    "one": "answered",
    "two": "answered",
    "none": "rejected",
    "images_in_place": False,
    "batch_equals_single": False,
}


def test_a_row_says_what_was_observed() -> None:
    row = family_row(ROW)
    assert row.startswith("| PaliGemma | `paligemma` | `paligemma2-3b-mix-224`, ")
    assert row.endswith("| yes | images first | refused | **no** | – |")
    assert families_part([ROW]).count("\n") == 2


def test_the_page_has_every_family() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_part(page, "remote", remote_part()) == page, "run: see docs/build/family_pages.py"
    assert with_part(page, "parts", parts_part()) == page, "run: see docs/build/family_pages.py"
    part = page.partition("<!-- begin: families -->")[2].partition("<!-- end: families -->")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    untested = {"qwen3_vl_moe", "gemma3_text", "mllama"}
    named = {key for key, one in known_families().items() if one.recipe is None} - untested
    assert {line.split("|")[2].strip(" `") for line in rows[1:]} == named - {"evovlm-jp"}


def test_the_page_explains_every_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in set(HFOptions.model_fields) - {"chat_template"}:
        assert f"--{name.replace('_', '-')}" in page, name


def test_the_page_names_files_that_exist() -> None:
    page, root = PAGE.read_text(encoding="utf-8"), ROOT
    for name in ("tests/runners/hf/families/observe.py", "vlmbench/runners/remote_code/recipes.py"):
        assert name in page and (root / name).is_file()
