"""Many series at once are judged as each one alone."""

from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detector_arrays import SpikeDetectors
from alerts.detectors import DetectorOptions, SpikeDetector
from alerts.learned import Learned

START = datetime(2026, 3, 1, tzinfo=UTC)
FIGURES = (
    "score_count", "score_share", "observed", "expected", "documents", "expected_share", "recent_score", "threshold"
)  # fmt: skip


@st.composite
def many_series(draw: st.DrawFn) -> tuple[DetectorOptions, list[list[tuple[int, int]]], list[int]]:
    """Options, counts (bucket by bucket, a pair per series), and before which buckets there is a gap."""
    options = DetectorOptions(
        bucket=timedelta(minutes=draw(st.sampled_from([1, 5, 20, 60, 1440]))),
        sensitivity=draw(st.sampled_from(["high", "medium", "low"])),
        learning_buckets=20,
        learning_documents=10,
    )
    random = Random(draw(st.integers(0, 10_000)))
    scales = draw(st.lists(st.sampled_from([0.02, 0.5, 4.0, 60.0, 3000.0]), min_size=1, max_size=4))
    buckets = draw(st.integers(1, 120))
    counts = []
    for _ in range(buckets):
        row = []
        for scale in scales:
            total = int(
                random.expovariate(1 / scale) * (random.random() < 0.9) * (8 if random.random() < 0.05 else 1)
            )
            share = random.choice([0.0, 0.1, 0.1, 0.2, 0.9, 1.0])
            row.append((round(total * share), total))
        counts.append(row)
    return options, counts, draw(st.lists(st.integers(0, buckets), max_size=2))


@settings(max_examples=12, deadline=None)
@given(many_series())
def test_each_column_is_the_series_alone(
    case: tuple[DetectorOptions, list[list[tuple[int, int]]], list[int]],
) -> None:
    """Decisions and learned state are equal to the last bit, scores to seven digits."""
    options, counts, gaps = case
    alone = [SpikeDetector(options) for _ in counts[0]]
    together = SpikeDetectors(options, [Learned.nothing(options.windows) for _ in counts[0]])
    for nth, row in enumerate(counts):
        at = START + nth * options.bucket
        if nth in gaps:
            together.skip_gap()
            for detector in alone:
                detector.skip_gap()
        pairs = np.array(row, dtype=np.int64).T
        verdicts = together.observe(at, pairs[0], pairs[1])
        for index, (detector, (negatives, total)) in enumerate(zip(alone, row, strict=True)):
            one, other = detector.observe(at, negatives, total), verdicts.of(index)
            assert (other.is_firing, other.is_learning, other.bucket_at) == (one.is_firing, one.is_learning, at)
            for name in FIGURES:
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-7, abs=1e-7), name
    assert [learned.to_dict() for learned in together.learned()] == [detector.to_dict() for detector in alone]


def test_series_may_join_and_states_may_travel_at_any_time() -> None:
    """A column that comes later, and one that was restored from its state, go on as they would alone."""
    options = DetectorOptions(learning_buckets=5, learning_documents=5)
    random = np.random.default_rng(1)
    counts = np.stack([random.binomial(20, 0.2, (160, 3)), np.full((160, 3), 20)])
    alone = [SpikeDetector(options) for _ in range(3)]
    together = SpikeDetectors(options, [Learned.nothing(options.windows)])
    for nth in range(160):
        at = START + nth * options.bucket
        if nth == 40:
            together.add([Learned.nothing(options.windows)] * 2)
        if nth == 80:
            states = [learned.to_dict() for learned in together.learned()]
            together = SpikeDetectors(options, [Learned.restored(state, options.windows) for state in states])
        size = len(together)
        together.observe(at, counts[0, nth, :size], counts[1, nth, :size])
        for index, detector in enumerate(alone[:size]):
            detector.observe(at, int(counts[0, nth, index]), int(counts[1, nth, index]))
    assert [learned.to_dict() for learned in together.learned()] == [detector.to_dict() for detector in alone]
