"""What was learned under other windows is not lost."""

from alerts.detection.baselines import CountBaseline, ShareBaseline
from alerts.detection.learned import FIRST_WINDOWS, Learned

WINDOWS = (3, 6, 12, 24, 48)


def test_states_of_other_windows_are_carried_over() -> None:
    """A state of before windows were named keeps its levels per bucket, its share and what it has seen."""
    counts = [CountBaseline(level=2.0 * window, dispersion=1.0 + window, seen=500) for window in FIRST_WINDOWS]
    old = Learned(list(FIRST_WINDOWS), counts, ShareBaseline.of(4), [(1, 5)] * 48, 500, 2500)
    old.share.negatives, old.share.others = 100.0, 400.0
    state = old.to_dict()
    del state["windows"], state["share"]["active"], state["share"]["buckets"]
    found = Learned.restored(state, WINDOWS)
    assert [one.level for one in found.counts] == [2.0 * window for window in WINDOWS]
    assert [one.dispersion for one in found.counts] == [4.0, 4.0, 13.0, 13.0, 49.0]
    assert (found.share.share, found.seen_buckets, found.recent) == (old.share.share, 500, old.recent)
    assert len(found.share.squares) == len(found.share.pairs) == 5
    assert found.share.occupancy == 1.0
    found.counts[0].season[3] = 9.0
    assert found.counts[1].season[3] == 1.0


def test_states_of_the_same_windows_come_back_as_they_were() -> None:
    """Out and in again changes nothing."""
    new = Learned.nothing(WINDOWS)
    assert Learned.restored(new.to_dict(), WINDOWS) == new
