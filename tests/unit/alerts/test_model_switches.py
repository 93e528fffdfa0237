"""A new model is no surge, and hides none."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection.detectors import DetectorOptions
from alerts.detection.model_switches import SETTLING, UNSURE_EXTRA, ModelSwitches, Overlap, estimate
from alerts.detection.timeline import SeriesTimeline

START = datetime(2026, 3, 1, tzinfo=UTC)
BUCKET = timedelta(hours=1)
OPTIONS = DetectorOptions(bucket=BUCKET)
DAY = 24
SWITCH = 8 * DAY
SERIES = 150
MORE = 0.3
TWICE = Overlap({("", ""): (100, 200)})


def nobody(version: str, at: datetime) -> Mapping[str, tuple[int, int]]:
    return {}


class Platform:
    """150 series of 2 to 200 documents in an hour; on the ninth day a model calls 30 % more of them negative."""

    def __init__(self, *, more: float = MORE, mixed: int = 0, surging: int = 0, overlap: int = 0) -> None:
        """Args:
        mixed: buckets in which both models are at work, the new one more and more.
        surging: so many series get five times the usual negatives, two hours after the switch.
        overlap: negatives by the old model in texts that both judged.
        """
        rng = np.random.default_rng(7)
        size = SWITCH + DAY
        self.surging = surging
        day = 1 + 0.6 * np.sin(2 * np.pi * np.arange(size) / DAY)
        part = np.clip((np.arange(size) - SWITCH + 1) / (mixed + 1), 0, 1)
        base = np.exp(rng.uniform(np.log(2), np.log(200), SERIES))
        share = rng.uniform(0.05, 0.4, SERIES)
        totals = rng.poisson(base[:, None] * day)
        self.new = rng.binomial(totals, part)
        self.old = totals - self.new
        self.negative_old = rng.binomial(self.old, share[:, None])
        self.negative_new = rng.binomial(self.new, share[:, None] * (1 + more))
        at = slice(SWITCH + 2, SWITCH + 4)
        extra = rng.poisson((base * share)[:surging, None] * 4 + 20, (surging, 2))
        self.new[:surging, at] += extra
        self.negative_new[:surging, at] += extra
        self.overlaps = (
            {("old", "new"): Overlap({("", ""): (overlap, round(overlap * (1 + more)))})} if overlap else {}
        )

    def firing(self, *, is_told: bool = True) -> set[int]:
        """Which series fire in the day after the switch; `is_told`: the detector hears of the models."""
        switches = ModelSwitches(OPTIONS.windows, self.overlaps)
        timelines = [SeriesTimeline(OPTIONS) for _ in range(SERIES)]
        before = slice(SWITCH - 2 * DAY, SWITCH)
        usual = {
            str(n): (int(self.negative_old[n, before].sum()), int(self.old[n, before].sum())) for n in range(SERIES)
        }
        fired = set()
        for i in range(self.old.shape[1]):
            at = START + i * BUCKET
            totals = {"old": int(self.old[:, i].sum()), "new": int(self.new[:, i].sum())}
            groups = {"new": {str(n): (int(self.negative_new[n, i]), int(self.new[n, i])) for n in range(SERIES)}}
            known = {version: total for version, total in totals.items() if total}
            is_changed = switches.advance(at, known, groups if totals["new"] else {}, lambda _, __: usual)
            for n, timeline in enumerate(timelines):
                if is_told and is_changed:
                    timeline.adjust(switches.factors({}), switches.extra())
                x, total = self.negative_old[n, i] + self.negative_new[n, i], self.old[n, i] + self.new[n, i]
                if timeline.advance(at, int(x), int(total)).is_firing and i >= SWITCH:
                    fired.add(n)
        return fired


def test_thirty_percent_more_negatives_would_alarm_many() -> None:
    """What the rest of these tests is about: a detector that is not told of the model alarms all over the place."""
    assert len(Platform().firing(is_told=False)) >= 10


@pytest.mark.parametrize(
    "platform",
    [
        pytest.param({"overlap": 300}, id="overlap"),
        pytest.param({}, id="estimated from the counts"),
        pytest.param({"mixed": 4}, id="two workers on different versions for four hours"),
        pytest.param({"more": -0.4}, id="fewer negatives"),
    ],
)
def test_a_new_model_raises_nothing(platform: dict[str, float]) -> None:
    """None of 150 series alarms on the day of the switch."""
    assert Platform(**platform).firing() == set()  # type: ignore[arg-type]


@pytest.mark.parametrize("overlap", [0, 300])
def test_a_true_surge_right_after_a_switch_is_found(overlap: int) -> None:
    """Fifteen series surge two hours after the switch: all of them are found, and no other."""
    assert Platform(surging=15, overlap=overlap).firing() == set(range(15))


def test_a_model_that_finds_the_same_changes_nothing() -> None:
    """Other weights in name only: no threshold is raised, and the incidents are those of the model before."""
    switches = ModelSwitches((1, 2), {("old", "new"): Overlap({("", ""): (300, 300), ("lang", "zh"): (80, 80)})})
    switches.advance(START, {"old": 10}, {}, nobody)
    switches.advance(START + BUCKET, {"new": 10}, {}, nobody)
    assert (switches.factors({"lang": "zh"}), switches.extra()) == ([1.0, 1.0], 0.0)


def test_a_window_expects_what_its_models_find() -> None:
    """Half of the documents judged by a model that finds twice as many: half as many again are expected."""
    switches = ModelSwitches((1, 2), {("old", "new"): TWICE})
    switches.advance(START, {"old": 10}, {}, nobody)
    assert switches.factors({}) == [1.0, 1.0]
    switches.advance(START + BUCKET, {"old": 5, "new": 5}, {}, nobody)
    assert switches.factors({}) == pytest.approx([1.5, 1.25], rel=0.01)
    switches.advance(START + 2 * BUCKET, {"new": 10}, {}, nobody)
    assert switches.factors({}) == pytest.approx([2.0, 1.75], rel=0.01)


def test_a_label_of_its_own_ratio_is_expected_to_keep_it() -> None:
    """The new model is stricter with sports alone: other topics expect the overall ratio."""
    overlap = Overlap({("", ""): (1000, 1300), ("topic", "sports"): (300, 900)})
    assert overlap.ratio({"topic": "cars"}) == pytest.approx(1.3, rel=0.01)
    assert overlap.ratio({"topic": "sports", "rule": "by-topic"}) == pytest.approx(2.85, rel=0.01)


def test_a_model_that_comes_back_is_known() -> None:
    """After a rollback what was usual before is expected again, without a doubtful day."""
    switches = ModelSwitches((1,), {("old", "new"): TWICE})
    for n, version in enumerate(["old", "new", "old"]):
        switches.advance(START + n * BUCKET, {version: 10}, {}, nobody)
    assert switches.factors({}) == [1.0]
    assert switches.extra() == 0


def test_what_cannot_be_known_asks_for_more_for_a_day() -> None:
    """One group and no overlap: the threshold rises until the counts have had a day to teach it."""
    switches = ModelSwitches((1,))
    switches.advance(START, {"old": 10}, {}, nobody)
    assert switches.extra() == 0
    switches.advance(START + BUCKET, {"new": 10}, {"new": {"a": (5, 10)}}, nobody)
    assert switches.extra() == UNSURE_EXTRA
    switches.advance(START + BUCKET + SETTLING, {"new": 10}, {}, nobody)
    assert switches.extra() == 0
    assert [(s.old, s.new, s.ratio, s.basis) for s in switches.switches()] == [("old", "new", None, "unknown")]


def test_stopping_between_any_two_buckets_changes_nothing() -> None:
    """The state is all there is: taken up again after every bucket, the factors are the same."""
    whole, state, windows = ModelSwitches((1, 3, 12)), None, (1, 3, 12)
    usual = {str(n): (100, 500) for n in range(20)}
    for i in range(40):
        totals = {"old": 100} if i < 20 else {"new": 60, "old": 40}
        groups = {"new": {str(n): (20 + n % 3, 60) for n in range(20)}} if i >= 20 else {}
        taken_up = ModelSwitches(windows, {}, state)
        for switches in (whole, taken_up):
            switches.advance(START + i * BUCKET, totals, groups, lambda _, __: usual)
        assert taken_up.factors({}) == whole.factors({})
        state = taken_up.to_dict()
    assert whole.factors({})[0] == pytest.approx(0.6 * 1.75 + 0.4, rel=0.02)


@given(
    surging=st.dictionaries(st.integers(0, 29), st.integers(2, 50), max_size=12),
    ratio=st.sampled_from([0.5, 0.8, 1.0, 1.3, 2.0]),
)
def test_a_minority_of_surging_groups_does_not_move_the_estimate(surging: dict[int, int], ratio: float) -> None:
    """However much some of thirty groups surge, the estimate stays with what the others show."""
    usual = {str(n): (200, 1000) for n in range(30)}
    seen = {str(n): (min(500, round(100 * ratio * surging.get(n, 1))), 500) for n in range(30)}
    assert estimate(usual, seen) == pytest.approx(ratio, rel=0.02)
