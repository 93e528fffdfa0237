"""From verdicts to incidents, in two pure steps.

1. `fold` carries one series' episodes through its buckets: fires, goes on, ends, flares up again. It depends on the
   counts alone, so any schedule of runs comes to the same episodes.
2. `reconcile` compares the episodes with the incidents already kept in SQL and says what to do, each with a reason.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isclose
from typing import Literal

import msgspec
from msgspec.structs import replace

from alerts.detection.detectors import Verdict
from alerts.detection.severity import severity
from core.records import AlertStatus, Severity

CALM_SCORE = 2.0  # a bucket whose `recent_score` lies below it is calm
CALM = timedelta(hours=1)  # so long calm ends an episode
MIN_CALM_BUCKETS = 2
SAME_EPISODE = timedelta(hours=24)  # a series that fires again so soon after it began has not found a new reason
ESCALATION = 1.0  # ten times rarer than what people were told
HOLDS_AT_ONCE = 8.0  # more negatives than expected; with fewer it has to fire again: docs/why/detection.md
SAME_SCORE = 2e-7  # SQL keeps REALs; any larger difference is written, so that figures follow the counts

Transition = Literal["pending", "opened", "escalated", "updated", "resolved", "reopened", "lapsed"]
"""`pending` and `lapsed` are the beginning and the end of what does not hold (yet); nobody is told of them."""


class Episode(msgspec.Struct, frozen=True):
    """One surge of one series. Figures are those of its highest score so far.

    Attributes:
        starts_at: where the window with the strongest evidence began when it was first detected.
        detected_at: end of the first firing bucket.
        last_fired_at: end of the newest firing bucket.
        ends_at: end of its last bucket that was not calm; None while it goes on.
        is_pending: it does not hold yet: a few negatives fired once.
        held_at: end of the bucket from which on it held.
    """

    starts_at: datetime
    detected_at: datetime
    last_fired_at: datetime
    last_stirred_at: datetime
    score: float
    observed: float
    expected: float
    documents: int
    expected_share: float
    window_ends_at: datetime
    window_seconds: float
    calm_buckets: int = 0
    ends_at: datetime | None = None
    is_pending: bool = False
    held_at: datetime | None = None

    @property
    def status(self) -> AlertStatus:
        return "firing" if self.ends_at is None else "resolved"

    @property
    def severity(self) -> Severity:
        return severity(self.observed, self.expected)


def fold(episode: Episode | None, verdict: Verdict, bucket: timedelta) -> Episode | None:
    """The episode after one more bucket.

    A result with another `detected_at` is a new episode, and the one before it has ended for good.
    """
    end = verdict.bucket_at + bucket
    if episode is None:
        return _begin(verdict, end) if verdict.is_firing else None
    is_calm = verdict.recent_score < CALM_SCORE
    if episode.ends_at is not None:
        if is_calm or not verdict.is_firing:
            return episode
        if end - episode.detected_at >= SAME_EPISODE:
            return _begin(verdict, end)
    if is_calm:
        calm = episode.calm_buckets + 1
        is_over = calm >= max(MIN_CALM_BUCKETS, CALM / bucket)
        return replace(episode, calm_buckets=calm, ends_at=episode.last_stirred_at if is_over else None)
    stirred = replace(episode, last_stirred_at=end, calm_buckets=0, ends_at=None)
    if not verdict.is_firing:
        return stirred
    fired = replace(stirred, last_fired_at=end)
    if episode.is_pending and (_holds_at_once(verdict) or end - episode.last_fired_at <= max(CALM, 2 * bucket)):
        fired = replace(fired, is_pending=False, held_at=end)
    return _peak(fired, verdict, end) if verdict.score > episode.score else fired


def _holds_at_once(verdict: Verdict) -> bool:
    return verdict.observed - verdict.expected >= HOLDS_AT_ONCE


def _begin(verdict: Verdict, end: datetime) -> Episode:
    return Episode(
        starts_at=end - verdict.window,
        detected_at=end,
        last_fired_at=end,
        last_stirred_at=end,
        score=verdict.score,
        observed=verdict.observed,
        expected=verdict.expected,
        documents=verdict.documents,
        expected_share=verdict.expected_share,
        window_ends_at=end,
        window_seconds=verdict.window.total_seconds(),
        is_pending=not _holds_at_once(verdict),
        held_at=end if _holds_at_once(verdict) else None,
    )


def _peak(episode: Episode, verdict: Verdict, end: datetime) -> Episode:
    return replace(
        episode,
        score=verdict.score,
        observed=verdict.observed,
        expected=verdict.expected,
        documents=verdict.documents,
        expected_share=verdict.expected_share,
        window_ends_at=end,
        window_seconds=verdict.window.total_seconds(),
    )


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """What SQL remembers of an incident, as far as decisions need it."""

    id: int
    starts_at: datetime
    detected_at: datetime
    last_fired_at: datetime
    ends_at: datetime | None
    status: AlertStatus
    score: float
    notified_score: float
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """One change to one incident; `episode` is None when the counts no longer support it."""

    transition: Transition
    reason: str
    episode: Episode | None
    incident_id: int | None


def reconcile(
    episodes: list[Episode], known: list[KnownIncident], *, judged_to: datetime, slack: timedelta
) -> list[Decision]:
    """What to do so that SQL agrees with the episodes of one series.

    Args:
        episodes: in order of time, as far as this run saw them.
        known: incidents of the same fingerprint around them, resolved ones included.
        judged_to: end of the last bucket judged.
        slack: late data may move a detection by so much; it is still the same incident.
    """
    decisions: list[Decision] = []
    unmatched = list(known)
    for episode in episodes:
        match = _match(episode, unmatched, slack, is_last=episode is episodes[-1])
        if match is None:
            decisions.append(_beginning(episode, None))
            if episode.ends_at is not None:
                decisions.append(_end(episode, None, "calm again when it was found"))
            continue
        unmatched.remove(match)
        decisions.extend(_changes(episode, match))
    for incident in unmatched:
        if incident.status == "firing" and judged_to - incident.last_fired_at >= CALM:
            transition: Transition = "lapsed" if incident.is_pending else "resolved"
            decisions.append(Decision(transition, "late data no longer support it", None, incident.id))
    return decisions


def _beginning(episode: Episode, incident_id: int | None) -> Decision:
    if episode.is_pending:
        return Decision("pending", "a few negatives more than usual, once", episode, incident_id)
    return Decision("opened", "count and share rose above what is usual", episode, incident_id)


def _end(episode: Episode, incident_id: int | None, reason: str) -> Decision:
    if episode.is_pending:
        return Decision("lapsed", "it did not fire again", episode, incident_id)
    return Decision("resolved", reason, episode, incident_id)


def _match(episode: Episode, known: list[KnownIncident], slack: timedelta, *, is_last: bool) -> KnownIncident | None:
    near = [k for k in known if abs(k.detected_at - episode.detected_at) <= slack]
    if near:
        return min(near, key=lambda k: abs(k.detected_at - episode.detected_at))
    if is_last:  # only one may fire at a time: a moved detection continues it
        return next((k for k in known if k.status == "firing"), None)
    return None


def _changes(episode: Episode, incident: KnownIncident) -> list[Decision]:
    if incident.is_pending:
        return _changes_of_pending(episode, incident)
    if episode.is_pending:  # late data took away why it held; what was told is not taken back
        episode = replace(episode, is_pending=False)
    decisions = []
    # A flare-up may begin and end between two runs: a backlog is judged in few of them.
    flared_up = incident.ends_at is not None and episode.last_fired_at > incident.ends_at
    is_reopened = incident.status == "resolved" and (episode.status == "firing" or flared_up)
    if is_reopened:
        decisions.append(Decision("reopened", "fires again within a day of its start", episode, incident.id))
    if episode.score >= incident.notified_score + ESCALATION:
        decisions.append(Decision("escalated", "ten times rarer than what was told", episode, incident.id))
    elif not isclose(episode.score, incident.score, rel_tol=SAME_SCORE) or _times(episode) != _times(incident):
        decisions.append(Decision("updated", "goes on", episode, incident.id))
    if episode.status == "resolved" and (incident.status == "firing" or is_reopened):
        decisions.append(Decision("resolved", "calm for an hour", episode, incident.id))
    return decisions


def _changes_of_pending(episode: Episode, incident: KnownIncident) -> list[Decision]:
    """Of an incident that nobody was told of: it holds now, or goes on waiting, or lapses."""
    decisions = []
    if not episode.is_pending or (incident.status == "resolved" and episode.status == "firing"):
        decisions.append(_beginning(episode, incident.id))
    elif not isclose(episode.score, incident.score, rel_tol=SAME_SCORE) or _times(episode) != _times(incident):
        decisions.append(Decision("updated", "goes on", episode, incident.id))
    if episode.status == "resolved" and (incident.status == "firing" or not episode.is_pending):
        decisions.append(_end(episode, incident.id, "calm for an hour"))
    return decisions


def _times(one: Episode | KnownIncident) -> tuple[datetime | None, ...]:
    """When it was; late data may move each of them."""
    return one.starts_at, one.detected_at, one.last_fired_at, one.ends_at
