"""A stream that looks like a real one, drawn from a seed: any part of it can be drawn again by itself.

Two thirds Chinese; 17 topics; 400 sources with a Zipf law, each with its language, its kinds and the topics it likes;
days and nights; one document in eight a copy of a recent one; one in seven mentions one of 30 watchlists; one in
fifty comes up to two days late; a newer model takes over after two thirds of the time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.taxonomy import SENTIMENTS, TOPICS
from storage.documents import DocumentRow

START: Final = datetime(2024, 3, 1, tzinfo=UTC)
SOURCES: Final = 400
WATCHLISTS: Final = tuple(f"brand-{nth:02}" for nth in range(30))
KINDS: Final = ("news", "comment", "post")
CHUNK: Final = 10_000
COPIED, MENTIONED, TWICE, LATE = 0.12, 0.14, 0.02, 0.02
LATEST: Final = timedelta(days=2)
MODELS: Final = ("opinion-base-2024-02", "opinion-base-2024-04")
SWITCHED: Final = 2 / 3
WORDS: Final = 6_000  # of each language; with few, every text would look like a copy of some other


def _vocabulary() -> dict[str, list[str]]:
    """Made words: Han characters in pairs, and letters."""
    rng = np.random.default_rng(1)
    han = rng.integers(0x4E00, 0x4E00 + 5_000, (WORDS, 2))
    letters = rng.integers(ord("a"), ord("z") + 1, (WORDS, 6))
    return {lang: ["".join(map(chr, word)) for word in words] for lang, words in (("zh", han), ("en", letters))}


_WORDS: Final = _vocabulary()


@dataclass(frozen=True)
class Stream:
    """So many documents over so many days, numbered in the order in which they come."""

    documents: int
    days: int = 75
    seed: int = 7

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 0])
        weights = 1 / np.arange(1, SOURCES + 1) ** 1.05
        object.__setattr__(self, "_weights", weights / weights.sum())
        object.__setattr__(self, "_is_english", rng.random(SOURCES) < 1 / 3)
        object.__setattr__(self, "_kinds", rng.dirichlet([0.5, 0.8, 0.5], SOURCES).cumsum(axis=1))
        object.__setattr__(self, "_topics", rng.dirichlet([0.25] * len(TOPICS), SOURCES).cumsum(axis=1))

    @property
    def chunks(self) -> int:
        return -(-self.documents // CHUNK)

    def end(self) -> datetime:
        return START + timedelta(days=self.days)

    def chunk(self, nth: int) -> list[DocumentRow]:
        """Documents `nth` × `CHUNK` and on, in the order in which they come."""
        count = min(CHUNK, self.documents - nth * CHUNK)
        return list(self._rows(nth * CHUNK, count, np.random.default_rng([self.seed, 1, nth])))

    def _rows(self, first: int, count: int, rng: np.random.Generator) -> Iterator[DocumentRow]:
        numbers = np.arange(first, first + count)
        came = _with_nights(numbers / self.documents * self.days) * 86_400
        late = np.where(rng.random(count) < LATE, rng.random(count) * LATEST.total_seconds(), 0.0)
        published = np.maximum(came - late, 0)
        sources = rng.choice(SOURCES, count, p=self._of("_weights"))
        kinds = _drawn(self._of("_kinds")[sources], rng)
        topics = _drawn(self._of("_topics")[sources], rng)
        moods = rng.dirichlet([0.5, 0.8, 0.5], count).round(4)
        copied = rng.random(count) < COPIED
        mentioned = rng.random(count)
        brands = rng.integers(0, len(WATCHLISTS), (count, 2))
        words = rng.integers(0, WORDS, (count, 14))
        texts: list[tuple[str, str]] = []
        for n in range(count):
            lang = "en" if self._of("_is_english")[sources[n]] else "zh"
            if copied[n] and texts:
                said, lang = texts[-1 - int(rng.integers(min(len(texts), 2_000)))]
            else:
                said = (" " if lang == "en" else "").join(_WORDS[lang][word] for word in words[n])
            texts.append((said, lang))
            scores: dict[Any, float] = dict(zip(SENTIMENTS, map(float, moods[n]), strict=True))
            at = START + timedelta(seconds=float(published[n]))
            model = MODELS[first + n >= SWITCHED * self.documents]
            yield DocumentRow(
                published_at=at,
                id=f"made:{first + n}",
                revision=0,
                kind=KINDS[kinds[n]],
                source=f"source-{sources[n]:03}",
                lang=lang,
                url=None,
                title=None,
                text=said,
                author=None,
                parent_id=None,
                likes=0,
                reposts=0,
                replies=0,
                crawled_at=START + timedelta(seconds=float(came[n])),
                content_hash=(first + n).to_bytes(32, "big"),
                topic_label=TOPICS[topics[n]],
                topic_scores={TOPICS[topics[n]]: 0.75},
                sentiment=max(SENTIMENTS, key=scores.__getitem__),
                score_negative=scores["negative"],
                score_neutral=scores["neutral"],
                score_positive=scores["positive"],
                topic_uncertain=False,
                sentiment_uncertain=False,
                mentions=_mentions(float(mentioned[n]), brands[n], scores),
                model_version=model,
                record_partition=0,
                record_offset=first + n,
                recorded_at=START + timedelta(seconds=float(came[n])),
                stored_at=START + timedelta(seconds=float(came[n])),
            )

    def _of(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = getattr(self, name)
        return found


def _with_nights(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same days, with four fifths less coming in the deepest night (19:00 UTC) than on average."""
    return days - 0.8 / (2 * np.pi) * np.sin(2 * np.pi * (days - 7 / 24))


def _drawn(shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """One draw from each row of cumulated shares."""
    drawn: NDArray[np.intp] = (rng.random(len(shares))[:, None] > shares).sum(axis=1)
    capped: NDArray[np.intp] = np.minimum(drawn, shares.shape[1] - 1)
    return capped


def _mentions(chance: float, brands: NDArray[np.int64], scores: Mapping[str, float]) -> list[dict[str, Any]] | None:
    if chance >= MENTIONED:
        return None
    names = {WATCHLISTS[brand] for brand in brands[: 2 if chance < TWICE else 1]}
    sentiment = max(scores, key=scores.__getitem__)
    return [
        {"watchlist": name, "mentions": 1, "sentiment": sentiment, "sentiment_scores": scores}
        for name in sorted(names)
    ]
