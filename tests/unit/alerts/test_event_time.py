"""The same documents in any order, through any number of restarts, give the same verdicts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detection.budget import ScorePool
from alerts.detection.campaigns import CampaignTimeline
from alerts.detection.detectors import DetectorOptions
from alerts.detection.model_switches import ModelSwitches
from alerts.detection.replays import count, replay
from alerts.detection.timeline import SeriesTimeline

START = datetime(2026, 3, 10, tzinfo=UTC)
BUCKET = timedelta(minutes=5)
OPTIONS = DetectorOptions(learning_buckets=30, learning_documents=20)
BUCKETS = 120
Document = tuple[datetime, str | None, bool]


def documents(seed: int) -> list[Document]:
    """Ten hours of two groups; in the eighth, one turns bad."""
    random = Random(seed)
    made: list[Document] = []
    for nth in range(BUCKETS):
        for group in ("cars", "sports"):
            is_bad = group == "cars" and 90 <= nth < 100
            for _ in range(random.randint(20, 30) if is_bad else random.randint(2, 6)):
                at = START + (nth + random.random()) * BUCKET
                made.append((at, group, random.random() < (0.9 if is_bad else 0.2)))
    return made


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), shuffle=st.randoms(use_true_random=False), partitions=st.integers(1, 8))
def test_order_and_partitions_do_not_matter(seed: int, shuffle: Random, partitions: int) -> None:
    """Shuffled as a whole, or read partition by partition: the same counts, so the same incidents."""
    original = documents(seed)
    mixed = list(original)
    shuffle.shuffle(mixed)
    by_partition = [one for n in range(partitions) for one in mixed[n::partitions]]
    expected = replay(count(original, BUCKET, START), "topic", OPTIONS)
    assert replay(count(mixed, BUCKET, START), "topic", OPTIONS) == expected
    assert replay(count(by_partition, BUCKET, START), "topic", OPTIONS) == expected
    assert [one.labels["topic"] for one in expected] == ["cars"]


class _Series:
    """All that judges one series, as a scheduler holds it; `to_dict` is what SQL keeps."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        kept = state or {}
        self.models = ModelSwitches(OPTIONS.windows, state=kept.get("models"))
        self.pool = ScorePool(BUCKET, per_thousand=5, base=4.5, state=kept.get("pool"))
        self.voices = SeriesTimeline(OPTIONS, kept.get("voices"))
        self.campaign = CampaignTimeline(OPTIONS, kept["campaign"]) if kept.get("campaign") else None

    def advance(self, nth: int, seed: int) -> Any:
        """One bucket of a story with a new model and a campaign."""
        random, at = Random(seed * 1000 + nth), START + nth * BUCKET
        is_new = nth >= 50 and random.random() < 0.7
        total = random.randint(5, 30)
        negative = sum(random.random() < (0.3 if is_new else 0.2) for _ in range(total))
        copies = random.randint(3, 8) if 80 <= nth < 95 else int(random.random() < 0.05)
        totals = {"new" if is_new else "old": total}
        groups = {"new": {str(g): (negative, total) for g in range(10)}} if is_new else {}
        self.models.advance(at, totals, groups, lambda _, __: {str(g): (100, 500) for g in range(10)})
        self.pool.begin(at)
        if copies and self.campaign is None:
            self.campaign = CampaignTimeline(OPTIONS, twin=self.voices.detector)
        for timeline in (self.voices, self.campaign):
            if timeline is not None:
                timeline.adjust(self.models.factors({}), self.models.extra() + self.pool.extra)
        verdict = self.voices.advance(at, negative, total)
        self.pool.add(verdict)
        if self.campaign is not None:
            self.campaign.follow(at, copies, total + copies, verdict)
        return verdict

    def to_dict(self) -> dict[str, Any]:
        return {
            "models": self.models.to_dict(),
            "pool": self.pool.to_dict(),
            "voices": self.voices.to_dict(),
            "campaign": self.campaign.to_dict() if self.campaign else None,
        }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), restarts=st.sets(st.integers(1, BUCKETS - 1), max_size=20))
def test_restarts_do_not_matter(seed: int, restarts: set[int]) -> None:
    """Taken up again from what is kept, after any buckets: every verdict and all that is learned are the same."""
    whole, stopped = _Series(), _Series()
    for nth in range(BUCKETS):
        if nth in restarts:
            stopped = _Series(stopped.to_dict())
        assert stopped.advance(nth, seed) == whole.advance(nth, seed)
    assert stopped.to_dict() == whole.to_dict()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cursors=st.lists(st.integers(0, BUCKETS), max_size=12).map(sorted))
def test_judging_the_open_end_again_does_not_matter(seed: int, cursors: list[int]) -> None:
    """A run that goes ahead of what is kept, over counts that are still open, leaves no trace in what is kept."""
    whole, kept, at = _Series(), _Series().to_dict(), 0

    def fold(series: _Series, start: int, end: int) -> _Series:
        for nth in range(start, end):
            series.advance(nth, seed)
        return series

    ahead: Callable[[int], int] = lambda cursor: min(BUCKETS, cursor + 12)  # noqa: E731
    for cursor in cursors:
        kept, at = fold(_Series(kept), at, cursor).to_dict(), cursor
        fold(_Series(kept), at, ahead(at))
    assert fold(_Series(kept), at, BUCKETS).to_dict() == fold(whole, 0, BUCKETS).to_dict()
