"""The forward pass: token ids in, logits out, packed without padding where the encoder allows it."""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from models.classifier import OpinionClassifier
from models.packing import PACKED_ATTENTION, pack

SAME_LOGITS = 1e-3  # float32 sums in another order differ by some 1e-6, a text that reads its neighbour by far more


class ForwardPass:
    """One model on one device; not to be called by two threads at once.

    Attributes:
        is_packed: whether batches are laid end to end; else rows are padded to the longest.
    """

    def __init__(
        self,
        model: OpinionClassifier,
        tokenizer: PreTrainedTokenizerBase,
        probes: Sequence[list[int]],
        device: torch.device,
    ) -> None:
        """Args:
        model: float32, eval mode; moved to `device`. `models.precision` changes its encoder afterwards.
        probes: ids of some texts of different lengths, to see whether the encoder can be packed.
        """
        self._model = model.to(device)
        self._tokenizer = tokenizer
        self._device = device
        self._first_position = self._find_first_position(probes)
        self.is_packed = self._first_position is not None

    @property
    def encoder(self) -> nn.Module:
        encoder: nn.Module = self._model.encoder
        return encoder

    @encoder.setter
    def encoder(self, encoder: nn.Module) -> None:
        self._model.encoder = encoder

    @torch.inference_mode()
    def __call__(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        """(texts, classes of all heads) float32 logits, not calibrated, on the device and perhaps not ready yet.

        Pooling and heads are computed in float32, whatever the encoder's precision.

        Raises:
            RuntimeError, torch.OutOfMemoryError: from the device.
        """
        if self._first_position is None:
            return self._padded(inputs)
        return self._packed(inputs, self._first_position)

    def _packed(self, inputs: Sequence[list[int]], first_position: int) -> torch.Tensor:
        packed = pack(inputs, first_position, self._device)
        states = self._model.encoder(
            input_ids=packed.input_ids, position_ids=packed.position_ids, packed=packed
        ).last_hidden_state
        return self._read(states[0], packed.lengths)

    def _padded(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        rows = self._tokenizer.pad({"input_ids": list(inputs)}, return_tensors="pt").to(self._device)
        mask = rows["attention_mask"]
        states = self._model.encoder(input_ids=rows["input_ids"], attention_mask=mask).last_hidden_state
        return self._read(states[mask.bool()], mask.sum(dim=1))

    def _read(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Pool the (tokens, width) states of each text as the checkpoint says, and ask the heads."""
        states = states.float()
        pooled = [torch.segment_reduce(states, "mean", lengths=lengths)]
        if self._model.config.pooling == "mean_max":
            pooled.append(torch.segment_reduce(states, "max", lengths=lengths))
        together = torch.cat(pooled, dim=-1)
        return torch.cat([head(together) for head in self._model.heads.values()], dim=-1)

    @torch.inference_mode()
    def _find_first_position(self, probes: Sequence[list[int]]) -> int | None:
        """Where the encoder starts to count positions, found by trying; None if it cannot be packed.

        Asking the encoder is surer than a list of architectures: it can be packed if, packed, it answers the same.
        """
        config = self._model.encoder.config
        usual = config._attn_implementation
        wanted = self._padded(probes)
        config._attn_implementation = PACKED_ATTENTION
        for first_position in (0, (config.pad_token_id or 0) + 1):
            try:
                found = self._packed(probes, first_position)
            except (TypeError, ValueError, IndexError, RuntimeError):  # its interface is another one
                continue
            if torch.allclose(found, wanted, atol=SAME_LOGITS):
                return first_position
        config._attn_implementation = usual
        return None
