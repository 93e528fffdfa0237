"""The tail formulas against exact sums."""

from math import exp, lgamma, log, log10

import pytest

from alerts.detection.tails import beta_binomial_tail, negative_binomial_tail


def log_sum(terms: list[float]) -> float:
    """-log10 of the sum of exp(terms), also where each is too small for a float."""
    largest = max(terms)
    return -(largest / log(10) + log10(sum(exp(term - largest) for term in terms)))


def close_to(exact: float) -> object:
    """Within 0.1 where a surprise begins; below that nobody looks closely."""
    return pytest.approx(exact, abs=0.1 if exact > 1 else 0.25)


def exact_negative_binomial(x: int, mean: float, dispersion: float) -> float:
    r, q = mean / (dispersion - 1), 1 - 1 / dispersion
    return log_sum(
        [lgamma(k + r) - lgamma(k + 1) - lgamma(r) - r * log(dispersion) + k * log(q) for k in range(x, x + 5000)]
    )


def exact_beta_binomial(x: int, n: int, share: float, correlation: float) -> float:
    scale = 1 / correlation - 1
    a, b = share * scale, (1 - share) * scale

    def log_beta(p: float, q: float) -> float:
        return lgamma(p) + lgamma(q) - lgamma(p + q)

    def log_choose(k: int) -> float:
        return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

    return log_sum([log_choose(k) + log_beta(k + a, n - k + b) - log_beta(a, b) for k in range(x, n + 1)])


@pytest.mark.parametrize("mean", [0.05, 1.0, 12.0, 400.0])
@pytest.mark.parametrize("dispersion", [1.05, 2.0, 30.0])
@pytest.mark.parametrize("times", [1.5, 3, 10])
def test_negative_binomial_tail_is_close_to_the_exact_sum(mean: float, dispersion: float, times: float) -> None:
    """Over small and large means the series is close to the exact -log10 p."""
    x = int(mean * times) + 1
    exact = exact_negative_binomial(x, mean, dispersion)
    assert negative_binomial_tail(x, mean, dispersion) == close_to(exact)


@pytest.mark.parametrize("n", [3, 40, 600])
@pytest.mark.parametrize("correlation", [0.002, 0.05, 0.3])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_beta_binomial_tail_is_close_to_the_exact_sum(n: int, correlation: float, share: float) -> None:
    """From single comments to hundreds the series is close to the exact -log10 p."""
    for x in {int(n * share) + 1, n // 2 + 1, n}:
        exact = exact_beta_binomial(x, n, share, correlation)
        assert beta_binomial_tail(x, n, share, correlation) == close_to(exact)


def test_counts_below_the_expectation_are_no_surprise() -> None:
    """Falling counts never score."""
    assert negative_binomial_tail(3, 4.0, 2.0) == 0
    assert beta_binomial_tail(2, 10, 0.3, 0.05) == 0
