"""A file's documents through the detector in memory: the same timelines as live, no server."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from alerts.detection.detectors import DetectorOptions
from alerts.detection.lifecycle import Episode
from alerts.detection.rules import ALERT_NAME
from alerts.detection.timeline import SeriesTimeline, walk

Counts = Mapping[datetime, Mapping[str | None, tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class ReplayedIncident:
    """An episode with its labels."""

    labels: dict[str, str]
    episode: Episode


def count(
    documents: Iterable[tuple[datetime, str | None, bool]], bucket: timedelta, start_of: datetime
) -> dict[datetime, dict[str | None, tuple[int, int]]]:
    """(negatives, documents) per bucket and group.

    Args:
        documents: time, group, whether negative; in any order.
        start_of: the beginning of any bucket; the others are counted from it.
    """
    counts: defaultdict[datetime, dict[str | None, tuple[int, int]]] = defaultdict(dict)
    for at, group, is_negative in documents:
        groups = counts[start_of + (at - start_of) // bucket * bucket]
        negatives, total = groups.get(group, (0, 0))
        groups[group] = (negatives + is_negative, total + 1)
    return dict(counts)


def replay(counts: Counts, group_by: str | None, options: DetectorOptions) -> list[ReplayedIncident]:
    """The incidents of every group, oldest first; groups share one clock, as the topics of a stream do."""
    series: dict[str | None, SeriesTimeline] = {}
    for at, is_after_gap in walk(sorted(counts), options.bucket, after=None):
        groups = counts.get(at, {})
        for group in groups:
            if group not in series:
                series[group] = SeriesTimeline(options)
        for group, timeline in series.items():
            negatives, total = groups.get(group, (0, 0))
            timeline.advance(at, negatives, total, is_after_gap=is_after_gap)
    found = [
        ReplayedIncident(
            _labels(group_by, group), replace(episode, detected_at=episode.held_at or episode.detected_at)
        )
        for group, timeline in series.items()
        for episode in timeline.episodes
        if not episode.is_pending  # nobody would have been told
    ]
    return sorted(found, key=lambda one: (one.episode.starts_at, sorted(one.labels.items())))


def _labels(group_by: str | None, group: str | None) -> dict[str, str]:
    labels = {"alertname": ALERT_NAME}
    if group_by is not None and group is not None:
        labels[group_by] = group
    return labels
