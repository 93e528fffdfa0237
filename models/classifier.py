"""The classifier: one Hugging Face encoder, one linear head each for topic and sentiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from core.scripts import Script
from core.taxonomy import CLASSES

IGNORED_LABEL = -100  # the label of a head that a row does not answer
HeadLogits = dict[str, torch.Tensor]
Temperature = float | dict[Script, float]


class OpinionConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is untyped for mypy
    """Configuration of `OpinionClassifier`.

    Args:
        encoder: config of any encoder that `AutoModel` knows, nested; a dict needs its `model_type`.
        heads: class names per head in the order of the logits; every head has its own names.
        pooling: how token states become one vector: their mean, or mean and maximum side by side.
        dropout: before the heads.
        word_dropout: share of tokens replaced by `mask_token_id` while training.
        label_smoothing: spread over the classes that the row's source knows.
        soft_weight, soft_temperature: of soft answers while training, see `models.distillation`.
        temperatures: calibration per head, one figure or one per script of the text; see `models.calibration`.
    """

    model_type = "opinion"

    def __init__(
        self,
        encoder: PretrainedConfig | dict[str, Any] | None = None,
        heads: dict[str, list[str]] | None = None,
        pooling: Literal["mean", "mean_max"] = "mean",
        dropout: float = 0.1,
        word_dropout: float = 0.0,
        mask_token_id: int | None = None,
        label_smoothing: float = 0.0,
        soft_weight: float = 0.0,
        soft_temperature: float = 1.0,
        temperatures: dict[str, Temperature] | None = None,
        **kwargs: Any,
    ) -> None:
        if encoder is None or isinstance(encoder, dict):
            fields = dict(encoder or {"model_type": "bert"})
            encoder = CONFIG_MAPPING[fields.pop("model_type")](**fields)
        self.encoder: PretrainedConfig = encoder
        heads = heads or {head: list(classes) for head, classes in CLASSES.items()}
        self.heads = dict(sorted(heads.items()))  # JSON comes back sorted, and the order is that of the logits
        self.pooling = pooling
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.mask_token_id = mask_token_id
        self.label_smoothing = label_smoothing
        self.soft_weight = soft_weight
        self.soft_temperature = soft_temperature
        self.temperatures: dict[str, Temperature] = temperatures or dict.fromkeys(self.heads, 1.0)
        super().__init__(**kwargs)


@dataclass
class OpinionOutput(ModelOutput):  # type: ignore[misc]
    """What a forward pass gives.

    Attributes:
        loss: scalar; None without labels.
        logits: (batch, classes of all heads side by side) float32, not calibrated; see `split_heads`.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


