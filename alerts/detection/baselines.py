"""What is normal for a series, learned from the past and clipped, so that a surge does not teach itself.

Half-lives are durations; the caller turns them into weights per bucket. Design and figures: Farrington-style
down-weighting of outbreaks (Noufaily et al. 2013), with the settings measured for this project.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import sqrt

import msgspec

from alerts.detection.tails import beta_binomial_tail, negative_binomial_tail

LEVEL_HALF_LIFE = timedelta(days=3)
LEVEL_WINDOWS = 24  # the level of sums over a window forgets within so many windows: short ones follow the day's mood
DISPERSION_HALF_LIFE = timedelta(days=4)  # of a series of any numbers ...
WINDOW_DISPERSION_HALF_LIFE = timedelta(days=14)  # ... and of negatives, which are calmer
SHARE_HALF_LIFE = timedelta(days=14)  # of a quiet series; a busy one forgets by documents:
SHARE_DOCUMENTS = 1000.0  # so many tell the usual share well enough, and what is older only holds it back
SHARE_SHORTEST_HALF_LIFE = timedelta(hours=6)  # but a surge must not become usual while it lasts ...
SHARE_MOST_FORGOTTEN = 0.01  # ... nor, where a bucket is an hour or a day, may a few of them be all the past
CLIP_DEVIATIONS = 8.0  # a count may teach the level at most so many standard deviations
DISPERSION_CLIP_DEVIATIONS = 6.0  # and the dispersion fewer: a long surge would else teach that surges are normal
LEVEL_INERTIA = timedelta(hours=2)  # in early life, how long the first counts weigh against the next one
DISPERSION_INERTIA = timedelta(days=1)
SHARE_CLIP_DEVIATIONS = 3.0
MIN_MEAN = 0.01
SEASON_INERTIA = 10.0
SEASON_MEMORY = timedelta(days=28)
SEASON_RANGE = (0.05, 20.0)
CORRELATION_RANGE = (0.002, 0.3)
MOST_SHARE = 0.95  # a model that calls more texts negative never calls all of them so
PRIOR_CORRELATION = (1.0, 50.0)  # excess of squares, pairs: starts at 0.02 and gives way within a busy hour
HOURS = 24


def weight(half_life: timedelta, bucket: timedelta) -> float:
    """How much one bucket counts in a mean with this half-life."""
    return float(1.0 - 0.5 ** (bucket / half_life))


@dataclass(frozen=True, slots=True)
class Pace:
    """The half-lives as weights per bucket."""

    level: float
    level_inertia: float
    dispersion: float
    dispersion_inertia: float
    share_keep: float
    share_most_forgotten: float
    season_visits: float

    @classmethod
    def of(cls, bucket: timedelta, window: int | None = None) -> "Pace":
        """Args:
        window: how many buckets are summed up; None where all sums are to share the longest half-life.
        """
        own = LEVEL_HALF_LIFE if window is None else LEVEL_WINDOWS * window * bucket
        dispersion = DISPERSION_HALF_LIFE if window is None else WINDOW_DISPERSION_HALF_LIFE
        return cls(
            level=weight(min(own, LEVEL_HALF_LIFE), bucket),
            level_inertia=LEVEL_INERTIA / bucket,
            dispersion=weight(dispersion, bucket),
            dispersion_inertia=DISPERSION_INERTIA / bucket,
            share_keep=1.0 - weight(SHARE_HALF_LIFE, bucket),
            share_most_forgotten=min(SHARE_MOST_FORGOTTEN, weight(SHARE_SHORTEST_HALF_LIFE, bucket)),
            # A day-long bucket has no hour of the day: infinite inertia switches the season off.
            season_visits=SEASON_MEMORY / timedelta(days=1) * (timedelta(hours=1) / bucket)
            if bucket < timedelta(days=1)
            else 0.0,
        )


class CountBaseline(msgspec.Struct):
    """Level x hour of day, and dispersion, of the sums over one window length.

    Attributes:
        factor: how many negatives the models that judged the window find where the model that the level was learned
            from finds one (`alerts.detection.model_switches`).
    """

    level: float = 0.0
    dispersion: float = 1.0
    seen: int = 0
    season: list[float] = msgspec.field(default_factory=lambda: [1.0] * HOURS)
    visits: list[float] = msgspec.field(default_factory=lambda: [0.0] * HOURS)
    factor: float = 1.0

    def expected(self, hour: int) -> float:
        mean = self.level * self.season[hour] * self.factor
        return mean if mean > MIN_MEAN else MIN_MEAN

    def surprise(self, x: float, hour: int) -> float:
        """-log10 of the chance of at least x; 0 before anything was learned."""
        return negative_binomial_tail(x, self.expected(hour), self.dispersion) if self.seen else 0.0

    def learn(self, x: float, hour: int, pace: Pace) -> None:
        self.seen += 1
        if self.seen == 1:
            self.level = x / self.factor
            return
        mean = self.expected(hour)
        error = x - mean
        deviation = sqrt(self.dispersion * mean)
        clip = CLIP_DEVIATIONS * deviation + 1.0
        if error > clip:
            error, x = clip, mean + clip
        early = 1.0 / (self.seen + pace.level_inertia)
        rate = pace.level if pace.level > early else early
        x /= self.factor
        self.level += rate * (x / self.season[hour] - self.level)
        clip = DISPERSION_CLIP_DEVIATIONS * deviation + 1.0
        if error > clip:
            error = clip
        early = 1.0 / (self.seen + pace.dispersion_inertia)
        rate = pace.dispersion if pace.dispersion > early else early
        self.dispersion += rate * (error * error / mean - self.dispersion)
        if self.dispersion < 1.0:
            self.dispersion = 1.0
        if pace.season_visits:
            self._learn_season(x, hour, pace)

    def _learn_season(self, x: float, hour: int, pace: Pace) -> None:
        visits = self.visits[hour]
        if self.level > MIN_MEAN:
            low, high = SEASON_RANGE
            factor = self.season[hour]
            factor += (x / self.level - factor) / (visits + SEASON_INERTIA)
            self.season[hour] = low if factor < low else high if factor > high else factor
        if visits < pace.season_visits:
            self.visits[hour] = visits + 1.0


class ShareBaseline(msgspec.Struct):
    """The usual share of negatives, and per window how much more it scatters than coin flips would.

    `active` of `buckets` (both forgetting) held a document at all.

    Attributes:
        factors: per window, as `CountBaseline.factor`; empty: all 1.
    """

    squares: list[float]
    pairs: list[float]
    negatives: float = 0.0
    others: float = 0.0
    factors: list[float] = []
    active: float = 0.0
    buckets: float = 0.0

    @classmethod
    def of(cls, windows: int) -> "ShareBaseline":
        squares, pairs = PRIOR_CORRELATION
        return cls([squares] * windows, [pairs] * windows)

    @property
    def share(self) -> float:
        return (self.negatives + 1.0) / (self.negatives + self.others + 4.0)

    def usual(self, window: int) -> float:
        """The usual share of this window in the eyes of the models that judged it."""
        share = self.share
        return min(share * self.factors[window], max(share, MOST_SHARE)) if self.factors else share

    @property
    def occupancy(self) -> float:
        """The part of the buckets that hold a document; 1 before anything was seen."""
        return self.active / self.buckets if self.buckets else 1.0

    def correlation(self, window: int) -> float:
        low, high = CORRELATION_RANGE
        rho = self.squares[window] / self.pairs[window]
        return low if rho < low else high if rho > high else rho

    def surprise(self, x: int, n: int, window: int) -> float:
        return beta_binomial_tail(x, n, self.usual(window), self.correlation(window)) if x else 0.0

    def learn_window(self, x: int, n: int, window: int, pace: Pace) -> None:
        """One window's scatter; call for every window before `learn_bucket`."""
        if n < 2:
            return
        share = self.usual(window)
        spread = n * share * (1.0 - share)
        clipped = min(float(x), self._clip(n, window))
        error = clipped - n * share
        self.squares[window] = self.squares[window] * pace.share_keep + error * error / spread - 1.0
        self.pairs[window] = self.pairs[window] * pace.share_keep + n - 1.0

    def learn_bucket(self, x: int, n: int, pace: Pace) -> None:
        taken = min(float(x), self._clip(n, 0))
        if self.factors:
            taken = min(taken / self.factors[0], float(n))
        keep = pace.share_keep * (1.0 - min(n / SHARE_DOCUMENTS, pace.share_most_forgotten))
        self.negatives = self.negatives * keep + taken
        self.others = self.others * keep + n - taken
        self.active = self.active * pace.share_keep + (1.0 if n else 0.0)
        self.buckets = self.buckets * pace.share_keep + 1.0

    def _clip(self, n: int, window: int) -> float:
        share = self.usual(window)
        deviation = sqrt(n * share * (1.0 - share) * (1.0 + (n - 1.0) * self.correlation(window)))
        return n * share + SHARE_CLIP_DEVIATIONS * deviation + 1.0
