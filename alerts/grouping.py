"""One surge, one message: which incident changes people hear of, and together with which others. Pure.

The overall series, a topic and a source all surge from the same documents. Incidents are related when they were
detected within `TOGETHER` of each other and could be about the same documents (no label says otherwise). An
incident that opens beside a related one of at least the same severity that was told already joins it silently;
the end is told once, when the last related one has ended. Machines on the alert topic get every change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from alerts.lifecycle import Transition
from alerts.rollup import NOT_IDENTITY, RANK, identity, speaker
from core.records import AlertStatus
from storage.incidents import IncidentRow, SilenceRow

TOGETHER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is told at once; `members` lead with the most specific, strongest incident."""

    status: AlertStatus
    members: list[IncidentRow]


def is_silenced(labels: Mapping[str, str], silences: Sequence[SilenceRow]) -> bool:
    """Whether any silence's matchers all equal the labels."""
    return any(all(labels.get(name) == value for name, value in s.matchers.items()) for s in silences)


def are_related(one: IncidentRow, other: IncidentRow) -> bool:
    """Whether both may come from the same documents at the same time."""
    if one.labels.get("alertname") != other.labels.get("alertname"):
        return False
    if abs(one.detected_at - other.detected_at) > TOGETHER:
        return False
    shared = (one.labels.keys() & other.labels.keys()) - NOT_IDENTITY
    return all(one.labels[name] == other.labels[name] for name in shared)


def plan_messages(incidents: Sequence[IncidentRow], changes: Mapping[int, set[Transition]]) -> list[Message]:
    """The messages for people after one run.

    Args:
        incidents: as they stand after the run; the changed ones and all that may be related, none silenced.
        changes: by incident id, what happened to it in this run.
    """
    loud = [i for i in incidents if _is_loud(i, incidents, changes.get(i.id, set()))]
    messages = [Message("firing", members) for members in _cluster(loud, incidents, changes)]
    told_now = {member.id for message in messages for member in message.members}
    over = [
        i
        for i in incidents
        if i.status == "resolved"
        and (i.told == "firing" or i.id in told_now)
        and not any(o.status == "firing" and are_related(i, o) for o in incidents)
    ]
    messages += [Message("resolved", members) for members in _cluster(over, over, {})]
    return messages


def _is_loud(incident: IncidentRow, incidents: Sequence[IncidentRow], transitions: set[Transition]) -> bool:
    if "escalated" in transitions:
        return True
    if "opened" not in transitions:
        return False
    return not any(
        other.id != incident.id
        and other.told is not None
        and are_related(incident, other)
        and RANK[other.severity] >= RANK[incident.severity]
        for other in incidents
    )


def _cluster(
    leads: Sequence[IncidentRow], incidents: Sequence[IncidentRow], changes: Mapping[int, set[Transition]]
) -> list[list[IncidentRow]]:
    """Each lead with what is related to it and also changed; nobody appears twice.

    The most general begin, so that parts of one whole come together; who speaks for them, `alerts.rollup` says.
    """
    left = sorted(leads, key=lambda i: (-len(identity(i.labels)), importance(i)), reverse=True)
    taken: set[int] = set()
    clusters = []
    for lead in left:
        if lead.id in taken:
            continue
        members = [
            i
            for i in sorted(incidents, key=importance, reverse=True)
            if i.id not in taken and (i.id == lead.id or (are_related(lead, i) and (i in left or i.id in changes)))
        ]
        taken.update(member.id for member in members)
        first = speaker(members)
        clusters.append([first, *(m for m in members if m.id != first.id)])
    return sorted(clusters, key=lambda members: importance(members[0]), reverse=True)


def importance(incident: IncidentRow) -> tuple[int, int, float]:
    """Severity first, then how specific, then how surprising."""
    return RANK[incident.severity], len(identity(incident.labels)), incident.score
