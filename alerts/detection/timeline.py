"""One series through event time: detector and episodes together, zeros and unknown stretches told apart."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from alerts.detection.detectors import DetectorOptions, SpikeDetector, Verdict
from alerts.detection.judgement import Judgement
from alerts.detection.lifecycle import Episode, fold
from storage.sources import Silence

GAP_BUCKETS = 288  # more empty buckets than this in a row: nobody was listening, rather than nobody was writing
GAP_DAYS = timedelta(days=7)  # for buckets so long that 288 of them are months


def longest_silence(bucket: timedelta) -> timedelta:
    """A longer stretch without any document is unknown, a shorter one is truly empty."""
    return max(min(GAP_BUCKETS * bucket, GAP_DAYS), bucket)


def walk(
    active: Iterable[datetime],
    bucket: timedelta,
    *,
    after: datetime | None,
    silences: Sequence[Silence] = (),
) -> Iterator[tuple[datetime, bool]]:
    """Every bucket that can be judged, in order, with whether a gap lies before it.

    Args:
        active: starts of the buckets in which the clock's source had documents, in order.
        after: the last active bucket before them; None at the very beginning.
        silences: stretches in which the source did not work: empty buckets there say nothing of what is usual.
    """
    longest = longest_silence(bucket)
    for at in active:
        if after is None or at - after > longest or _is_silent(after, at, bucket, silences):
            yield at, after is not None
        else:
            for step in range(1, round((at - after) / bucket) + 1):
                yield after + step * bucket, False
        after = at


def _is_silent(after: datetime, at: datetime, bucket: timedelta, silences: Sequence[Silence]) -> bool:
    """Whether the empty buckets between two active ones are a known silence."""
    return at - after > bucket and any(
        one.starts_at <= after + bucket and (one.ends_at is None or one.ends_at >= at) and one.starts_at < at
        for one in silences
        if one.ends_at is None or one.ends_at > after
    )


class SeriesTimeline:
    """Folds counts into episodes.

    Attributes:
        episodes: those that this object saw change or carried in.
        judgements: by `detected_at`, what the figures of an episode were judged from; only of those whose highest
            score this object saw.
    """

    def __init__(self, options: DetectorOptions, state: dict[str, Any] | None = None) -> None:
        """Args:
        state: what `to_dict` gave, under the same bucket length; None for a new series.
        """
        self.options = options
        kept = state or {"detector": None, "episode": None}
        self._detector = SpikeDetector(options, kept["detector"])
        episode = msgspec.convert(kept["episode"], Episode | None)
        self.episodes: list[Episode] = [episode] if episode else []
        self.judgements: dict[datetime, Judgement] = {}

    def advance(self, bucket_at: datetime, negatives: int, total: int, *, is_after_gap: bool = False) -> Verdict:
        """Judge and learn one bucket, and carry the newest episode through it."""
        if is_after_gap:
            self._detector.skip_gap()
            self._end_episode()
        verdict = self.judged(self._detector.observe(bucket_at, negatives, total))
        current = self.episodes[-1] if self.episodes else None
        result = fold(current, verdict, self.options.bucket)
        if result is not None and result is not current:
            if current is None or result.detected_at != current.detected_at:
                self.episodes.append(result)
            else:
                self.episodes[-1] = result
            if verdict.state is not None and result.window_ends_at == bucket_at + self.options.bucket:
                options = self._detector.options_now
                self.judgements[result.detected_at] = Judgement(bucket_at, options, verdict.state)
        return verdict

    @property
    def detector(self) -> SpikeDetector:
        """What has been learned."""
        return self._detector

    @property
    def is_in_episode(self) -> bool:
        """Whether something is going on."""
        return bool(self.episodes) and self.episodes[-1].ends_at is None

    def judged(self, verdict: Verdict) -> Verdict:
        """The verdict that counts; a place for those who know more than the series."""
        return verdict

    def adjust(self, factors: Sequence[float], extra: float) -> None:
        """See `SpikeDetector.adjust`."""
        self._detector.adjust(factors, extra)

    def _end_episode(self) -> None:
        if self.episodes and self.episodes[-1].ends_at is None:
            self.episodes[-1] = replace(self.episodes[-1], ends_at=self.episodes[-1].last_stirred_at)

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to go on from here, as JSON values."""
        newest = self.episodes[-1] if self.episodes else None
        return {"detector": self._detector.to_dict(), "episode": msgspec.to_builtins(newest)}