class OpinionClassifier(PreTrainedModel):  # type: ignore[misc]
    """Pools the encoder's last states over the attention mask and reads every head from that one vector."""

    config_class = OpinionConfig
    base_model_prefix = "encoder"
    main_input_name = "input_ids"
    _no_split_modules: ClassVar[list[str]] = []

    def __init__(self, config: OpinionConfig, encoder: PreTrainedModel | None = None) -> None:
        """Args:
        encoder: weights to start from; a fresh encoder of `config.encoder` if absent.
        """
        super().__init__(config)
        self.encoder = encoder if encoder is not None else AutoModel.from_config(config.encoder)
        for part in () if encoder is None else (*encoder.modules(), *encoder.parameters()):
            part._is_hf_initialized = True  # `post_init` would draw embeddings anew that were trimmed or grown
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # the heads read pooled states; an unused layer would only weigh
        width = config.encoder.hidden_size * (2 if config.pooling == "mean_max" else 1)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.ModuleDict({head: nn.Linear(width, len(names)) for head, names in config.heads.items()})
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        labels: torch.Tensor | None = None,
        class_mask: torch.Tensor | None = None,
        soft_scores: torch.Tensor | None = None,
    ) -> OpinionOutput:
        """Score a batch.

        Args:
            input_ids: (batch, length) int64.
            attention_mask: (batch, length) int64, 0 where padded.
            labels: (batch, heads) int64 in the order of `config.heads`; `IGNORED_LABEL` for a missing answer.
            class_mask: (batch, classes of all heads) bool, False for classes that the row's source does not
                know; they take no part in the loss of that row.
            soft_scores: (batch, classes of all heads), what teachers think at `config.soft_temperature`.
        """
        if self.training and self.config.word_dropout > 0:
            input_ids = self._drop_words(input_ids, attention_mask)
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = self.dropout(self._pool(states, attention_mask))
        logits = torch.cat([head(pooled) for head in self.heads.values()], dim=-1).float()
        loss = None if labels is None else self._loss(logits, labels, class_mask)
        if loss is not None and soft_scores is not None:
            weight = self.config.soft_weight
            loss = (1 - weight) * loss + weight * self._soft_loss(logits, soft_scores)
        return OpinionOutput(loss=loss, logits=logits)

    def split_heads(self, logits: torch.Tensor) -> HeadLogits:
        """The logits (…, classes of all heads) by head."""
        sizes = [len(names) for names in self.config.heads.values()]
        return dict(zip(self.config.heads, torch.split(logits, sizes, dim=-1), strict=True))

    def scores(self, logits: torch.Tensor, scripts: Sequence[Script] = ()) -> HeadLogits:
        """Calibrated probabilities by head: (rows, classes) float32, summing to 1.

        Args:
            logits: (rows, classes of all heads).
            scripts: of the rows' texts, see `core.scripts`; needed where a head is calibrated by them.

        Raises:
            ValueError: they are needed, and are not as many as the rows.
        """
        return {
            head: torch.softmax(part / self._temperature(head, scripts, part), dim=-1)
            for head, part in self.split_heads(logits).items()
        }

    def _temperature(self, head: str, scripts: Sequence[Script], part: torch.Tensor) -> float | torch.Tensor:
        """One for all rows, or (rows, 1)."""
        temperature: Temperature = self.config.temperatures.get(head, 1.0)
        if not isinstance(temperature, dict):
            return temperature
        if len(scripts) != len(part):
            raise ValueError(f"the {head} head is calibrated by script: {len(part)} rows, {len(scripts)} scripts")
        return torch.tensor([temperature[script] for script in scripts], device=part.device).unsqueeze(1)

    def _drop_words(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        dropped = torch.rand(input_ids.shape, device=input_ids.device) < self.config.word_dropout
        dropped &= attention_mask.bool()
        dropped[:, 0] = False  # the first token marks the start
        return input_ids.masked_fill(dropped, self.config.mask_token_id)

    def _pool(self, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        if self.config.pooling == "mean":
            return mean
        lowest = torch.finfo(states.dtype).min
        return torch.cat([mean, states.masked_fill(mask == 0, lowest).amax(dim=1)], dim=-1)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor, class_mask: torch.Tensor | None) -> torch.Tensor:
        """Cross entropy, averaged over all answers of the batch, whichever head they belong to.

        Rows without an answer are weighed with zero and not left out: picking rows would make a GPU wait each step.
        """
        masks = torch.ones_like(logits, dtype=torch.bool) if class_mask is None else class_mask.bool()
        answered = labels != IGNORED_LABEL
        total = logits.sum() * 0.0  # keeps the graph when no row of the batch has a label
        for column, (part, mask) in enumerate(
            zip(self.split_heads(logits).values(), self.split_heads(masks).values(), strict=True)
        ):
            losses = masked_cross_entropy(part, labels[:, column].clamp(min=0), mask, self.config.label_smoothing)
            total = total + torch.where(answered[:, column], losses, 0.0).sum()
        return total / answered.sum().clamp(min=1)

    def _soft_loss(self, logits: torch.Tensor, soft_scores: torch.Tensor) -> torch.Tensor:
        """Cross entropy to the teachers' scores, mean over rows and heads, at the temperature's scale (Hinton et al.
        2015, "Distilling the Knowledge in a Neural Network", section 2: times its square)."""
        temperature: float = self.config.soft_temperature
        heads = zip(self.split_heads(logits).values(), self.split_heads(soft_scores.float()).values(), strict=True)
        losses = [-(soft * torch.log_softmax(part / temperature, dim=-1)).sum(dim=-1).mean() for part, soft in heads]
        mean: torch.Tensor = torch.stack(losses).mean()
        return mean * temperature**2


def masked_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """Cross entropy of each row over the classes that `mask` allows: (rows,) float32.

    Args:
        logits: (rows, classes) float32.
        labels: (rows,) int64, each an allowed class; else that row's figure says nothing.
        mask: (rows, classes) bool.
        smoothing: probability spread evenly over the row's allowed classes; none of it goes to a masked class.
    """
    log_scores = torch.log_softmax(logits.masked_fill(~mask, torch.finfo(logits.dtype).min), dim=-1)
    picked = log_scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    spread = log_scores.masked_fill(~mask, 0.0).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)
    return -((1 - smoothing) * picked + smoothing * spread)
