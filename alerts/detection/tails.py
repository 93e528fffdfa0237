"""How surprising a count is: upper tails as -log10 of a probability, by ratio series in the log domain.

P(X >= x) = pmf(x) * (1 + r1 + r1*r2 + ...), where r_k is the ratio of neighbouring probabilities. At most `MAX_TERMS`
terms are added and the rest is closed by a geometric series; against exact sums the error is below 0.1 in log10 where
the result is above 1, which is where it matters.
Counts may be fractional (`opinion detect --series` reads any numbers).
"""

from math import lgamma, log, log10

MAX_TERMS = 60
NEGLIGIBLE = 1e-4  # of the sum so far: stop adding
LN10 = log(10.0)
MIN_EXCESS_DISPERSION = 1e-3  # below it a negative binomial is a Poisson, and its r overflows


def negative_binomial_tail(x: float, mean: float, dispersion: float) -> float:
    """-log10 P(X >= x) for a negative binomial of this mean and variance `dispersion * mean`; 0 where x <= mean."""
    if x <= mean:
        return 0.0
    excess = max(dispersion - 1.0, MIN_EXCESS_DISPERSION)
    r = mean / excess
    q = excess / (1.0 + excess)
    log_pmf = lgamma(x + r) - lgamma(x + 1.0) - lgamma(r) - r * log(1.0 + excess) + x * log(q)
    total, term, k, ratio = 1.0, 1.0, x, 0.0
    for _ in range(MAX_TERMS):
        ratio = q * (k + r) / (k + 1.0)
        term *= ratio
        total += term
        if term < NEGLIGIBLE * total:
            break
        k += 1.0
    else:
        ratio = min(max(ratio, q), 0.9999)
        total += term * ratio / (1.0 - ratio)
    return max(0.0, -(log_pmf / LN10 + log10(total)))


def beta_binomial_tail(x: int, n: int, share: float, correlation: float) -> float:
    """-log10 P(X >= x) for x of n with this mean share and intra-class correlation; 0 where x <= n * share."""
    if x <= n * share:
        return 0.0
    scale = 1.0 / correlation - 1.0
    alpha, beta = share * scale, (1.0 - share) * scale
    log_pmf = (
        lgamma(n + 1.0) - lgamma(x + 1.0) - lgamma(n - x + 1.0)
        + lgamma(x + alpha) + lgamma(n - x + beta) - lgamma(n + scale)
        + lgamma(scale) - lgamma(alpha) - lgamma(beta)
    )  # fmt: skip  # one line each: choose(n, x), B(x + alpha, n - x + beta), 1 / B(alpha, beta)
    total, term, ratio = 1.0, 1.0, 0.0
    for k in range(x, min(n, x + MAX_TERMS)):
        ratio = (n - k) / (k + 1.0) * (k + alpha) / (n - k - 1.0 + beta)
        term *= ratio
        total += term
        if term < NEGLIGIBLE * total:
            break
    else:
        left = n - x - MAX_TERMS
        if left > 0:
            ratio = min(ratio, 0.9999)
            total += term * ratio * (1.0 - ratio**left) / (1.0 - ratio)
    return max(0.0, -(log_pmf / LN10 + log10(total)))
