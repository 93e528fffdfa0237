"""A share that rises slowly, for a digest."""

import numpy as np
import pytest

from alerts.detection.drift import BEFORE, WEEK, judge


def days(share_before: float, share_after: float, *, documents: int = 400, scatter: float = 0.0, seed: int = 1):  # type: ignore[no-untyped-def]
    """35 days of a steady share; the last seven may have another one."""
    rng = np.random.default_rng(seed)
    shares = np.array([share_before] * BEFORE + [share_after] * WEEK)
    if scatter:
        shares = rng.beta(shares / scatter, (1 - shares) / scatter)
    return [(float(rng.binomial(documents, p)), documents) for p in shares]


def test_a_rise_that_no_single_day_shows_is_found() -> None:
    """From 20 % to 26 % within a week."""
    found = judge(days(0.20, 0.26))
    assert found is not None
    assert found.is_firing
    assert found.share == pytest.approx(0.26, abs=0.01)
    assert found.usual_share == pytest.approx(0.20, abs=0.01)


def test_steady_series_are_not_mentioned() -> None:
    """Of two thousand steady weeks hardly any is, whether days scatter or not."""
    for scatter in (0.0, 0.005):
        found = [judge(days(0.2, 0.2, scatter=scatter, seed=seed)) for seed in range(1000)]
        assert sum(one is not None and one.is_firing for one in found) <= 10


def test_a_fall_is_none() -> None:
    """Fewer negatives are no news for this digest."""
    found = judge(days(0.26, 0.20))
    assert found is not None
    assert found.score == 0
    assert found.is_calm


@pytest.mark.parametrize(
    "short",
    [
        pytest.param([(0.0, 0)] * 10 + days(0.2, 0.4)[10:], id="too few days"),
        pytest.param(days(0.2, 0.4, documents=20), id="too few documents"),
        pytest.param([], id="nothing"),
    ],
)
def test_too_little_says_nothing(short: list[tuple[float, int]]) -> None:
    """Young and quiet series have no usual week."""
    assert judge(short) is None


def test_a_small_rise_is_not_worth_a_line() -> None:
    """However certain: from 60 % to 64.5 %."""
    found = judge(days(0.60, 0.645, documents=100_000))
    assert found is not None
    assert found.score > 3
    assert not found.is_firing
