"""The training loop: transformers' Trainer with packed questions and our optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, TrainerCallback

from vlmbench.train.collate import IGNORE, PackedCollator
from vlmbench.train.config import TrainConfig
from vlmbench.train.optimizer import Rates, build_optimizer
from vlmbench.train.synthetic_data import RecipeData, stage_at


class AnswerTrainer(Trainer):
    """Reads micro-batches in order and puts the loss on the answers."""

    def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Restores the weights of an interrupted training.

        The stock method takes the names in the file for those in memory. Where they differ, as
        for Qwen2-VL, it restores nothing and goes on with what the training had started from
        (QwenLM/Qwen3-VL issue 1763), so the file is read as any checkpoint is.
        """
        current: Any = self.model
        saved = type(current).from_pretrained(resume_from_checkpoint, dtype=current.dtype)
        current.load_state_dict(saved.state_dict())

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Mean cross-entropy of the answer tokens of one micro-batch.

        Only the positions before an answer token go through the output layer: with a large
        vocabulary the others would cost more than all the rest.
        """
        inputs = dict(inputs)
        labels = inputs.pop("labels")[:, 1:]
        states = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
        answers = labels != IGNORE
        logits = model.lm_head(states[answers]).float()
        loss = torch.nn.functional.cross_entropy(logits, labels[answers])
        return (loss, {"logits": logits}) if return_outputs else loss


def build_trainer(
    config: TrainConfig,
    model: PreTrainedModel,
    processor: Any,
    out: Path,
    callbacks: list[TrainerCallback],
) -> AnswerTrainer:
    """A Trainer that is ready to train, or to resume from a checkpoint under `out`."""
    arguments = TrainingArguments(
        output_dir=str(out),
        max_steps=config.steps,
        per_device_train_batch_size=1,  # an item of the data is a whole micro-batch
        gradient_accumulation_steps=config.micro_batches,
        use_cpu=not torch.cuda.is_available(),
        bf16=config.precision == "bfloat16",
        max_grad_norm=config.optimizer.clip_norm,
        logging_steps=max(1, config.steps // 200),
        save_steps=config.save_every,
        save_total_limit=config.keep_checkpoints,
        remove_unused_columns=False,
        dataloader_num_workers=1,
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=config.seed,
        report_to=[],
        disable_tqdm=True,
        logging_nan_inf_filter=False,
    )
    chosen = config.optimizer
    rates = Rates(chosen.muon_learning_rate, chosen.adamw_learning_rate, chosen.weight_decay)
    optimizer = build_optimizer(model, rates)
    trainer = AnswerTrainer(
        model=model,
        args=arguments,
        train_dataset=RecipeData(config),
        data_collator=PackedCollator(processor),
        processing_class=processor,
        optimizers=(optimizer, _schedule(optimizer, config)),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.model_accepts_loss_kwargs = False  # each micro-batch is a mean of its own
    return trainer


def _schedule(
    optimizer: torch.optim.Optimizer, config: TrainConfig
) -> torch.optim.lr_scheduler.LambdaLR:
    warmup = config.optimizer.warmup_steps

    def factor(step: int) -> float:
        rising = (step + 1) / (warmup + 1)
        falling = (config.steps - step) / max(1, config.steps - warmup)
        stage = stage_at((step + 0.5) / config.steps, config.data.stages)
        return max(0.0, min(1.0, rising, falling)) * stage.learning_rate

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
