"""Labelled rows as the model takes them: token ids, label ids, class masks, padded batches."""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from core.scripts import Script, script_of
from core.taxonomy import HEADS
from models.classifier import IGNORED_LABEL
from models.datasets import LabelledText


class EncodedRows(Dataset[dict[str, Any]]):
    """Rows as the model takes them: token ids (cut at `max_length`), labels and class masks."""

    def __init__(
        self,
        rows: Sequence[LabelledText],
        tokenizer: PreTrainedTokenizerBase,
        heads: dict[str, list[str]],
        max_length: int,
        repeats: Sequence[int] | None = None,
        soft_scores: torch.Tensor | None = None,
    ) -> None:
        """Args:
        repeats: how often each row is seen in one epoch; once if absent.
        soft_scores: (rows, classes of all heads) of teachers, see `models.distillation`.
        """
        texts = [row.text for row in rows]
        self._ids = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"] if texts else []
        self._labels = [_label_ids(row, heads) for row in rows]
        self._masks = [_class_mask(row, heads) for row in rows]
        self._soft_scores = soft_scores
        self._scripts = [script_of(text) for text in texts]
        counts = repeats if repeats is not None else [1] * len(rows)
        self._order = [index for index, count in enumerate(counts) for _ in range(count)]

    @property
    def scripts(self) -> list[Script]:
        """Of each row's text, in order."""
        return [self._scripts[index] for index in self._order]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(ids) for ids in self._ids]

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, position: int) -> dict[str, Any]:
        index = self._order[position]
        row = {"input_ids": self._ids[index], "labels": self._labels[index], "class_mask": self._masks[index]}
        return row if self._soft_scores is None else {**row, "soft_scores": self._soft_scores[index]}


class PadToLongest:
    """Collates encoded rows; padding reaches only to the longest row of the batch."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        width = max(len(row["input_ids"]) for row in rows)
        input_ids = torch.full((len(rows), width), self._pad_token_id, dtype=torch.long)
        attention_mask = torch.zeros((len(rows), width), dtype=torch.long)
        for position, row in enumerate(rows):
            ids = row["input_ids"]
            input_ids[position, : len(ids)] = torch.tensor(ids, dtype=torch.long)
            attention_mask[position, : len(ids)] = 1
        batch = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "labels": torch.tensor([row["labels"] for row in rows], dtype=torch.long),
            "class_mask": torch.tensor([row["class_mask"] for row in rows], dtype=torch.bool),
        }
        if "soft_scores" in rows[0]:
            batch["soft_scores"] = torch.stack([row["soft_scores"] for row in rows])
        return batch


def repeated(count: int, repeat: float, seed: int) -> list[int]:
    """How often each of `count` rows is seen so that the mean is `repeat`; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  # sampling, not secrecy
    whole, rest = divmod(repeat, 1)
    return [int(whole) + (chance.random() < rest) for _ in range(count)]


def _label_ids(row: LabelledText, heads: dict[str, list[str]]) -> list[int]:
    answers: dict[str, str | None] = {head: row.label(head) for head in HEADS}
    return [
        IGNORED_LABEL if (answer := answers[head]) is None else names.index(answer) for head, names in heads.items()
    ]


def _class_mask(row: LabelledText, heads: dict[str, list[str]]) -> list[bool]:
    return [name not in row.absent for names in heads.values() for name in names]
