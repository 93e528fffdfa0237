"""What keeps one clock's series from crying wolf together: its models, and its share of the alert budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.detection.budget import ScorePool
from alerts.detection.clock_models import ClockModels
from alerts.detection.detectors import Verdict


@dataclass
class ClockGuards:
    """Asked once a bucket, before the clock's series are judged in it; `to_dict` is all they know."""

    models: ClockModels
    pool: ScorePool

    def advance(self, at: datetime) -> bool:
        """Go on to this bucket; returns whether the series have to be adjusted."""
        is_other_model = self.models.advance(at)
        return self.pool.begin(at) or is_other_model

    def factors(self, labels: Mapping[str, str]) -> list[float]:
        """Per window, how many negatives its models find where the first one finds one."""
        return self.models.factors(labels)

    @property
    def extra(self) -> float:
        """What every threshold is raised by."""
        return self.models.extra + self.pool.extra

    def learn(self, verdict: Verdict, *, is_in_episode: bool) -> None:
        """Take in what a series scored."""
        if not (verdict.is_learning or verdict.is_firing or is_in_episode):
            self.pool.add(verdict)

    def to_dict(self) -> dict[str, Any]:
        """All that is known, as JSON values."""
        return {"models": self.models.to_dict(), "pool": self.pool.to_dict()}
