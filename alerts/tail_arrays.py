"""`alerts.tails` over many series at once: the same series, terms and stopping rule, element by element."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from alerts.tails import LN10, MAX_TERMS, MIN_EXCESS_DISPERSION, NEGLIGIBLE

Floats: TypeAlias = NDArray[np.float64]


def negative_binomial_tails(x: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """`alerts.tails.negative_binomial_tail` of each; all of one shape."""
    out = np.zeros_like(mean)
    at = np.nonzero(x > mean)
    if not len(at[0]):
        return out
    x, mean, dispersion = x[at], mean[at], dispersion[at]
    excess = np.maximum(dispersion - 1.0, MIN_EXCESS_DISPERSION)
    r = mean / excess
    q = excess / (1.0 + excess)
    log_pmf = gammaln(x + r) - gammaln(x + 1.0) - gammaln(r) - r * np.log(1.0 + excess) + x * np.log(q)
    sums = _Sums(len(x), x, q, r)
    last = np.zeros_like(x)
    for _ in range(MAX_TERMS):
        if not sums.is_open:
            break
        k, q_, r_ = sums.columns
        last = q_ * (k + r_) / (k + 1.0)
        sums.add(last)
        k += 1.0
        last = last[sums.settle()]
    if sums.is_open:
        ratio = np.minimum(np.maximum(last, sums.columns[1]), 0.9999)
        sums.close(ratio / (1.0 - ratio))
    out[at] = np.maximum(0.0, -(log_pmf / LN10 + np.log10(sums.total)))
    return out


def beta_binomial_tails(x: Floats, n: Floats, share: Floats, correlation: Floats) -> Floats:
    """`alerts.tails.beta_binomial_tail` of each; all of one shape."""
    out = np.zeros_like(share)
    at = np.nonzero(x > n * share)
    if not len(at[0]):
        return out
    x, n, share, correlation = x[at], n[at], share[at], correlation[at]
    scale = 1.0 / correlation - 1.0
    alpha, beta = share * scale, (1.0 - share) * scale
    log_pmf = (
        gammaln(n + 1.0) - gammaln(x + 1.0) - gammaln(n - x + 1.0)
        + gammaln(x + alpha) + gammaln(n - x + beta) - gammaln(n + scale)
        + gammaln(scale) - gammaln(alpha) - gammaln(beta)
    )  # fmt: skip  # as in `alerts.tails`
    sums = _Sums(len(x), x, n, alpha, beta)
    last = np.zeros_like(x)
    sums.settle(lambda k, n_, *_: k >= n_)
    for _ in range(MAX_TERMS):
        if not sums.is_open:
            break
        k, n_, alpha_, beta_ = sums.columns
        last = (n_ - k) / (k + 1.0) * (k + alpha_) / (n_ - k - 1.0 + beta_)
        sums.add(last)
        k += 1.0
        last = last[sums.settle(lambda k, n_, *_: k >= n_)]
    if sums.is_open:
        k, n_ = sums.columns[:2]
        ratio = np.minimum(last, 0.9999)
        sums.close(ratio * (1.0 - ratio ** (n_ - k)) / (1.0 - ratio))
    out[at] = np.maximum(0.0, -(log_pmf / LN10 + np.log10(sums.total)))
    return out


class _Sums:
    """Running sums of series of terms; those that have converged are put aside, so that the rest stays small."""

    def __init__(self, size: int, *columns: Floats) -> None:
        self.total = np.ones(size)
        self.columns = [column.copy() for column in columns]
        self._open = np.arange(size)
        self._term = np.ones(size)
        self._sum = np.ones(size)

    @property
    def is_open(self) -> bool:
        """Whether any has not converged."""
        return len(self._open) > 0

    def add(self, ratio: Floats) -> None:
        """The next term of each open series is `ratio` times its last."""
        self._term = self._term * ratio
        self._sum = self._sum + self._term

    def settle(self, is_complete: Callable[..., NDArray[np.bool_]] | None = None) -> NDArray[np.bool_]:
        """Put the converged and the complete ones aside; returns which of the open ones stay."""
        done = self._term < NEGLIGIBLE * self._sum
        if is_complete is not None:
            done |= is_complete(*self.columns)
        stay: NDArray[np.bool_] = ~done
        if done.any():
            self.total[self._open[done]] = self._sum[done]
            self._open, self._term, self._sum = self._open[stay], self._term[stay], self._sum[stay]
            self.columns = [column[stay] for column in self.columns]
        return stay

    def close(self, times: Floats) -> None:
        """What is left of each open series is its last term so many times."""
        self.total[self._open] = self._sum + self._term * times
