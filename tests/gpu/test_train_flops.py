"""The FLOPs that the benchmark of training counts, against those that torch counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bench_train_gpu import TINY, measured_peak, model_flops, write_model, write_training
from torch.utils.flop_counter import FlopCounterMode


@pytest.mark.parametrize("method", ["lora", "full"])
def test_flops_are_those_that_torch_counts(method: str, tmp_path: Path) -> None:
    model = write_model(TINY, tmp_path / "model")
    ready = write_training(TINY, model, tmp_path, method, again=False)
    (batch,) = ready.loop._micro_batches(0)[1]
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(ready.loop.token_losses(batch).mean())
    assert model_flops(ready) == pytest.approx(counter.get_total_flops(), rel=0.1)


def test_a_peak_is_a_number_of_this_machine() -> None:
    assert 1e6 < measured_peak(64) < 1e16
