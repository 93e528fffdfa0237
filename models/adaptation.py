"""Which weights a training moves: all, low-rank steps beside them (LoRA), or the heads alone.

Whatever the way, what comes out is a plain checkpoint of the same shape.
"""

from peft import LoraConfig, LoraModel
from torch import nn

from models.classifier import OpinionClassifier
from models.recipe import TrainingMethod

ADAPTER = "default"
LORA_DROPOUT = 0.05


class Adaptation:
    """Makes a model ready for a training, and plain again afterwards."""

    def __init__(self, model: OpinionClassifier, method: TrainingMethod, *, lora_rank: int) -> None:
        """Args:
        method: `full` moves every weight; `lora` the heads and, beside every linear layer of the encoder, a
            product of two narrow matrices (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"),
            so that the optimizer keeps state for few weights; `heads` nothing but the heads.
        """
        self._model = model
        self._tuner: LoraModel | None = None
        if method == "full":
            return
        for weight in model.encoder.parameters():
            weight.requires_grad = False
        if method == "lora":
            config = LoraConfig(
                r=lora_rank,
                lora_alpha=2 * lora_rank,
                lora_dropout=LORA_DROPOUT,
                target_modules=_linear_layers(model),
            )
            self._tuner = LoraModel(model, config, ADAPTER)
            for weight in model.heads.parameters():  # the tuner freezes all that is not its own
                weight.requires_grad = True

    def finish(self) -> None:
        """Merge what was learned beside the weights into them; the model is as plain as before."""
        if self._tuner is not None:
            self._tuner.merge_and_unload()
            self._tuner = None
        for weight in self._model.parameters():
            weight.requires_grad = True


def _linear_layers(model: OpinionClassifier) -> list[str]:
    return [f"encoder.{name}" for name, layer in model.encoder.named_modules() if isinstance(layer, nn.Linear)]
