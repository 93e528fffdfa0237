"""`alerts.baselines` over many series at once, in the same order: windows are rows, series are columns."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alerts import baselines
from alerts.baselines import HOURS, CountBaseline, Pace, ShareBaseline
from alerts.detectors import DetectorOptions
from alerts.tail_arrays import beta_binomial_tails, negative_binomial_tails

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


class CountBaselines:
    """Level x hour of day, and dispersion; `season` and `visits` are (hour, window, series)."""

    def __init__(self, each: list[list[CountBaseline]], options: DetectorOptions) -> None:
        self._paces = [Pace.of(options.bucket, window) for window in options.windows]
        self._level_rate = np.array([[pace.level] for pace in self._paces])
        shape = (len(each), len(options.windows))
        self._level = np.array([[b.level for b in one] for one in each]).reshape(shape).T.copy()
        self._dispersion = np.array([[b.dispersion for b in one] for one in each]).reshape(shape).T.copy()
        self._seen = np.array([[b.seen for b in one] for one in each], dtype=np.int64).reshape(shape).T.copy()
        hours = (*shape, HOURS)
        self._season = np.array([[b.season for b in one] for one in each]).reshape(hours).transpose(2, 1, 0).copy()
        self._visits = np.array([[b.visits for b in one] for one in each]).reshape(hours).transpose(2, 1, 0).copy()

    def append(self, more: "CountBaselines") -> None:
        """Columns after the last."""
        self._level = np.concatenate([self._level, more._level], axis=-1)
        self._dispersion = np.concatenate([self._dispersion, more._dispersion], axis=-1)
        self._seen = np.concatenate([self._seen, more._seen], axis=-1)
        self._season = np.concatenate([self._season, more._season], axis=-1)
        self._visits = np.concatenate([self._visits, more._visits], axis=-1)

    def expected(self, hour: int) -> Floats:
        """Of each window and series."""
        mean: Floats = np.maximum(self._level * self._season[hour], baselines.MIN_MEAN)
        return mean

    def surprise(self, x: Floats, hour: int) -> Floats:
        """-log10 of the chance of at least x; 0 before anything was learned."""
        return np.where(self._seen > 0, negative_binomial_tails(x, self.expected(hour), self._dispersion), 0.0)

    def learn(self, x: Floats, hour: int, taught: Flags) -> None:
        """As `CountBaseline.learn`, where `taught`."""
        self._seen += taught
        is_first = taught & (self._seen == 1)
        goes_on = taught & (self._seen > 1)
        pace, level, dispersion, season = self._paces[0], self._level, self._dispersion, self._season[hour]
        seen = np.maximum(self._seen, 1)
        mean = self.expected(hour)
        error = x - mean
        deviation = np.sqrt(dispersion * mean)
        clip = baselines.CLIP_DEVIATIONS * deviation + 1.0
        is_clipped = error > clip
        error = np.where(is_clipped, clip, error)
        taken = np.where(is_clipped, mean + clip, x)
        rate = np.maximum(self._level_rate, 1.0 / (seen + pace.level_inertia))
        self._level = np.where(goes_on, level + rate * (taken / season - level), np.where(is_first, x, level))
        error = np.minimum(error, baselines.DISPERSION_CLIP_DEVIATIONS * deviation + 1.0)
        rate = np.maximum(pace.dispersion, 1.0 / (seen + pace.dispersion_inertia))
        scattered = np.maximum(dispersion + rate * (error * error / mean - dispersion), 1.0)
        self._dispersion = np.where(goes_on, scattered, dispersion)
        if pace.season_visits:
            self._learn_season(taken, hour, goes_on)

    def _learn_season(self, x: Floats, hour: int, goes_on: Flags) -> None:
        visits, factor = self._visits[hour], self._season[hour]
        has_level = self._level > baselines.MIN_MEAN
        level = np.where(has_level, self._level, 1.0)
        moved = factor + (x / level - factor) / (visits + baselines.SEASON_INERTIA)
        low, high = baselines.SEASON_RANGE
        self._season[hour] = np.where(goes_on & has_level, np.minimum(np.maximum(moved, low), high), factor)
        self._visits[hour] = np.where(goes_on & (visits < self._paces[0].season_visits), visits + 1.0, visits)

    def each(self) -> list[list[CountBaseline]]:
        """Per series, per window."""
        return [
            [CountBaseline(*of_window) for of_window in zip(*of_series, strict=True)]
            for of_series in zip(
                self._level.T.tolist(),
                self._dispersion.T.tolist(),
                self._seen.T.tolist(),
                self._season.transpose(2, 1, 0).tolist(),
                self._visits.transpose(2, 1, 0).tolist(),
                strict=True,
            )
        ]


class ShareBaselines:
    """The usual share; `squares` and `pairs` are (window, series)."""

    def __init__(self, each: list[ShareBaseline], options: DetectorOptions) -> None:
        self._pace = Pace.of(options.bucket)
        shape = (len(each), len(options.windows))
        self._squares = np.array([one.squares for one in each]).reshape(shape).T.copy()
        self._pairs = np.array([one.pairs for one in each]).reshape(shape).T.copy()
        self._negatives = np.array([one.negatives for one in each], dtype=np.float64)
        self._others = np.array([one.others for one in each], dtype=np.float64)
        self._active = np.array([one.active for one in each], dtype=np.float64)
        self._buckets = np.array([one.buckets for one in each], dtype=np.float64)

    def append(self, more: "ShareBaselines") -> None:
        """Columns after the last."""
        self._squares = np.concatenate([self._squares, more._squares], axis=-1)
        self._pairs = np.concatenate([self._pairs, more._pairs], axis=-1)
        self._negatives = np.concatenate([self._negatives, more._negatives])
        self._others = np.concatenate([self._others, more._others])
        self._active = np.concatenate([self._active, more._active])
        self._buckets = np.concatenate([self._buckets, more._buckets])

    @property
    def share(self) -> Floats:
        """Of each series."""
        return (self._negatives + 1.0) / (self._negatives + self._others + 4.0)

    @property
    def occupancy(self) -> Floats:
        """The part of the buckets that hold a document; 1 before anything was seen."""
        is_known = self._buckets > 0
        return np.where(is_known, self._active / np.where(is_known, self._buckets, 1.0), 1.0)

    def surprise(self, x: Floats, n: Floats) -> Floats:
        """-log10 of the chance of at least x of n, of each window and series."""
        share = np.broadcast_to(self.share, x.shape)
        return np.where(x > 0, beta_binomial_tails(x, n, share, self._correlation()), 0.0)

    def learn_windows(self, x: Floats, n: Floats, taught: Flags) -> None:
        """As `ShareBaseline.learn_window` for every window, where `taught`."""
        share, keep = self.share, self._pace.share_keep
        spread = n * share * (1.0 - share)
        error = np.minimum(x, self._clip(n, self._correlation())) - n * share
        is_taught = taught & (n >= 2)
        squares = self._squares * keep + error * error / np.where(is_taught, spread, 1.0) - 1.0
        self._squares = np.where(is_taught, squares, self._squares)
        self._pairs = np.where(is_taught, self._pairs * keep + n - 1.0, self._pairs)

    def learn_bucket(self, x: Floats, n: Floats) -> None:
        """As `ShareBaseline.learn_bucket`."""
        taken = np.minimum(x, self._clip(n, self._correlation()[0]))
        forgotten = np.minimum(n / baselines.SHARE_DOCUMENTS, self._pace.share_most_forgotten)
        keep = self._pace.share_keep * (1.0 - forgotten)
        self._negatives = self._negatives * keep + taken
        self._others = self._others * keep + n - taken
        self._active = self._active * self._pace.share_keep + (n > 0)
        self._buckets = self._buckets * self._pace.share_keep + 1.0

    def _correlation(self) -> Floats:
        low, high = baselines.CORRELATION_RANGE
        correlation: Floats = np.minimum(np.maximum(self._squares / self._pairs, low), high)
        return correlation

    def _clip(self, n: Floats, correlation: Floats) -> Floats:
        share = self.share
        deviation = np.sqrt(n * share * (1.0 - share) * (1.0 + (n - 1.0) * correlation))
        clip: Floats = n * share + baselines.SHARE_CLIP_DEVIATIONS * deviation + 1.0
        return clip

    def each(self) -> list[ShareBaseline]:
        """Per series."""
        return [
            ShareBaseline(*one)
            for one in zip(
                self._squares.T.tolist(),
                self._pairs.T.tolist(),
                self._negatives.tolist(),
                self._others.tolist(),
                self._active.tolist(),
                self._buckets.tolist(),
                strict=True,
            )
        ]
