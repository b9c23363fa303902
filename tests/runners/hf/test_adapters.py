"""Adapters as peft writes them, beside peft's own model around the same base."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from families import qwen
from families.common import save
from families.observe import ONE, TWO, load

from vlmbench.errors import ModelError
from vlmbench.runners.hf.adapters import add_adapter, embedding_rows, own_template

peft = pytest.importorskip("peft")

# peft asks transformers for something by an old name.

LAYERS = r".*language_model.*(q_proj|v_proj)"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(qwen.FAMILIES[0], tmp_path_factory.mktemp("base") / "qwen")


def trained(base: Path, folder: Path, rows: int | None = None, **options: Any) -> Path:
    """An adapter with weights that change answers."""
    import torch
    from transformers import AutoModelForMultimodalLM

    torch.manual_seed(3)
    model = AutoModelForMultimodalLM.from_pretrained(base)
    if rows is not None:
        model.resize_token_embeddings(rows, mean_resizing=False)
    saved = options.pop("save_embedding_layers", "auto")
    settings = {"r": 4, "target_modules": LAYERS, "init_lora_weights": False} | options
    adapted = peft.get_peft_model(model, peft.LoraConfig(**settings))
    for name, parameter in adapted.named_parameters():
        if "modules_to_save" in name or "magnitude" in name or "trainable_tokens" in name:
            parameter.data += 0.3 * torch.randn_like(parameter)
    adapted.save_pretrained(folder, save_embedding_layers=saved)
    return folder


def as_peft_says(base: Path, folder: Path, inputs: Any, rows: int | None) -> Any:
    """Logits of the base without and with the adapter."""
    import torch
    from transformers import AutoModelForMultimodalLM

    model = AutoModelForMultimodalLM.from_pretrained(base)
    plain = model(**inputs).logits
    if rows is not None:
        model.resize_token_embeddings(rows, mean_resizing=False)
    wrapped = peft.PeftModel.from_pretrained(model, str(folder))
    with torch.inference_mode():
        return plain, wrapped(**inputs).logits


def vocabulary(base: Path) -> int:
    return int(json.loads((base / "config.json").read_text())["text_config"]["vocab_size"])


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"use_dora": True}, None),
        ({"use_rslora": True, "rank_pattern": {"q_proj": 2}}, None),
        ({"modules_to_save": ["lm_head", "embed_tokens"]}, None),
        ({"modules_to_save": ["lm_head", "embed_tokens"]}, 3),
        ({"use_dora": True, "modules_to_save": ["lm_head", "embed_tokens"]}, 8),
        ({"save_embedding_layers": True}, 5),
        ({"trainable_token_indices": [1, 2]}, None),
        ({"bias": "all"}, None),
    ],
)
def test_adapters_answer_as_peft_says(
    base: Path, tmp_path: Path, options: dict[str, Any], more: int | None
) -> None:
    import torch

    rows = None if more is None else vocabulary(base) + more
    folder = trained(base, tmp_path / "adapter", rows, **options)
    runner = load(base, adapter=str(folder))
    inputs = runner.encode([ONE, TWO]).inputs
    plain, expected = as_peft_says(base, folder, inputs, rows)
    with torch.inference_mode():
        found = runner._ready().model(**inputs).logits
    torch.testing.assert_close(found, expected)
    assert (expected[..., : plain.shape[-1]] - plain).abs().max() > 0.01
    assert [one.error for one in runner.generate([ONE, TWO])] == [None, None]


def with_tokens(base: Path, folder: Path, words: list[str]) -> int:
    """The tokenizer of the base with further words, beside an adapter; how many tokens it has."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(words)
    tokenizer.save_pretrained(folder)
    return max(tokenizer.get_vocab().values()) + 1


def test_an_added_token_is_a_token_of_the_prompt(base: Path, tmp_path: Path) -> None:
    count = with_tokens(base, tmp_path / "adapter", ["何色"])
    folder = trained(base, tmp_path / "adapter", count, modules_to_save=["embed_tokens", "lm_head"])
    assert embedding_rows(folder) == count
    runner = load(base, adapter=str(folder))
    assert count - 1 in runner.encode([ONE]).inputs["input_ids"].tolist()[0]
    assert runner.generate([ONE])[0].error is None
    files = "tokenizer.json, tokenizer_config.json, chat_template.jinja"
    assert runner.describe()["adapter_files"] == files


def test_added_tokens_without_embeddings_are_refused(base: Path, tmp_path: Path) -> None:
    folder = trained(base, tmp_path / "adapter")
    words = [f"語{n}号" for n in range(vocabulary(base))]
    count = with_tokens(base, folder, words)
    with pytest.raises(ModelError) as caught:
        load(base, adapter=str(folder))
    reason = f"a tokenizer of {count} tokens, and there are embeddings for {vocabulary(base)}"
    assert reason in str(caught.value)


def in_a_file(folder: Path, template: str) -> None:
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def in_the_tokenizer(folder: Path, template: str) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))


def by_name(folder: Path, template: str) -> None:
    named = [{"name": "tool", "template": "x"}, {"name": "default", "template": template}]
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": named}))


@pytest.mark.parametrize("put", [in_a_file, in_the_tokenizer, by_name])
def test_an_adapters_own_template_is_used(
    base: Path, tmp_path: Path, put: Callable[[Path, str], None]
) -> None:
    folder = trained(base, tmp_path / "adapter")
    assert own_template(folder) is None
    template = (base / "chat_template.jinja").read_text() + "短く。"
    if put is in_the_tokenizer:
        shutil.copyfile(base / "tokenizer_config.json", folder / "tokenizer_config.json")
    put(folder, template)
    runner = load(base, adapter=str(folder))
    assert own_template(folder) == template
    for request in (ONE, TWO):
        tokens, plain = (
            one.encode([request]).inputs["input_ids"][0] for one in (runner, load(base))
        )
        text = runner._ready().tokenizer.decode(tokens)
        assert text == runner._ready().tokenizer.decode(plain) + "短く。"


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 4}, "is of the kind PROMPT_TUNING"),
        ({"alora_invocation_tokens": [1, 2]}, "is of the kind activated LoRA"),
        ({"peft_type": "NEW_KIND"}, "NEW_KIND"),
    ],
)
def test_adapters_that_do_more_than_change_weights(
    base: Path, tmp_path: Path, settings: dict[str, Any], fragment: str
) -> None:
    folder = trained(base, tmp_path / "adapter")
    path = folder / "adapter_config.json"
    kept = {} if "num_virtual_tokens" in settings else json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"task_type": "CAUSAL_LM"} | settings))
    with pytest.raises(ModelError) as caught:
        load(base, adapter=str(folder))
    assert fragment in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("lacking", ["lora_B", "magnitude", "lm_head"])
def test_an_adapter_that_lacks_weights_says_which(base: Path, tmp_path: Path, lacking: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = trained(base, tmp_path / "whole", use_dora=True, modules_to_save=["lm_head"])
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "adapter_model.safetensors"
    weights = load_file(path)
    name = next(one for one in sorted(weights) if lacking in one)
    save_file({one: weight for one, weight in weights.items() if one != name}, path)
    with pytest.raises(ModelError) as caught:
        add_adapter(load(base)._ready().model, str(copy))
    assert lacking in str(caught.value) and "it has no weights for" in str(caught.value)
