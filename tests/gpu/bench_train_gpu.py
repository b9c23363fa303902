"""Prints how fast a Qwen2-VL of 2B is trained on one GPU, and what keeps it from being faster.

    python tests/gpu/bench_train_gpu.py [--json FILE]      under 8 minutes, 60 GiB of GPU memory
    python tests/gpu/bench_train_gpu.py --tiny             the same on a CPU, with a tiny model

The sizes are those of Qwen2-VL-2B-Instruct, the weights random; nothing is downloaded. Rows with a
picture of 448 x 448 pixels (256 image tokens) and an answer of some 100 tokens go through the loop
of `vlmbench train run`, by LoRA and in full, with and without gradient checkpointing. All is in
bfloat16 but the weights that are trained, which are float32.

    tokens/s    of prompts and answers, after the first updates
    MFU         model FLOPs utilization (Chowdhery et al. 2022, arXiv:2204.02311, appendix B): the
                FLOPs that forward and backward need once, recomputed activations not counted,
                over what the GPU's data sheet promises and over a measured product of matrices
    limit       data (the loop waits for batches), launches (the GPU waits for its next kernel),
                memory (kernels that move numbers take most of its time), or compute
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from made_colors import color_rows, data_recipe, write_rows

from vlmbench.train.prepare import Prepared, prepare
from vlmbench.train.recipe_file import parse_recipe, read_recipe
from vlmbench.train.scratch import ScratchSpec, build_processor, build_tokenizer

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12}
"""Dense bfloat16 FLOP/s of the data sheets (SXM versions), by a part of the GPU's name."""

WAIT, BUSY = 0.05, 0.7
"""Part of the time above which waiting for data is the limit, and below which launching is."""

MATRIX_KERNELS = ("gemm", "cutlass", "nvjet", "flash", "fmha", "attention", "conv", "xmma", "mm_")
"""What kernels are called that compute more than they move."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A model and rows to train it on."""

    text: dict[str, int]
    vision: dict[str, int]
    rotary: list[int]
    side: int
    """Of the pictures, in pixels."""
    batch: int
    warm_up: int
    timed: int


