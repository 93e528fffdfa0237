"""One surge, one message: which incidents belong together, and which need no message of their own. Pure.

The overall series, a topic and a source all surge from the same documents. Incidents are related when they were
detected within `TOGETHER` of each other and could be about the same documents (no label says otherwise). An
incident that opens beside a related one of at least the same severity that was told already joins it silently;
the end is told once, when the last related one has ended. Machines on the alert topic get every change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from alerts.routing.matchers import Matcher, all_match, matcher
from alerts.routing.rollup import NOT_IDENTITY, RANK, identity, speaker
from core.records import AlertStatus
from storage.incidents import IncidentRow

if TYPE_CHECKING:
    from alerts.routing.digests import Digest

TOGETHER = timedelta(hours=1)

Kind = Literal["new", "grew", "reminder", "escalation", "over", "held", "daily", "weekly"]
"""`new` and `grew` are told as they happen; `held` is what quiet hours kept back, as one message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is told at once; `members` lead with the most specific, strongest incident.

    Attributes:
        thread: the same for everything this receiver hears of one incident.
        key: tells this message from any other to the same receiver; delivery ids are made of it.
        language: None: the receiver's own.
        digest: what a digest says; then there may be no members.
    """

    status: AlertStatus
    members: list[IncidentRow]
    kind: Kind = "new"
    thread: str = ""
    key: str = ""
    language: Literal["zh", "en"] | None = None
    digest: "Digest | None" = None


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an incident of `source` fires, nobody hears of new ones of `target` with the same `equal` labels."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def inhibits(self, source: IncidentRow, target: IncidentRow) -> bool:
        """Whether `source` keeps `target` quiet."""
        return (
            source.id != target.id
            and all_match(self.source, source.labels)
            and all_match(self.target, target.labels)
            and all(source.labels.get(name) == target.labels.get(name) for name in self.equal)
        )


INHIBITIONS: tuple[Inhibition, ...] = (
    Inhibition((matcher("alertname=SourceOutage"),), (matcher("alertname=SourceSilence"),)),
)


def are_related(one: IncidentRow, other: IncidentRow) -> bool:
    """Whether both may come from the same documents at the same time."""
    if one.labels.get("alertname") != other.labels.get("alertname"):
        return False
    if abs(one.detected_at - other.detected_at) > TOGETHER:
        return False
    shared = (one.labels.keys() & other.labels.keys()) - NOT_IDENTITY
    return all(one.labels[name] == other.labels[name] for name in shared)


def may_inhibit(incident: IncidentRow) -> bool:
    """Whether it keeps others quiet while it fires."""
    return incident.state in ("firing", "acknowledged") and any(
        all_match(one.source, incident.labels) for one in INHIBITIONS
    )


def why_needless(
    incident: IncidentRow, inhibiting: Sequence[IncidentRow], heard: Sequence[IncidentRow]
) -> str | None:
    """Why a message about a new incident is not needed; None: it is.

    Args:
        inhibiting: those that `may_inhibit`.
        heard: those that the receiver has been told of.
    """
    for other in inhibiting:
        if any(one.inhibits(other, incident) for one in INHIBITIONS):
            return f"incident {other.id} ({other.labels.get('alertname', '')}) explains it"
    for other in heard:
        if (
            other.id != incident.id
            and are_related(incident, other)
            and RANK[other.severity] >= RANK[incident.severity]
        ):
            return f"it joins incident {other.id}, which was told"
    return None


def same_group(labels: Sequence[str]) -> Callable[[IncidentRow, IncidentRow], bool]:
    """Whether two incidents come as one message: related ones, and those with the same values of these labels."""

    def belong(one: IncidentRow, other: IncidentRow) -> bool:
        if are_related(one, other):
            return True
        return bool(labels) and _values(one.labels, labels) == _values(other.labels, labels)

    return belong


def _values(labels: Mapping[str, str], names: Sequence[str]) -> list[str]:
    return [labels.get(name, "") for name in names]


def clusters(
    leads: Sequence[IncidentRow],
    others: Sequence[IncidentRow] = (),
    belong: Callable[[IncidentRow, IncidentRow], bool] = are_related,
) -> list[list[IncidentRow]]:
    """Each lead with what belongs to it, leads and others; nobody appears twice.

    The most general begin, so that parts of one whole come together; who speaks for them, `alerts.routing.rollup`
    says.
    """
    left = sorted({one.id: one for one in (*leads, *others)}.values(), key=importance, reverse=True)
    taken: set[int] = set()
    found = []
    for lead in sorted(leads, key=lambda one: (-len(identity(one.labels)), importance(one)), reverse=True):
        if lead.id in taken:
            continue
        members = [one for one in left if one.id not in taken and (one.id == lead.id or belong(lead, one))]
        taken.update(one.id for one in members)
        first = speaker(members)
        found.append([first, *(one for one in members if one.id != first.id)])
    return sorted(found, key=lambda members: importance(members[0]), reverse=True)


def importance(incident: IncidentRow) -> tuple[int, int, float]:
    """Severity first, then how specific, then how surprising."""
    return RANK[incident.severity], len(identity(incident.labels)), incident.score
