"""Keys of other trainers, and what they are called in a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmbench.errors import ConfigError

CALLED_HERE = {
    "model_name_or_path": "model",
    "base_model": "model",
    "checkpoint": "model",
    "dataset": "data",
    "datasets": "data",
    "dataset_dir": "data",
    "train_file": "data",
    "val_set_size": "validation.fraction",
    "split_dataset_ratio": "validation.fraction",
    "finetuning_type": "method",
    "train_type": "method",
    "adapter": "method",
    "use_peft": "method: lora",
    "load_in_4bit": "method: qlora",
    "quantization_bit": "method: qlora",
    "lora_r": "lora.r",
    "lora_rank": "lora.r",
    "rank": "lora.r",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "lora_target": "lora.parts or lora.modules",
    "lora_target_modules": "lora.parts or lora.modules",
    "target_modules": "lora.parts or lora.modules",
    "lora_target_linear": "lora.parts",
    "freeze_vit": "train, the list of the parts that are trained",
    "freeze_llm": "train, the list of the parts that are trained",
    "freeze_aligner": "train, the list of the parts that are trained",
    "freeze_vision_tower": "train, the list of the parts that are trained",
    "freeze_multi_modal_projector": "train, the list of the parts that are trained",
    "freeze_language_model": "train, the list of the parts that are trained",
    "freeze_mm_modules": "train, the list of the parts that are trained",
    "finetune_vision_layers": "train, the list of the parts that are trained",
    "tune_mm_mlp_adapter": "train, the list of the parts that are trained",
    "vit_lr": "learning_rate: {vision: ...}",
    "aligner_lr": "learning_rate: {connector: ...}",
    "mm_projector_lr": "learning_rate: {connector: ...}",
    "vision_lr": "learning_rate: {vision: ...}",
    "lr": "learning_rate",
    "micro_batch_size": "per_device_train_batch_size",
    "batch_size": "per_device_train_batch_size",
    "num_epochs": "num_train_epochs",
    "epochs": "num_train_epochs",
    "lr_scheduler": "lr_scheduler_type",
    "optimizer": "optim",
    "ema_decay": "ema.decay",
    "cutoff_len": "max_length",
    "sequence_len": "max_length",
    "max_seq_length": "max_length",
    "model_max_length": "max_length",
    "eval_steps": "evaluate.every_steps",
    "metric_for_best_model": "evaluate.best",
    "load_best_model_at_end": "evaluate.best",
    "early_stopping_patience": "evaluate.patience",
    "output_dir": "--out of 'vlmbench train run'",
    "resume_from_checkpoint": "--resume of 'vlmbench train run'",
}
"""Keys of other trainers. An alias that means almost the same would be worse than an error."""


def refuse_foreign_keys(values: Mapping[str, Any], path: Path) -> None:
    """Says what another trainer's key is called here.

    Raises:
        ConfigError: There is one.
    """
    for key in values:
        if key in CALLED_HERE:
            raise ConfigError(
                f"The key '{key}' in {path} is another trainer's; that is called "
                f"{CALLED_HERE[key]} here."
            )
