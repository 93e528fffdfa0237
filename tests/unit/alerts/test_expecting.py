"""What is expected of a chart's buckets is what the detector expects of them."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from scipy.stats import betabinom

from alerts.detection.detectors import DetectorOptions, SpikeDetector
from alerts.detection.expecting import follow, share_interval, warm_up
from alerts.detection.rules import DEFAULT_RULES, Rule
from alerts.reasons.expectation import watching

HOUR = timedelta(hours=1)
OPTIONS = DetectorOptions(bucket=HOUR)
START = datetime(2026, 3, 2, tzinfo=UTC)


def days(count: int) -> list[tuple[datetime, int, int]]:
    """Hours with a rhythm: (start, negatives, documents)."""
    random = Random(3)
    found = []
    for nth in range(24 * count):
        at = START + nth * HOUR
        total = random.randint(40, 60) * (3 if 8 <= at.hour < 20 else 1)
        found.append((at, sum(random.random() < 0.2 for _ in range(total)), total))
    return found


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_chart_of_the_detectors_own_buckets_has_its_own_expectations(zone: str) -> None:
    """Bucket for bucket the same mean, scatter and share as the detector has before it judges; in any zone."""
    hours = days(24)
    detector = SpikeDetector(OPTIONS)
    for at, negatives, total in hours[: 24 * 20]:
        detector.observe(at, negatives, total)
    state, rest = detector.to_dict(), hours[24 * 20 :]
    shown = list(
        follow(
            state,
            OPTIONS,
            [at.astimezone(ZoneInfo(zone)) for at, *_ in rest],
            HOUR,
            [(negatives, total) for _, negatives, total in rest],
            share_steps=1,
        )
    )
    for (at, negatives, total), found in zip(rest, shown, strict=True):
        baseline, share = detector.learned.counts[0], detector.learned.share
        assert found.count is not None
        assert found.share is not None
        assert found.count.expected == pytest.approx(baseline.expected(at.hour))
        assert found.share.expected == pytest.approx(share.usual(0))
        assert found.count.lower < found.count.expected < found.count.upper
        detector.observe(at, negatives, total)


def test_a_surge_stands_out_of_its_band_and_the_band_holds_what_is_usual() -> None:
    """Nearly all usual hours lie within, ten times the negatives do not; hours without documents have no share."""
    hours = days(24)
    detector = SpikeDetector(OPTIONS)
    for at, negatives, total in hours[: 24 * 20]:
        detector.observe(at, negatives, total)
    rest = [(at, negatives, total) for at, negatives, total in hours[24 * 20 :]]
    at, negatives, total = rest[-1]
    rest[-1] = (at, 10 * negatives, total + 9 * negatives)
    rest[40] = (rest[40][0], 0, 0)
    counts = [(negatives, total) for _, negatives, total in rest]
    shown = list(follow(detector.to_dict(), OPTIONS, [at for at, *_ in rest], HOUR, counts, share_steps=1))
    within = [
        one.count is not None and one.count.lower <= negatives <= one.count.upper
        for one, (negatives, _) in zip(shown, counts, strict=True)
    ]
    assert sum(within) >= 0.85 * len(within)
    assert not within[-1]
    assert shown[40].share is None
    assert shown[-1].share is not None
    assert counts[-1][0] / counts[-1][1] > shown[-1].share.upper


def test_finer_and_coarser_bars_share_the_level() -> None:
    """A quarter of an hour is expected to hold a quarter of an hour's; after days without a word nothing is said."""
    options = DetectorOptions()
    detector = SpikeDetector(options)
    for nth in range(288 * 10):
        detector.observe(START + nth * options.bucket, 2, 10)
    begin = START + timedelta(days=10)
    means = {}
    for minutes in (1, 5, 15, 60):
        step = timedelta(minutes=minutes)
        starts = [begin + nth * step for nth in range(3)]
        counts = [(2 * minutes // 5, 2 * minutes)] * 3
        [first, *_] = follow(detector.to_dict(), options, starts, step, counts, share_steps=4)
        assert first.count is not None
        means[minutes] = first.count.expected / minutes
    assert means[1] == pytest.approx(0.4, rel=0.05)
    assert all(mean == pytest.approx(0.4, rel=0.05) for mean in means.values())
    silent = [begin + nth * HOUR for nth in range(30)]
    [*_, last] = follow(detector.to_dict(), options, silent, HOUR, [(0, 0)] * 30, share_steps=4)
    assert last.count is None
    assert warm_up(options, timedelta(minutes=15)) == timedelta(hours=12)


@pytest.mark.parametrize(
    ("n", "usual", "rho"), [(7, 0.2, 0.02), (120, 0.15, 0.05), (900, 0.4, 0.3), (3000, 0.2, 0.005)]
)
def test_bounds_of_a_share_are_those_of_the_distribution(n: int, usual: float, rho: float) -> None:
    """The central 95 % of a beta-binomial, exactly up to a thousand documents, within a hundredth above."""
    scale = 1 / rho - 1
    exact = betabinom(n, usual * scale, (1 - usual) * scale)
    lower, upper = share_interval(n, usual, rho)
    assert lower == pytest.approx(exact.ppf(0.025) / n, abs=0.01 if n > 1000 else 1e-9)
    assert upper == pytest.approx(exact.ppf(0.975) / n, abs=0.01 if n > 1000 else 1e-9)


def test_the_rule_that_watches_exactly_what_is_shown_is_found() -> None:
    """Nothing chosen: the overall rule; one dimension: its rule and key; two: none, unless somebody made one."""
    assert watching(DEFAULT_RULES, {}) == (DEFAULT_RULES[0], ())
    assert watching(DEFAULT_RULES, {"source": "weibo"}) == (DEFAULT_RULES[2], ("weibo",))
    assert watching(DEFAULT_RULES, {"lang": "zh"}) is None
    assert watching(DEFAULT_RULES, {"topic": "sports", "source": "weibo"}) is None
    both = Rule("both", ("topic",), where=(("source", ("weibo",)),))
    assert watching([*DEFAULT_RULES, both], {"topic": "sports", "source": "weibo"}) == (both, ("sports",))
    disabled = Rule("off", ("lang",), is_enabled=False)
    everything = Rule("all", ("lang",), counted="total")
    assert watching([disabled, everything], {"lang": "zh"}) is None
