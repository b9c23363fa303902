"""Hostile checkpoints: tiny-ja with something in its files that should not be there."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import vlmbench.models
from attack.data_cases import LOOP, task, write
from attack.harness import Attack, Case

TINY = Path(vlmbench.models.__file__).parent / "tiny-ja"
REFUSED = frozenset({2})


class _Touch:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def _checkpoint(
    name: str,
    about: str,
    change: Callable[[Path], object],
    *,
    codes: frozenset[int] = REFUSED,
    quick: bool = False,
    mebibytes: float = 1500,
) -> Case:
    def setup(directory: Path, stack: ExitStack) -> Attack:
        folder = directory / "model"
        shutil.copytree(TINY, folder)
        change(folder)
        write(directory, task())
        arguments = ["run", "--quiet", "--no-cache", "--replicas", "1", "--model", "./model"]
        arguments += ["--tasks", "t.yaml", "--out", "runs"]
        return Attack(arguments, codes, absent=[directory / "model" / "got-through"])

    return Case("checkpoint", name, about, setup, 90, mebibytes, quick)


def _config(
    name: str,
    about: str,
    *,
    quick: bool = False,
    codes: frozenset[int] = REFUSED,
    mebibytes: float = 1500,
    file: str = "config.json",
    **values: Any,
) -> Case:
    def change(folder: Path) -> None:
        path = folder / file
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        for key, value in values.items():
            *outer, last = key.split("__")
            inner = config
            for part in outer:
                inner = inner.setdefault(part, {})
            inner[last] = value
        path.write_text(json.dumps(config), encoding="utf-8")

    return _checkpoint(name, about, change, quick=quick, codes=codes, mebibytes=mebibytes)


def _weights(path: Path, kind: str) -> None:
    for one in path.glob("*.safetensors"):
        one.unlink()
    payload = pickle.dumps(_Touch(path / "got-through"))
    target = path / "pytorch_model.bin"
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
            archive.writestr("archive/version", "3\n")
    else:
        target.write_bytes(payload)


def _lying_header(folder: Path) -> None:
    path = next(folder.glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[:8] = (2**40).to_bytes(8, "little")
    path.write_bytes(bytes(data))


def _template(text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text, encoding="utf-8")

    return change


def _enlarging(folder: Path) -> None:
    path = folder / "processor_config.json"
    processor = json.loads(path.read_text(encoding="utf-8"))
    processor["image_processor"]["size"] = {"shortest_edge": 2 * 10**8, "longest_edge": 10**9}
    path.write_text(json.dumps(processor), encoding="utf-8")


def _growing(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    step = {"type": "Replace", "pattern": {"Regex": "."}, "content": "y" * 500}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [step] * 5}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")


CASES = [
    _checkpoint(
        "pickle_bin", "weights that are a pickle of code", lambda folder: _weights(folder, "bin")
    ),
    _checkpoint("pickle_zip", "the same in a zip file", lambda folder: _weights(folder, "zip")),
    _checkpoint("lying_header", "a header of 1 TB in the weights", _lying_header, quick=True),
    _checkpoint(
        "torn",
        "weights of half their length",
        lambda folder: next(folder.glob("*.safetensors")).write_bytes(
            next(folder.glob("*.safetensors")).read_bytes()[:5_000_000]
        ),
    ),
    _config("cfg_layers", "a billion layers", text_config__num_hidden_layers=10**9),
    _config("cfg_layers_e5", "100,000 layers", text_config__num_hidden_layers=100_000),
    _config("cfg_heads0", "no attention head", text_config__num_attention_heads=0),
    _config("cfg_str", "a size that is a text", text_config__hidden_size="big"),
    _config("cfg_null", "a vocabulary of nothing", text_config__vocab_size=None),
    _config("cfg_huge", "a vocabulary of 10 billion", text_config__vocab_size=10**10),
    _config("cfg_negative", "a size below zero", text_config__hidden_size=-5),
    _config("cfg_type_list", "a model type that is a list", model_type=["a", "b"]),
    _config(
        "cfg_dtype",
        "a dtype that is code",
        dtype="__import__('os').system('touch got-through')",
        quick=True,
    ),
    _config("cfg_kernels", "attention kernels of a repository", attn_implementation="evil/evil"),
    _checkpoint(
        "cfg_deep",
        "a config of lists 100,000 deep",
        lambda folder: (folder / "config.json").write_text('{"a": ' + "[" * 100_000),
    ),
    _checkpoint("ct_loop", "a chat template that loops", _template(LOOP)),
    _checkpoint("ct_big", "a chat template of 10 GB", _template("{{ 'x' * 10 ** 10 }}")),
    _checkpoint(
        "ct_late",
        "a chat template that loops at images only",
        _template(
            "{% for m in messages %}{% if m.content is not string %}" + LOOP + "{% endif %}x"
            "{% endfor %}"
        ),
    ),
    _config(
        "gen_weird",
        "a watermark of unknown settings",
        file="generation_config.json",
        watermarking_config={"a": 1},
        codes=frozenset({0, 2}),
    ),
    _config(
        "tokenizer_length",
        "a length of prompts that is a text",
        file="tokenizer_config.json",
        model_max_length="long",
    ),
    _checkpoint(
        "gen_deep",
        "a generation config of lists 100,000 deep",
        lambda folder: (folder / "generation_config.json").write_text("[" * 100_000),
    ),
    _checkpoint("image_size", "a processor that makes images of 200 million pixels", _enlarging),
    _checkpoint("tokenizer_growth", "a tokenizer that makes texts longer and longer", _growing),
    _config("cfg_text_null", "a model of default size", text_config=None),
    _checkpoint(
        "card_deep",
        "a card of our own kind, 100,000 lists deep",
        lambda folder: (folder / "checkpoint.json").write_text("[" * 100_000),
        codes=frozenset({0, 2}),
    ),
    _config(
        "gen_absurd",
        "a generation config of absurd values",
        file="generation_config.json",
        num_beams=10**9,
        max_new_tokens=-5,
        temperature="hot",
        codes=frozenset({0, 2}),
    ),
]
