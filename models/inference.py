"""Texts in, opinions out: tokenise, batch by length, one forward pass for both heads, calibrate, remember."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

import torch
from transformers import PreTrainedTokenizerBase

from core.errors import CheckpointError
from core.logs import get_logger
from core.metrics import PADDING, TEXTS, TOKENS
from core.records import Opinion
from models.batching import padding_tokens, token_budget_batches, windows
from models.checkpoints import load_checkpoint, resolve, window_length
from models.classifier import OpinionClassifier
from models.registry import version_of

Device = Literal["auto", "cpu", "cuda"]
log = get_logger(__name__)

OVERLAP_SHARE = 8  # neighbouring windows of a long text share an eighth of their tokens
TOKENISE_TEXTS = 1024  # bounds the memory of token ids waiting for their batch
WARM_UP = ("今天天气不错。", "The service was terrible and I want my money back.")


class Classifier:
    """A loaded checkpoint. `classify` blocks and is called by one thread at a time, off the event loop.

    Attributes:
        version: what the registry calls the checkpoint; every opinion carries it.
    """

    def __init__(
        self,
        model: OpinionClassifier,
        tokenizer: PreTrainedTokenizerBase,
        version: str,
        *,
        device: torch.device,
        batch_tokens: int,
        max_length: int,
        cache_entries: int,
    ) -> None:
        """Use `load`; this takes parts that are already in memory."""
        self.version = version
        self._device = device
        self._dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        self._model = model.to(device=device, dtype=self._dtype).eval()
        self._tokenizer = tokenizer
        self._around = special_tokens_around(tokenizer)
        self._special = sum(map(len, self._around))
        self._batch_tokens = batch_tokens
        self._max_length = min(max_length, window_length(tokenizer))
        self._cache_entries = cache_entries
        self._cache: OrderedDict[str, Opinion] = OrderedDict()

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        *,
        device: Device = "auto",
        batch_tokens: int = 8192,
        max_length: int = 256,
        cache_entries: int = 20_000,
        threads: int = 0,
    ) -> Self:
        """Load and warm up; takes about a second for the starter.

        Args:
            checkpoint: `starter`, a folder, or a hub id of a classifier trained by this project.
            batch_tokens: most tokens of one forward pass, padding included.
            max_length: most tokens of one window; less where the checkpoint was trained on less.
            cache_entries: answers kept for identical texts; 0 keeps none.
            threads: CPU threads of this process for torch; 0 leaves the choice to torch.

        Raises:
            CheckpointError: it cannot be loaded, or `device` is `cuda` and there is none.
            LabelSetError: its classes are not ours.
        """
        if threads > 0:
            torch.set_num_threads(threads)
        folder = resolve(checkpoint)
        model, tokenizer = load_checkpoint(folder)
        classifier = cls(
            model,
            tokenizer,
            version_of(folder),
            device=pick_device(device),
            batch_tokens=batch_tokens,
            max_length=max_length,
            cache_entries=cache_entries,
        )
        classifier._warm_up()
        return classifier

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        """The opinion on each text, in order. Identical texts are computed once.

        A text longer than a window is read in overlapping windows, whose scores are averaged by their tokens.
        """
        found = {text: opinion for text in set(texts) if (opinion := self._cached(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for start in range(0, len(missing), TOKENISE_TEXTS):
            chunk = missing[start : start + TOKENISE_TEXTS]
            found.update(zip(chunk, self._compute(chunk), strict=True))
        for text in missing:
            self._remember(text, found[text])
        TEXTS.labels("model").inc(len(missing))
        TEXTS.labels("cache").inc(len(texts) - len(missing))
        return [found[text] for text in texts]

    def _compute(self, texts: Sequence[str]) -> list[Opinion]:
        encoded = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        room = self._max_length - self._special
        parts = [
            (owner, ids[start:end])
            for owner, ids in enumerate(encoded)
            for start, end in windows(len(ids), room, room // OVERLAP_SHARE)
        ]
        before, after = self._around
        inputs = [before + ids + after for _, ids in parts]
        scores = self._scores(inputs)
        weights = torch.tensor([max(len(ids), 1) for _, ids in parts], dtype=torch.float32)
        owners = torch.tensor([owner for owner, _ in parts])
        total = torch.zeros(len(texts)).index_add(0, owners, weights)
        pooled = torch.zeros(len(texts), scores.shape[1]).index_add(0, owners, scores * weights.unsqueeze(1))
        return list(self._opinions(pooled / total.unsqueeze(1)))

    def _scores(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        """Calibrated scores, (windows, classes of all heads) float32 on the CPU."""
        lengths = [len(ids) for ids in inputs]
        batches = token_budget_batches(lengths, self._batch_tokens)
        rows = torch.empty(len(inputs), sum(map(len, self._model.config.heads.values())))
        for batch in batches:
            rows[batch] = self._forward([inputs[index] for index in batch])
            TOKENS.inc(sum(lengths[index] for index in batch))
        PADDING.inc(padding_tokens(lengths, batches))
        return rows

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        """One pass over one batch; out of memory halves it, down to a single window."""
        try:
            padded = self._tokenizer.pad({"input_ids": list(inputs)}, return_tensors="pt")
            output = self._model(
                input_ids=padded["input_ids"].to(self._device),
                attention_mask=padded["attention_mask"].to(self._device),
            )
            return torch.cat(list(self._model.scores(output.logits).values()), dim=-1).cpu()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if len(inputs) == 1 or not is_out_of_memory(error):
                raise
        # Outside of the handler, so that the traceback no longer holds the failed pass's tensors.
        log.warning("batch_split_out_of_memory", windows=len(inputs))
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        middle = len(inputs) // 2
        return torch.cat([self._forward(inputs[:middle]), self._forward(inputs[middle:])])

    def _opinions(self, scores: torch.Tensor) -> Iterator[Opinion]:
        heads = self._model.config.heads
        by_head = {head: part.tolist() for head, part in self._model.split_heads(scores).items()}
        for topic, sentiment in zip(by_head["topic"], by_head["sentiment"], strict=True):
            yield Opinion(
                topic_label=heads["topic"][_argmax(topic)],
                topic_scores=_rounded(heads["topic"], topic),
                sentiment=heads["sentiment"][_argmax(sentiment)],
                sentiment_scores=_rounded(heads["sentiment"], sentiment),
                model_version=self.version,
            )

    def _cached(self, text: str) -> Opinion | None:
        opinion = self._cache.get(text)
        if opinion is not None:
            self._cache.move_to_end(text)
        return opinion

    def _remember(self, text: str, opinion: Opinion) -> None:
        if self._cache_entries > 0:
            self._cache[text] = opinion
            if len(self._cache) > self._cache_entries:
                self._cache.popitem(last=False)

    def _warm_up(self) -> None:
        """The first pass allocates and compiles; it should not fall to the first batch of a worker."""
        self._compute(WARM_UP)


def pick_device(device: Device) -> torch.device:
    """Raises:
    CheckpointError: `cuda` was asked for by name and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise CheckpointError("there is no CUDA device", remedy="set OPINION_MODELS__DEVICE to auto or cpu")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a forward pass failed for lack of memory; torch's CPU allocator says so only in words."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    return "not enough memory" in words or "can't allocate memory" in words or "out of memory" in words


def _argmax(scores: list[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def _rounded(names: list[str], scores: list[float]) -> dict[str, float]:
    return {name: round(score, 4) for name, score in zip(names, scores, strict=True)}


def special_tokens_around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after the ids of one text, such as `[CLS]` and `[SEP]`."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    start = next(n for n in range(len(whole)) if whole[n : n + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]
