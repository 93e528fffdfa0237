"""Usual ranges hold what they say."""

import pytest
from scipy.stats import nbinom, poisson

from alerts.detection.intervals import predictive_interval


@pytest.mark.parametrize("mean", [0.01, 0.3, 2.0, 17.5, 400.0, 12_000.0])
@pytest.mark.parametrize("dispersion", [1.2, 3.0, 25.0])
def test_bounds_are_those_of_the_distribution(mean: float, dispersion: float) -> None:
    """The same counts as scipy's quantiles of this negative binomial."""
    n, p = mean / (dispersion - 1.0), 1.0 / dispersion
    assert predictive_interval(mean, dispersion) == (int(nbinom.ppf(0.025, n, p)), int(nbinom.ppf(0.975, n, p)))


def test_without_extra_dispersion_it_is_a_poisson() -> None:
    """At dispersion 1 the negative binomial is taken to its limit."""
    assert predictive_interval(30.0, 1.0) == (int(poisson.ppf(0.025, 30.0)), int(poisson.ppf(0.975, 30.0)))