# https://huggingface.co/Qwen/Qwen2-VL-2B-Instruct/blob/main/config.json
QWEN2_VL_2B = Workload(
    text={
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    },
    vision={"embed_dim": 1280, "depth": 32, "num_heads": 16, "mlp_ratio": 4, "hidden_size": 1536},
    rotary=[16, 24, 24],
    side=448,
    batch=8,
    warm_up=4,
    timed=10,
)
TINY = Workload(
    text={
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": 1000,
    },
    vision={"embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 4, "hidden_size": 64},
    rotary=[4, 6, 6],
    side=112,
    batch=2,
    warm_up=4,
    timed=3,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One training."""

    method: str
    checkpointing: bool
    tokens_per_second: float
    samples_per_second: float
    flops_per_second: float
    """Model FLOPs, see above."""
    wait: float
    """Part of the time in which no batch was ready."""
    busy: float | None
    """Part of the time in which the GPU had a kernel to run; None without one."""
    matrix: float | None
    """Part of the GPU's busy time in products of matrices, attention and convolutions."""
    memory_gib: float | None
    loss: float

    @property
    def limit(self) -> str:
        """What keeps it from being faster."""
        if self.wait > WAIT:
            return "data"
        if self.busy is None or self.matrix is None:
            return "not a GPU"
        if self.busy < BUSY:
            return "launches"
        return "compute" if self.matrix > 0.5 else "memory"


def write_model(load: Workload, folder: Path) -> Path:
    """A checkpoint of these sizes with random weights, in bfloat16."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    spec = ScratchSpec(vocabulary=1000, patch_size=14, max_pixels=load.side * load.side)
    tokenizer = build_tokenizer(["これは何色ですか。赤青緑黄色"] * 3, spec.vocabulary)
    processor = build_processor(tokenizer, spec)
    for images in (processor.image_processor, processor.video_processor):
        images.temporal_patch_size = 2
    token = tokenizer.convert_tokens_to_ids
    ends = {"bos_token_id": None, "eos_token_id": token("<|im_end|>")}
    rotary = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": load.rotary}
    config = Qwen2VLConfig(
        text_config={**load.text, **ends, "rope_parameters": rotary, "tie_word_embeddings": True},
        vision_config={**load.vision, "patch_size": 14, "spatial_merge_size": 2},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model: Any = Qwen2VLForConditionalGeneration(config)
    generation = model.generation_config
    generation.eos_token_id, generation.pad_token_id = ends["eos_token_id"], token("<|endoftext|>")
    generation.bos_token_id = None
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_training(load: Workload, model: Path, folder: Path, method: str, again: bool) -> Prepared:
    """The loop of a recipe, ready to run."""
    import PIL.Image

    rows = color_rows(4 * load.batch)
    for number, row in enumerate(rows):
        picture = folder / "picture.png"
        color = (7 * number % 256, 90, 200 - number)
        PIL.Image.new("RGB", (load.side, load.side), color).save(picture)
        row["images"][0]["bytes"] = picture.read_bytes()
        row["texts"][0]["assistant"] = "これは赤ではなく青です。" * 8
    write_rows(folder / "rows.parquet", rows)
    recipe = data_recipe(
        folder,
        model,
        method=method,
        lora={"r": 16, "alpha": 32},
        learning_rate=1e-4 if method == "lora" else 1e-5,
        max_steps=load.warm_up + load.timed + 2,
        per_device_train_batch_size=load.batch,
        lr_scheduler_type="constant",
        bf16=True,
        gradient_checkpointing=again,
    )
    return prepare(parse_recipe(read_recipe(recipe), recipe).stages[0], folder)


def model_flops(ready: Prepared) -> float:
    """FLOPs that forward and backward of the first update need, nothing computed twice.

    A product with a weight matrix costs 2 FLOPs a weight and token forward, 2 backward for what
    it was given (if anything before it is trained) and 2 for its own gradient (if it is trained).
    Attention is two products of the sequence with itself, as if it looked ahead, too.
    """
    config = ready.trainable.model.config
    text, vision = config.text_config, config.vision_config
    sizes, full = _weights(ready), ready.recipe.method == "full"
    total = 0.0
    for batch in ready.loop._micro_batches(0)[1]:
        images = [times * rows * columns for times, rows, columns in _grids(batch)]
        patches, pairs = sum(images), sum(one**2 for one in images)
        lengths = batch.inputs["attention_mask"].sum(1).double()
        seeing = 2 * sizes["vision"] * patches + 4 * vision.depth * vision.embed_dim * pairs
        seeing += 2 * sizes["connector"] * patches / vision.spatial_merge_size**2
        reading = 2 * sizes["language"] * batch.tokens
        reading += 2 * text.vocab_size * text.hidden_size * batch.learned
        looking = 4 * text.num_hidden_layers * text.hidden_size * float((lengths**2).sum())
        # Frozen, the vision encoder has no backward, and a weight's own gradient is not needed.
        total += 3 * (seeing + reading + looking) if full else seeing + 2 * reading + 3 * looking
    return total


def _grids(batch: Any) -> list[list[int]]:
    grids: list[list[int]] = batch.inputs["image_grid_thw"].tolist()
    return grids


def _weights(ready: Prepared) -> dict[str, int]:
    """Weights of each part that every token of it meets: no embeddings, no head."""
    sizes = {"vision": 0, "connector": 0, "language": 0}
    for name, parameter in ready.trainable.model.named_parameters():
        part = ready.trainable.parts.part_of(name)
        if parameter.ndim > 1 and "embed_tokens" not in name and "lm_head" not in name:
            sizes[str(part)] += parameter.numel()
    return sizes


def measure(load: Workload, model: Path, method: str, again: bool) -> Measured:
    """Trains for a few updates and looks at their time."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        ready = write_training(load, model, Path(folder), method, again)
        flops = model_flops(ready)
        with closing(ready.loop.run()) as reports:
            for _ in itertools.islice(reports, load.warm_up):
                pass
            _synchronize()
            began = time.perf_counter()
            timed = list(itertools.islice(reports, load.timed))
            _synchronize()
            seconds = time.perf_counter() - began
            busy, matrix = _kernels(reports)
    held = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    return Measured(
        method,
        again,
        tokens_per_second=sum(one.tokens for one in timed) / seconds,
        samples_per_second=load.batch * load.timed / seconds,
        flops_per_second=flops * load.timed / seconds,
        wait=sum(one.wait for one in timed) / seconds,
        busy=busy,
        matrix=matrix,
        memory_gib=held,
        loss=timed[-1].loss,
    )


def _kernels(reports: Iterator[Any]) -> tuple[float | None, float | None]:
    """Parts of an update's time in which the GPU is busy, and of that in products of matrices."""
    if not torch.cuda.is_available():
        return None, None
    from torch.profiler import ProfilerActivity, profile

    next(reports)
    _synchronize()
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        next(reports)
        _synchronize()
        seconds = time.perf_counter() - began
    spent = {one.key: one.self_device_time_total for one in profiled.key_averages()}
    total = sum(spent.values())
    matrix = sum(
        time_ for name, time_ in spent.items() if any(one in name.lower() for one in MATRIX_KERNELS)
    )
    return min(1.0, total / 1e6 / seconds), matrix / total if total else 0.0


def measured_peak(size: int) -> float:
    """FLOP/s of a product of two square matrices in bfloat16."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    best = 0.0
    for _ in range(5):
        _synchronize()
        began = time.perf_counter()
        for _ in range(10):
            one @ one
        _synchronize()
        best = max(best, 10 * 2 * size**3 / (time.perf_counter() - began))
    return best


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def report(found: list[Measured], name: str, promised: float | None, peak: float) -> str:
    """The measurements as Markdown."""
    sheet = f", data sheet {promised / 1e12:.0f}" if promised else ""
    lines = [
        f"{name}: bfloat16 product of matrices {peak / 1e12:.3g} TFLOP/s{sheet}",
        "",
        "| method | checkpointing | tokens/s | samples/s | MFU | of measured | waits | GPU busy "
        "| matrices | GiB | limit |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        cells = (
            one.method,
            "yes" if one.checkpointing else "no",
            f"{one.tokens_per_second:,.0f}",
            f"{one.samples_per_second:.2f}",
            f"{one.flops_per_second / promised:.1%}" if promised else "–",
            f"{one.flops_per_second / peak:.1%}",
            f"{one.wait:.1%}",
            *("–" if value is None else f"{value:.0%}" for value in (one.busy, one.matrix)),
            "–" if one.memory_gib is None else f"{one.memory_gib:.1f}",
            one.limit,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a tiny model, on a CPU too")
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    options = parser.parse_args()
    if not (options.tiny or torch.cuda.is_available()):
        print("There is no CUDA device here; add --tiny to try the script.", file=sys.stderr)
        return 2
    load = TINY if options.tiny else QWEN2_VL_2B
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    promised = next((value for part, value in PEAKS.items() if part in name), None)
    peak = measured_peak(8192 if torch.cuda.is_available() else 256)
    found: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(load, Path(folder) / "model")
        for method, again in itertools.product(("lora", "full"), (False, True)):
            try:
                found.append(measure(load, model, method, again))
            except torch.OutOfMemoryError:
                print(f"{method}, checkpointing {again}: the memory is the limit", flush=True)
                continue
            print(f"{method}, checkpointing {again}: done", file=sys.stderr, flush=True)
    print(report(found, name, promised, peak))
    if options.json is not None:
        rows = [{**asdict(one), "limit": one.limit} for one in found]
        values = {"device": name, "promised": promised, "peak": peak, "trainings": rows}
        options.json.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
