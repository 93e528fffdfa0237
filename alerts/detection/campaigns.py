"""A copy-paste campaign: copies of negative texts surge while other voices do not. Pure.

The copies of a series (negative documents that are not the first of their cluster) are judged as a series of their
own, against its documents. A surge of them begins a campaign only while the independent voices of the same series are
calm: where people are angry by themselves, their story is carried further, too, and the surge is told as what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from alerts.detection.detectors import DetectorOptions, SpikeDetector, Verdict
from alerts.detection.lifecycle import CALM_SCORE
from alerts.detection.timeline import SeriesTimeline
from core.records import Severity

FEWEST_COPIES: Final = 15  # in a window; a story that a dozen outlets carry is no campaign
WARNING_CARRIERS: Final = 50
MANY_CARRIERS: Final = 500
INDEPENDENT: Final = 0.2  # of the negatives: with so many voices of their own among them, a campaign has an echo


@dataclass(frozen=True, slots=True)
class Voices:
    """The negative documents of a window.

    Attributes:
        copies: of `negative`, those that are not the first of their cluster.
    """

    negative: int
    copies: int

    @property
    def independent(self) -> int:
        return self.negative - self.copies

    @property
    def independent_share(self) -> float:
        return self.independent / self.negative if self.negative else 1.0


def severity(voices: Voices) -> Severity:
    """info; warning: 50 copies with an echo of a fifth independent voices, or 500 copies. Never critical: nobody is
    woken by one text."""
    has_echo = voices.copies >= WARNING_CARRIERS and voices.independent_share >= INDEPENDENT
    return "warning" if has_echo or voices.copies >= MANY_CARRIERS else "info"


class CampaignTimeline(SeriesTimeline):
    """The copies of one series through event time."""

    def __init__(
        self, options: DetectorOptions, state: dict[str, Any] | None = None, *, twin: SpikeDetector | None = None
    ) -> None:
        """Args:
        twin: of a new one: the detector of the series itself, which has seen as much and no copy in it.
        """
        if state is None and twin is not None:
            state = {"detector": twin.without_negatives(), "episode": None}
        super().__init__(options, state)
        self._voices: Verdict | None = None

    def follow(
        self, bucket_at: datetime, copies: int, total: int, voices: Verdict, *, is_after_gap: bool = False
    ) -> None:
        """Judge and learn one bucket.

        Args:
            total: documents, copies among them.
            voices: what was made of the series itself in this bucket.
        """
        self._voices = voices
        self.advance(bucket_at, copies, total, is_after_gap=is_after_gap)

    def judged(self, verdict: Verdict) -> Verdict:
        """Firing by the number of copies alone: where there were hardly any before, their share has no usual scatter
        to be told from. Not while independent voices stir, unless it has begun before."""
        is_calm = self._voices is None or (self._voices.score < CALM_SCORE and not self._voices.is_firing)
        is_surge = verdict.score_count >= verdict.threshold and verdict.observed >= FEWEST_COPIES
        is_firing = not verdict.is_learning and is_surge and (is_calm or self.is_in_episode)
        return replace(verdict, is_firing=is_firing)


def annotations(
    subject: tuple[str, str], voices: Voices, *, expected: float, minutes: int, clusters: Sequence[int]
) -> dict[str, str]:
    """Prose and figures that are kept with the incident.

    Args:
        subject: what it is about, in Chinese and in English.
        clusters: documents in each of the largest copy clusters.
    """
    zh, en = subject
    largest = clusters[0] if clusters else voices.copies
    in_zh = (
        f"{zh}：{minutes} 分钟内负面复制文本 {voices.copies} 条，通常约 {expected:.1f} 条；"
        f"最大一组 {largest} 条，独立声音 {voices.independent} 条"
    )
    in_en = (
        f"{en}: {voices.copies} copies of negative texts in {minutes} min, usually about {expected:.1f}; "
        f"the largest cluster has {largest}, independent voices are {voices.independent}"
    )
    return {
        "summary": f"{in_zh} / {in_en}",
        "summary_zh": in_zh,
        "summary_en": in_en,
        "window_minutes": str(minutes),
        "copies": str(voices.copies),
        "independent": str(voices.independent),
    }
