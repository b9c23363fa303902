"""A base model without a chat template, asked in the form of a text that it goes on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from made_parts import save_language
from made_tasks import picture

from vlmbench.cli.main import main
from vlmbench.models.completion import completion_ends
from vlmbench.models.resolve import resolve_model
from vlmbench.records import Generation, Image, ImagePart, Request, TextPart
from vlmbench.runners.hf.runner import HFRunner

QUESTION = "これは何ですか。"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    return save_language(tmp_path / "base", "gemma3_text")


def answer_alone(folder: Path, prompt: str) -> str:
    """By transformers alone, up to a line break."""
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([tokenizer.encode(prompt)])
    with torch.inference_mode():
        output = model.generate(ids, max_new_tokens=8, do_sample=False)
    text = str(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))
    return text.partition("\n")[0]


def test_a_base_model_goes_on_with_question_and_answer(base: Path) -> None:
    runner = HFRunner()
    runner.prepare(resolve_model(str(base), device="cpu"))
    parts = (ImagePart(Image(picture("赤"))), TextPart(QUESTION))
    (response,) = runner.generate([Request("q1", parts, Generation(max_new_tokens=8))])
    assert response.error is None
    assert response.text == answer_alone(base, f"{QUESTION}\n答え:")
    assert runner.describe()["prompt_form"] == "completion"
    assert runner.describe()["sees_images"] is False


def test_its_answers_end_at_a_line_break(base: Path) -> None:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(base)
    (line_break,) = tokenizer.encode("\n", add_special_tokens=False)
    assert completion_ends(tokenizer, [3, 4]) == [3, 4, line_break]
    assert completion_ends(tokenizer, None) == [tokenizer.eos_token_id, line_break]


def test_the_run_says_so(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = ["run", "--model", str(base), "--tasks", "ja-vqa", "--limit", "2"]
    assert main([*run, "--device", "cpu", "--out", str(tmp_path / "runs")]) == 0
    assert "brings no chat template, so it was asked as a base model" in capfd.readouterr().err
