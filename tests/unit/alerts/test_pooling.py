"""One score out of those of several windows."""

import pytest

from alerts.detection.pooling import log_weights, pooled

WEIGHTS = log_weights((3, 6, 12, 24, 48))


def test_equal_scores_pool_to_themselves() -> None:
    """The weights add up to one."""
    assert pooled([4.0] * 5, WEIGHTS) == pytest.approx(4.0)


def test_the_window_that_fits_leads() -> None:
    """Windows without evidence cost a surge at most their weight, where a mean would divide it by five."""
    assert pooled([0.0, 0.0, 0.0, 0.0, 9.0], WEIGHTS) > 8.0


def test_short_windows_weigh_less() -> None:
    """The same surprise says more in four hours than in a quarter of one, which is tried sixteen times as often."""
    assert pooled([6.0, 0.0, 0.0, 0.0, 0.0], WEIGHTS) < pooled([0.0, 0.0, 0.0, 0.0, 6.0], WEIGHTS)


def test_nothing_pools_to_nothing() -> None:
    """No score below 0, however few windows there are; and no overflow above."""
    assert pooled([0.0], WEIGHTS) == 0
    assert pooled([900.0] * 5, WEIGHTS) == pytest.approx(900.0)
