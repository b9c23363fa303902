"""The doctor looks at the real machine, and says what to do about what is missing."""

from __future__ import annotations

import json

import pytest
from locations import ROOT

from vlmbench.cli.doctor import EXTRAS, examine
from vlmbench.cli.main import main


def test_what_is_missing_comes_with_advice() -> None:
    findings = {one.what: one for one in examine()}
    for one in findings.values():
        assert one.state == "ok" or one.advice or one.what == "Japanese font"
    assert findings["PyTorch"].state == "ok"  # the tests could not run without it
    assert "torchvision" in findings["PyTorch"].found
    assert findings["Hugging Face Hub"].state == "missing"  # HF_HUB_OFFLINE is set for the tests
    assert any(name.startswith("server vllm") for name in findings)


def test_it_prints_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor"])
    table = capsys.readouterr().out
    assert "Hugging Face Hub" in table
    assert main(["doctor", "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert code == (2 if any(one["state"] == "problem" for one in found) else 0)


def test_every_extra_that_it_advises_exists() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for _, extra in EXTRAS.values():
        assert f"\n{extra} = [" in text
