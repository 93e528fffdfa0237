"""A share that rises slowly: the last seven days against the 28 before. Pure.

The detector learns a slow rise within days and never fires; whoever reads a daily digest wants to know all the same.
Weeks differ more than coin flips do: by how much is taken from the rolling weeks of the 28 days themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alerts.detection.tails import beta_binomial_tail

WEEK: Final = 7
BEFORE: Final = 28
FEWEST_DAYS: Final = 21  # of the 28 that have documents
FEWEST_DOCUMENTS: Final = 200  # in the week
FEWEST_NEGATIVES: Final = 20
CORRELATION_RANGE: Final = (0.0005, 0.3)
FIRING_SCORE: Final = 3.0
CALM_SCORE: Final = 2.0
SMALLEST_RISE: Final = 1.1  # of the share; less is not worth a line, however certain


@dataclass(frozen=True, slots=True)
class Drift:
    """What a week shows; a series that has too little to show gives None instead.

    Attributes:
        score: -log10 of the chance of so large a share, if the 28 days before are what is usual.
    """

    negatives: float
    documents: int
    usual_share: float
    score: float

    @property
    def share(self) -> float:
        return self.negatives / self.documents

    @property
    def expected(self) -> float:
        return self.documents * self.usual_share

    @property
    def is_firing(self) -> bool:
        return self.score >= FIRING_SCORE and self.share >= SMALLEST_RISE * self.usual_share

    @property
    def is_calm(self) -> bool:
        return self.score < CALM_SCORE


def judge(days: Sequence[tuple[float, int]]) -> Drift | None:
    """The last seven of 35 days, each (negatives, documents), against the others."""
    before, week = days[-(BEFORE + WEEK) : -WEEK], days[-WEEK:]
    negatives, documents = sum(x for x, _ in week), sum(n for _, n in week)
    if sum(1 for _, n in before if n) < FEWEST_DAYS or documents < FEWEST_DOCUMENTS:
        return None
    usual = (sum(x for x, _ in before) + 1.0) / (sum(n for _, n in before) + 4.0)
    score = 0.0
    if negatives >= FEWEST_NEGATIVES:
        score = beta_binomial_tail(min(round(negatives), documents), documents, usual, _scatter(before, usual))
    return Drift(negatives, documents, usual, score)


def _scatter(days: Sequence[tuple[float, int]], share: float) -> float:
    """The intra-class correlation of weeks: E[(X - Np)^2 / Np(1 - p)] = 1 + (N - 1) rho over rolling weeks."""
    squares = pairs = 0.0
    for end in range(WEEK, len(days) + 1):
        x, n = sum(x for x, _ in days[end - WEEK : end]), sum(n for _, n in days[end - WEEK : end])
        if n > 1:
            squares += (x - n * share) ** 2 / (n * share * (1.0 - share)) - 1.0
            pairs += n - 1.0
    low, high = CORRELATION_RANGE
    return min(max(squares / pairs, low), high) if pairs else high
