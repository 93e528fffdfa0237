"""The learning rate over a training, and its end in time."""

import math
import time
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Pace(TrainerCallback):  # type: ignore[misc]
    """Ends a training in time on a machine whose speed nobody knows beforehand.

    The learning rate follows the steps or the clock, whichever is further on, so that it has decayed to zero
    when the time is up; a run within its time is not touched, and repeats exactly.
    """

    def __init__(self, most_minutes: float | None) -> None:
        self._seconds = math.inf if most_minutes is None else most_minutes * 60
        self._started = time.monotonic()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.spent() >= 1:
            control.should_training_stop = True  # what follows evaluates and keeps the last state

    def spent(self) -> float:
        """Share of the time that is gone; 0 without a limit."""
        return (time.monotonic() - self._started) / self._seconds

    def learning_rate_factor(self, step: int, steps: int, warmup_steps: int) -> float:
        """Linear warm-up by steps, then linear decay by steps or clock."""
        warm = min(1.0, (step + 1) / max(warmup_steps, 1))
        left = min((steps - step) / max(steps - warmup_steps, 1), 1 - self.spent())
        return max(0.0, min(warm, left))


class PacedTrainer(Trainer):  # type: ignore[misc]
    """A `Trainer` whose learning rate is set by a `Pace`."""

    def __init__(self, pace: Pace, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pace = pace

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        warmup_steps = self.args.get_warmup_steps(num_training_steps)
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer or self.optimizer,
            lambda step: self._pace.learning_rate_factor(step, num_training_steps, warmup_steps),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler
