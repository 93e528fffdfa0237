"""One training run with `transformers.Trainer`: rows in, the best checkpoint by dev macro-F1 out, calibrated."""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from core.logs import get_logger
from models.adaptation import Adaptation
from models.averaging import epoch_checkpoints, mean_weights
from models.calibration import fit_temperatures
from models.classifier import IGNORED_LABEL, OpinionClassifier
from models.encoding import EncodedRows, PadToLongest
from models.interrupted import MarkWhole, newest_whole
from models.machine import Device, choose_machine, cut_batches, process_count
from models.pace import Pace, PacedTrainer
from models.recipe import Optimisation

log = get_logger(__name__)
OnProgress = Callable[["Progress"], None]


@dataclass(frozen=True)
class Progress:
    """Where a training stands; sent after every step.

    Attributes:
        loss: mean over the last steps, None before the first figure.
        dev: macro-F1 figures of the latest evaluation, empty before the first.
    """

    step: int
    steps: int
    epoch: float
    loss: float | None
    dev: dict[str, float]


@dataclass(frozen=True)
class Fitted:
    """How a training ended.

    Attributes:
        dev: `topic_macro_f1`, `sentiment_macro_f1` (of heads that dev answers) and their mean `macro_f1`.
        epochs: passes over the rows until the end; fewer than asked for when stopped early or out of time.
    """

    dev: dict[str, float]
    epochs: float


def fit(
    model: OpinionClassifier,
    tokenizer: PreTrainedTokenizerBase,
    train_rows: EncodedRows,
    dev_rows: EncodedRows,
    optimisation: Optimisation,
    work_dir: Path,
    *,
    resume: bool = False,
    device: Device = "auto",
    on_progress: OnProgress | None = None,
) -> Fitted:
    """Train in place; afterwards `model` holds the best checkpoint by dev macro-F1 (or the mean of
    the epochs, where that is asked for and better), calibrated on dev.

    Blocks for as long as the training takes. Intermediate checkpoints go to `work_dir`, one per epoch. Several
    processes that `torchrun` has started share each batch; all of them end with the same model.

    Args:
        resume: go on from the latest whole checkpoint in `work_dir`, if there is one.
    """
    model.config.label_smoothing = optimisation.label_smoothing
    machine = choose_machine(device)
    cut = cut_batches(
        optimisation.batch_rows,
        train_rows.lengths,
        micro_tokens=optimisation.micro_tokens,
        processes=process_count(),
    )
    steps = math.ceil(len(train_rows) / optimisation.batch_rows) * optimisation.epochs
    pace = Pace(optimisation.most_minutes)
    attention = model.encoder.config._attn_implementation
    if not machine.is_cuda:
        # On short texts the backward pass of torch's fused attention takes as long as the rest of a step on a CPU.
        model.encoder.set_attn_implementation("eager")
    adaptation = Adaptation(model, optimisation.method, lora_rank=optimisation.lora_rank)
    trainer = PacedTrainer(
        pace=pace,
        model=model,
        args=TrainingArguments(
            output_dir=str(work_dir),
            num_train_epochs=optimisation.epochs,
            per_device_train_batch_size=cut.rows,
            per_device_eval_batch_size=cut.rows,
            gradient_accumulation_steps=cut.passes,
            learning_rate=optimisation.learning_rate,
            weight_decay=optimisation.weight_decay,
            optim="adamw_torch_fused",
            warmup_steps=int(steps * optimisation.warmup_share),
            train_sampling_strategy="group_by_length",
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=None if optimisation.average_epochs else 2,
            load_best_model_at_end=True,
            metric_for_best_model="macro_f1",
            greater_is_better=True,
            bf16=machine.is_bfloat16,
            use_cpu=not machine.is_cuda,
            dataloader_pin_memory=machine.is_cuda,
            ddp_find_unused_parameters=False,  # every weight that moves takes part in every loss
            restore_callback_states_from_checkpoint=True,  # how long dev has not become better
            remove_unused_columns=False,
            label_names=["labels", "class_mask"],
            logging_steps=100,
            logging_nan_inf_filter=False,  # it would make a GPU wait for the loss of each step
            report_to="none",
            disable_tqdm=True,
            seed=optimisation.seed,
        ),
        data_collator=PadToLongest(int(tokenizer.pad_token_id)),
        train_dataset=train_rows,
        eval_dataset=dev_rows,
        processing_class=tokenizer,
        compute_metrics=lambda prediction: dev_macro_f1(model, prediction),
        callbacks=[EarlyStoppingCallback(optimisation.patience_epochs), _Reporter(on_progress), pace, MarkWhole()],
    )
    with trainer.args.main_process_first(local=False):  # the others look at what it has left
        if not resume and trainer.is_world_process_zero():
            for stale in epoch_checkpoints(work_dir):  # of another run; they would be averaged in
                shutil.rmtree(stale)
        last = newest_whole(work_dir) if resume else None
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which belongs to results
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if optimisation.average_epochs:
        _keep_mean_if_better(trainer, model, work_dir)
    adaptation.finish()
    prediction = trainer.predict(dev_rows, metric_key_prefix="dev")
    model.encoder.set_attn_implementation(attention)
    labels, class_mask = prediction.label_ids
    model.config.temperatures = fit_temperatures(model, prediction.predictions, labels, class_mask, dev_rows.scripts)
    figures = prediction.metrics.items()
    dev = {key.removeprefix("dev_"): float(value) for key, value in figures if key.endswith("macro_f1")}
    return Fitted(dev, float(trainer.state.epoch or 0))


def _keep_mean_if_better(trainer: PacedTrainer, model: OpinionClassifier, work_dir: Path) -> None:
    """The mean of the epochs in place of the best one, if dev says so."""
    checkpoints = epoch_checkpoints(work_dir)
    best = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.load_state_dict(mean_weights(checkpoints))
    found = trainer.evaluate()["eval_macro_f1"]
    log.info("epochs_averaged", epochs=len(checkpoints), macro_f1=found, best_epoch=trainer.state.best_metric)
    if found < trainer.state.best_metric:
        model.load_state_dict(best)


def dev_macro_f1(model: OpinionClassifier, prediction: EvalPrediction) -> dict[str, float]:
    """Macro-F1 per head that has answers, over the classes each row's source knows, and the mean of the heads."""
    labels, class_mask = prediction.label_ids
    logits = model.split_heads(torch.from_numpy(np.asarray(prediction.predictions)))
    masks = model.split_heads(torch.from_numpy(np.asarray(class_mask)))
    figures = {}
    for column, head in enumerate(model.config.heads):
        answered = labels[:, column] != IGNORED_LABEL
        if answered.any():
            allowed = logits[head].masked_fill(~masks[head], -math.inf)[answered]
            truth = labels[answered, column]
            figures[f"{head}_macro_f1"] = float(
                f1_score(truth, allowed.argmax(dim=-1).numpy(), labels=np.unique(truth), average="macro")
            )
    return {**figures, "macro_f1": float(np.mean(list(figures.values()))) if figures else 0.0}


class _Reporter(TrainerCallback):  # type: ignore[misc]
    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._dev: dict[str, float] = {}
        self._loss: float | None = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._on_progress and state.is_world_process_zero:
            self._on_progress(
                Progress(state.global_step, state.max_steps, float(state.epoch or 0), self._loss, self._dev)
            )

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        self._loss = logs.get("loss", self._loss)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **_: Any,
    ) -> None:
        self._dev = {
            key.removeprefix("eval_"): round(value, 4) for key, value in metrics.items() if key.endswith("macro_f1")
        }
        self.on_step_end(args, state, control)
