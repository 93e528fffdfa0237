"""Texts in, opinions out: tokenise, cut into windows, compute with all who wait, calibrate, pool, remember."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, Self

import torch
from transformers import PreTrainedTokenizerBase

from core.errors import CheckpointError
from core.logs import get_logger
from core.metrics import TEXTS
from core.records import Opinion
from core.scripts import script_of
from core.settings import ModelSettings
from core.taxonomy import UNCERTAIN_BELOW
from models.checkpoints import load_checkpoint, resolve, window_length
from models.classifier import OpinionClassifier
from models.engine import Engine
from models.forward import ForwardPass
from models.lanes import Lanes
from models.lineage import version_of
from models.long_text import Windows, cut, pooled
from models.precision import Precision, set_precision
from models.targets import TARGET

Device = Literal["auto", "cpu", "cuda"]
log = get_logger(__name__)

TOKENISE_TEXTS = 1024  # bounds the memory of token ids waiting for their batch
WARM_UP = ("今天天气不错。", "The service was terrible and I want my money back.", "ok")
BATCH_TOKENS = {"cpu": 1_024, "cuda": 16_384}  # more leaves the cache of a core
TRIAL_WINDOWS, TRIAL_TOKENS = 8, 64  # enough that the matrix product decides, a few milliseconds for the starter


@dataclass(frozen=True)
class InferenceOptions:
    """How a checkpoint is run; `core.settings.ModelSettings` has the same names.

    Attributes:
        device: `auto` takes CUDA where there is one.
        precision: of the encoder, see `models.precision`.
        batch_tokens: most tokens of one forward pass, padding included; 0 takes what suits the device.
        max_length: a longer text is read in windows; less where the checkpoint was trained on less.
        window_tokens: tokens of such a window; a few bad sentences must fill a good part of one to be heard.
        max_windows: most windows read of one text, evenly spread over a text that has more.
        decisive_score: from which a negative window makes a long text negative, see `models.long_text`.
        uncertain_below: a head whose best score is lower marks its answer as uncertain.
        cache_entries: answers kept for identical texts; 0 keeps none.
        threads: CPU threads of this process for torch; 0 leaves the choice to torch.
    """

    device: Device = "auto"
    precision: Precision = "auto"
    batch_tokens: int = 0
    max_length: int = 256
    window_tokens: int = 128
    max_windows: int = 64
    decisive_score: float = 0.7
    uncertain_below: float = UNCERTAIN_BELOW
    cache_entries: int = 20_000
    threads: int = 0


class Classifier:
    """A loaded checkpoint. `classify` blocks, and any number of threads may call it.

    Attributes:
        version: what the registry calls the checkpoint; every opinion carries it.
        device: `cpu` or `cuda`.
        precision: what the encoder computes in.
        reads_targets: whether it was taught to say whose sentiment, see `models.targets`.
        uncertain_below: a score below it is a doubtful answer.
    """

    def __init__(
        self,
        model: OpinionClassifier,
        tokenizer: PreTrainedTokenizerBase,
        version: str,
        options: InferenceOptions,
    ) -> None:
        """Use `load`; this takes parts that are already in memory, and warms them up."""
        self.version = version
        self.reads_targets = TARGET in tokenizer.get_vocab()
        self.uncertain_below = options.uncertain_below
        self._model = model.eval()
        self._options = options
        self._around = special_tokens_around(tokenizer)
        special = sum(map(len, self._around))
        self._room = min(options.max_length, window_length(tokenizer)) - special
        self._window = min(options.window_tokens - special, self._room)
        self._tokenizer = tokenizer.backend_tokenizer
        self._tokenizer.no_truncation()  # a text is cut into windows here, never silently by its tokenizer
        self._tokenizer.no_padding()
        self._read_ahead = ThreadPoolExecutor(1, thread_name_prefix="tokenise")  # starts no thread before it is used
        self._lock = threading.Lock()
        self._in_flight: dict[str, Future[Opinion]] = {}
        self._cache: OrderedDict[bytes, Opinion] = OrderedDict()

        probes = [self._framed(ids[: self._room]) for ids in self._token_ids(WARM_UP)]
        device = pick_device(options.device)
        self.device = device.type
        forward = ForwardPass(model, tokenizer, probes, device)
        trial = [(probes[1] * TRIAL_TOKENS)[: min(TRIAL_TOKENS, self._room)]] * TRIAL_WINDOWS
        self.precision = set_precision(forward, options.precision, trial)
        batch_tokens = options.batch_tokens or BATCH_TOKENS[device.type]
        lanes = Lanes.on(device)
        self._engine = Engine(forward, batch_tokens=batch_tokens, is_packed=forward.is_packed, lanes=lanes)
        # The first pass allocates and compiles; it should not fall to the first batch of a worker.
        self._engine(probes)
        log.debug("classifier_ready", version=version, precision=self.precision, is_packed=forward.is_packed)

    @classmethod
    def load(cls, checkpoint: str | Path, **options: Any) -> Self:
        """Load and warm up; takes about a second for the starter.

        Args:
            checkpoint: `starter`, a folder, or a hub id of a classifier trained by this project.
            options: fields of `InferenceOptions`.

        Raises:
            CheckpointError: it cannot be loaded, or `device` is `cuda` and there is none.
            LabelSetError: its classes are not ours.
        """
        chosen = InferenceOptions(**options)
        if chosen.threads > 0:
            torch.set_num_threads(chosen.threads)
        folder = resolve(checkpoint)
        model, tokenizer = load_checkpoint(folder)
        return cls(model, tokenizer, version_of(folder), chosen)

    @classmethod
    def configured(cls, settings: ModelSettings, checkpoint: str | Path | None = None) -> Self:
        """`load` as the settings want it; their checkpoint, unless another is named."""
        options = {field.name: getattr(settings, field.name) for field in fields(InferenceOptions)}
        return cls.load(checkpoint or settings.checkpoint, **options)

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        """The opinion on each text, in order. A text that is in the cache, or that another thread is computing, is
        not computed again.

        Raises:
            Exception: what the model raised for a batch that held one of the texts, in every thread that waits.
        """
        found, shared, own = self._divide(dict.fromkeys(texts))
        TEXTS.labels("model").inc(len(own))
        TEXTS.labels("in_flight").inc(len(shared))
        TEXTS.labels("cache").inc(len(texts) - len(own) - len(shared))
        try:
            for part, read in self._read_in_parts(list(own)):
                opinions = self._opinions(part, read, self._engine([self._framed(ids) for ids in read.ids]))
                found.update(zip(part, opinions, strict=True))
                self._settle(own, part, opinions)
        except BaseException as error:
            self._give_up(own, error)
            raise
        found.update((text, future.result()) for text, future in shared.items())
        return [found[text] for text in texts]

    def _divide(
        self, texts: dict[str, None]
    ) -> tuple[dict[str, Opinion], dict[str, "Future[Opinion]"], dict[str, "Future[Opinion]"]]:
        """Texts answered already, texts that another thread computes, and texts for this one to compute."""
        found: dict[str, Opinion] = {}
        shared: dict[str, Future[Opinion]] = {}
        own: dict[str, Future[Opinion]] = {}
        with self._lock:
            for text in texts:
                if (opinion := self._cached(text)) is not None:
                    found[text] = opinion
                elif text in self._in_flight:
                    shared[text] = self._in_flight[text]
                else:
                    own[text] = self._in_flight[text] = Future()
        return found, shared, own

    def _settle(self, own: dict[str, "Future[Opinion]"], texts: Sequence[str], opinions: Sequence[Opinion]) -> None:
        with self._lock:
            for text, opinion in zip(texts, opinions, strict=True):
                self._remember(text, opinion)
                del self._in_flight[text]
        for text, opinion in zip(texts, opinions, strict=True):
            own[text].set_result(opinion)

    def _give_up(self, own: dict[str, "Future[Opinion]"], error: BaseException) -> None:
        with self._lock:
            left = [text for text, future in own.items() if not future.done()]
            for text in left:
                self._in_flight.pop(text, None)
        for text in left:
            own[text].set_exception(error)

    def _read_in_parts(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[str], Windows]]:
        """Windows of some texts at a time; those of the next ones are read while the caller computes."""
        parts = [texts[start : start + TOKENISE_TEXTS] for start in range(0, len(texts), TOKENISE_TEXTS)]
        upcoming: Future[Windows] | None = None
        for part, following in zip_longest(parts, parts[1:]):
            read = self._read(part) if upcoming is None else upcoming.result()
            upcoming = None if following is None else self._read_ahead.submit(self._read, following)
            yield part, read

    def _read(self, texts: Sequence[str]) -> Windows:
        return cut(self._token_ids(texts), self._room, self._window, self._options.max_windows)

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Without special tokens. Releases the GIL, and is safe in several threads as long as nobody sets options."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _framed(self, ids: list[int]) -> list[int]:
        before, after = self._around
        return before + ids + after

    def _opinions(self, texts: Sequence[str], read: Windows, logits: torch.Tensor) -> list[Opinion]:
        heads = self._model.config.heads
        scripts = [script_of(text) for text in texts]
        scores = self._model.scores(logits, [scripts[owner] for owner in read.owners.tolist()])
        scores = pooled(scores, read, heads["sentiment"].index("negative"), self._options.decisive_score)
        topics, sentiments = scores["topic"].tolist(), scores["sentiment"].tolist()
        return [self._opinion(topic, sentiment) for topic, sentiment in zip(topics, sentiments, strict=True)]

    def _opinion(self, topic: list[float], sentiment: list[float]) -> Opinion:
        heads = self._model.config.heads
        return Opinion(
            topic_label=heads["topic"][_argmax(topic)],
            topic_scores=_rounded(heads["topic"], topic),
            sentiment=heads["sentiment"][_argmax(sentiment)],
            sentiment_scores=_rounded(heads["sentiment"], sentiment),
            model_version=self.version,
            topic_uncertain=max(topic) < self._options.uncertain_below,
            sentiment_uncertain=max(sentiment) < self._options.uncertain_below,
        )

    def _cached(self, text: str) -> Opinion | None:
        if not self._cache:
            return None
        key = _key(text)
        opinion = self._cache.get(key)
        if opinion is not None:
            self._cache.move_to_end(key)
        return opinion

    def _remember(self, text: str, opinion: Opinion) -> None:
        if self._options.cache_entries > 0:
            self._cache[_key(text)] = opinion
            if len(self._cache) > self._options.cache_entries:
                self._cache.popitem(last=False)


def pick_device(device: Device) -> torch.device:
    """Raises:
    CheckpointError: `cuda` was asked for by name and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise CheckpointError("there is no CUDA device", remedy="set OPINION_MODELS__DEVICE to auto or cpu")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


def special_tokens_around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after the ids of one text, such as `[CLS]` and `[SEP]`."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    start = next(n for n in range(len(whole)) if whole[n : n + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def _key(text: str) -> bytes:
    """A digest: twenty thousand articles would take more memory than the model."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _argmax(scores: list[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def _rounded(names: list[str], scores: list[float]) -> dict[str, float]:
    return {name: round(score, 4) for name, score in zip(names, scores, strict=True)}
