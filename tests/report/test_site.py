from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlmbench.errors import UsageError
from vlmbench.report.site import MARKER, replaced_site, safe_json


@pytest.mark.parametrize(
    "value",
    [
        "</script><script>alert(1)</script>",
        "<!-- <script>",
        "a & b",
        "\u2028\u2029",
        "\ud800",
        "猫",
    ],
)
def test_embedded_json_cannot_end_its_element(value: str) -> None:
    text = safe_json({value: [value]})
    assert json.loads(text) == {value: [value]}
    assert not set(text) & set("<>&\u2028\u2029\ud800")


def build(out: Path, text: str) -> None:
    with replaced_site(out) as site:
        site.write("index.html", text)
        site.write(f"tasks/{text}.html", text)


def test_a_site_replaces_the_former_one_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "reports"
    build(out, "old")
    (out / "baseline.json").write_text("{}")
    build(out, "new")
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {"index.html", "tasks/new.html", "baseline.json", MARKER}
    assert (out / "index.html").read_text() == "new"


def test_a_failed_build_leaves_the_former_site(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")
    with pytest.raises(ZeroDivisionError), replaced_site(tmp_path / "out") as site:
        site.write("index.html", "half")
        raise ZeroDivisionError
    assert (tmp_path / "out" / "index.html").read_text() == "old"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index.html", "tasks", MARKER}


def test_what_a_killed_build_left_goes_and_another_one_stays(tmp_path: Path) -> None:
    left = tmp_path / ".building-of-the-dead" / "old" / "tasks"
    left.mkdir(parents=True)
    with replaced_site(tmp_path) as site:
        alive = site.path
        (alive / "index.html").write_text("alive")
        assert not left.exists()
        build(tmp_path, "other")
        assert (alive / "index.html").read_text() == "alive"
    assert (tmp_path / "index.html").read_text() == "alive"
    assert not list(tmp_path.glob(".building-*"))


@pytest.mark.parametrize("name", ["index.html", "tasks", "images", "static"])
def test_what_no_report_made_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} was not made by vlmbench"):
        build(tmp_path, "new")
    assert (tmp_path / name).read_text() == "mine"


def test_a_linked_folder_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    out, target = tmp_path / "out", tmp_path / "target"
    build(out, "old")
    target.mkdir()
    (target / "mine").write_text("mine")
    (out / "images").symlink_to(target)
    build(out, "new")
    assert not (out / "images").is_symlink()
    assert (target / "mine").read_text() == "mine"


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        build(tmp_path / "out", "new")


def test_files_are_kept_from_a_former_site_only(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")
    with replaced_site(tmp_path / "out") as site:
        assert site.keep(["tasks/old.html", "index.html"])
        assert not site.keep(["tasks/none.html"])
    assert (tmp_path / "out" / "tasks" / "old.html").read_text() == "old"
    with pytest.raises(ZeroDivisionError), replaced_site(tmp_path / "out") as site:
        assert site.keep(["index.html"])
        site.write("index.html", "written over what was kept")
        raise ZeroDivisionError
    assert (tmp_path / "out" / "index.html").read_text() == "old"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "data.txt").write_text("mine")
    with replaced_site(tmp_path / "mine") as site:
        assert not site.keep(["data.txt"])  # no report made what lies there
