"""What `--model` may say, and what its fingerprint depends on."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import jinja2
import pytest
from locations import REFERENCE

from vlmbench.errors import ModelError, UsageError, VlmbenchError
from vlmbench.models.endpoints import OFFICIAL_URL
from vlmbench.models.families import known_families
from vlmbench.models.resolve import known_models, resolve_model


@pytest.mark.parametrize(
    ("text", "name", "runner", "location", "revision"),
    [
        ("qwen2-vl-2b", "qwen2-vl-2b", "hf", "Qwen/Qwen2-VL-2B-Instruct", None),
        ("hf:org/name", "org-name", "hf", "org/name", None),
        ("hf:org/name@abc", "org-name", "hf", "org/name", "abc"),
        ("baseline:oracle", "baseline-oracle", "baseline", "oracle", None),
    ],
)
def test_resolved(text: str, name: str, runner: str, location: str, revision: str | None) -> None:
    spec = resolve_model(text)
    assert (spec.name, spec.runner, spec.location, spec.revision) == (
        name,
        runner,
        location,
        revision,
    )


@pytest.mark.parametrize(
    ("text", "error", "fragment"),
    [
        ("qwen2-vl-2", UsageError, "Did you mean 'qwen2-vl-2b'"),
        ("baseline:orcale", UsageError, "Did you mean 'oracle'?"),
        ("baseline:oracle:x", UsageError, "takes no 'x'"),
        ("baseline:scripted", UsageError, "baseline:scripted:FILE.jsonl"),
        ("baseline:scripted:gone", UsageError, "There is no file of answers 'gone'"),
        ("org/name", UsageError, "write 'hf:org/name' for a model of the Hub"),
        ("./gone", UsageError, "There is no directory './gone'"),
        ("hf:name", UsageError, "is not a Hub id"),
        ("asagi-14b", ModelError, "--trust-remote-code would run on this machine"),
        ("tiny-ja@abc", UsageError, "ships with vlmbench and has no '@abc'"),
        ("EMPTY", ModelError, "There is no config.json in"),
    ],
)
def test_refused(tmp_path: Path, text: str, error: type[VlmbenchError], fragment: str) -> None:
    with pytest.raises(error) as caught:
        resolve_model(str(tmp_path) if text == "EMPTY" else text)
    assert fragment in str(caught.value)


def test_a_directory_is_known_by_its_content(checkpoint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "checkpoint-100"
    shutil.copytree(checkpoint, copy)
    original, copied = resolve_model(str(checkpoint)), resolve_model(str(copy))
    assert copied.name == f"{tmp_path.name}-checkpoint-100"
    assert copied.fingerprint == original.fingerprint
    assert resolve_model(str(copy), dtype="bfloat16").fingerprint != original.fingerprint
    assert resolve_model(str(copy), device="cpu").fingerprint == original.fingerprint
    (copy / "README.md").write_text("x")
    assert resolve_model(str(copy)).fingerprint == original.fingerprint
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1  # the header and the size stay the same
    weights.write_bytes(data)
    assert resolve_model(str(copy)).fingerprint != original.fingerprint


def test_answers_of_a_baseline_are_not_described() -> None:
    """They fill no header, but a runner with one task's is not taken for another's."""
    spec = resolve_model("baseline:oracle")
    given = dataclasses.replace(spec, answers={"q0": "赤"})
    assert given.as_dict() == spec.as_dict() and "answers" not in given.as_dict()
    assert given.fingerprint == spec.fingerprint
    assert "赤" not in repr(given)
    assert given != dataclasses.replace(spec, answers={"q0": "青"})


def test_only_the_random_baseline_depends_on_the_seed() -> None:
    def prints(kind: str) -> set[str]:
        return {resolve_model(f"baseline:{kind}", seed=seed).fingerprint for seed in (0, 1)}

    assert len(prints("random")) == 2
    assert len(prints("majority")) == 1


MESSAGES = [
    {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "何色？\n"}],
    }
]


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        # The model card of cyberagent/llava-calm2-siglip.
        (known_models()["llava-calm2-siglip"].chat_template, "USER: <image>\n何色？\nASSISTANT: "),
        # PaliGemma's documented task syntax: "answer {language} {question}".
        (known_families()["paligemma"].template, "<image>answer ja 何色？"),
        # The model card of Salesforce/blip2-opt-2.7b; its processor adds the image by itself.
        (known_families()["blip-2"].template, "Question: 何色？ Answer:"),
    ],
)
def test_supplied_chat_templates(template: str | None, prompt: str) -> None:
    assert template is not None
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    rendered = environment.from_string(template).render(
        messages=MESSAGES, add_generation_prompt=True
    )
    assert rendered == prompt


@pytest.mark.reference
def test_every_family_of_the_reference_list_is_there() -> None:
    path = REFERENCE / "models.json"
    if not path.is_file():
        pytest.skip("the reference list is not beside the checkout")
    there = {entry.hub for entry in known_models().values()}
    converted = {"pixtral-12b"}  # another repository holds what transformers loads
    for family in json.loads(path.read_text())["models"]:
        assert family["id"] in converted or there & set(family["hub_ids"]), family["id"]


def test_whose_answers_may_come_from_the_cache(checkpoint: Path) -> None:
    assert resolve_model(str(checkpoint)).cacheable
    assert resolve_model("openai:gpt", options={"base_url": OFFICIAL_URL}).cacheable
    mine = resolve_model("openai:gpt", options={"base_url": "http://127.0.0.1:9/v1"})
    assert not mine.cacheable
    assert not resolve_model("baseline:oracle").cacheable
