"""The platform-wide guard over real incidents: opens one `PlatformSurge` and makes the others its members.

Runs after all clocks were judged, in their transaction, and looks at the incidents alone; these follow the counts, so
it does, too. Members keep their history and their events on the alert topic; people hear of the whole
(`alerts.membership`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from alerts.detection.lifecycle import SAME_EPISODE, Transition
from alerts.detection.rules import ALERT_NAME, PLATFORM_ALERT, PLATFORM_RULE, Rule, fingerprint
from alerts.rendering.excerpts import excerpt
from alerts.routing.rollup import identity
from alerts.watches.platform_guard import GuardOptions, PlatformSurge, end_of, find, minutes_between, start_of
from storage import bucket_counts, incident_members, incidents, model_switches
from storage.incidents import IncidentRow

ACTOR = PLATFORM_RULE
LABELS: Final = {"alertname": PLATFORM_ALERT, "rule": PLATFORM_RULE}
AROUND: Final = timedelta(hours=2)
TRAFFIC: Final = timedelta(hours=24)
SHOWN_MEMBERS: Final = 50
SHOWN_VALUES: Final = 5
SHOWN_CHARS: Final = 60

Changes = dict[int, set[Transition]]


def watch(connection: Connection, changed: Iterable[int], rules: Sequence[Rule], options: GuardOptions) -> Changes:
    """Open, extend and resolve platform-wide incidents after these have changed; what happened to each."""
    rows = [row for row in incidents.by_ids(connection, sorted(changed)) if row.labels["alertname"] == ALERT_NAME]
    changes: defaultdict[int, set[Transition]] = defaultdict(set)
    if not rows:
        return changes
    start = min(row.detected_at for row in rows) - AROUND
    end = max(row.detected_at for row in rows) + AROUND
    near = [
        row for row in incidents.detected_between(connection, start, end) if row.labels["alertname"] == ALERT_NAME
    ]
    known = incidents.of_fingerprints(connection, [fingerprint(LABELS)], since=start - SAME_EPISODE)
    matched: list[IncidentRow] = []
    if len(near) >= options.fewest:
        for surge in find(near, lambda at: _series(connection, rules, at), options):
            match = _match(surge, known)
            if match is None:
                changes[_open(connection, surge)].add("opened")
            else:
                matched.append(match)
                _extend(connection, match, surge)
    wholes = (
        {row.id for row in (*matched, *known) if row.status == "firing"} | {row.id for row in matched} | set(changes)
    )
    members = incident_members.of(connection, sorted(wholes))
    for row in incidents.by_ids(connection, sorted(wholes)):
        if _settle(connection, row, members.get(row.id, [])):
            changes[row.id].add("resolved")
    return changes


def _settle(connection: Connection, row: IncidentRow, members: Sequence[IncidentRow]) -> bool:
    """Bring its figures in line with its members; returns whether it is over now."""
    if not members:
        return False
    ends_at = end_of(members)
    figures = {
        "last_fired_at": max(one.last_fired_at for one in members),
        "score": max(one.score for one in members),
        "ends_at": ends_at if ends_at is not None or row.ends_at is None else row.ends_at,
    }
    if any(getattr(row, name) != value for name, value in figures.items()):
        incidents.change(connection, row.id, **figures)
    if ends_at is None or row.status == "resolved":
        return False
    incidents.change(connection, row.id, status="resolved")
    _event(connection, row.id, "resolved", "the last of its series is calm again")
    return True


def _series(connection: Connection, rules: Sequence[Rule], at: datetime) -> int:
    """How many series had documents in the day before."""
    return sum(
        len(bucket_counts.key_totals(connection, rule.group_by, at - TRAFFIC, at, where=dict(rule.where)))
        for rule in rules
        if rule.is_enabled
    )


def _match(surge: PlatformSurge, known: Sequence[IncidentRow]) -> IncidentRow | None:
    near = [row for row in known if abs(row.detected_at - surge.detected_at) <= SAME_EPISODE]
    return min(near, key=lambda row: abs(row.detected_at - surge.detected_at), default=None)


def _open(connection: Connection, surge: PlatformSurge) -> int:
    figures = _figures(surge)
    incident_id = incidents.open_incident(
        connection,
        fingerprint=fingerprint(LABELS),
        rule=PLATFORM_RULE,
        labels=LABELS,
        severity="critical",
        status="firing",
        starts_at=start_of(surge),
        detected_at=surge.detected_at,
        notified_score=figures["score"],
        **figures,
    )
    _event(connection, incident_id, "opened", "a good part of all series fired within an hour")
    incidents.freeze_evidence(connection, incident_id, _evidence(connection, surge))
    _take_in(connection, incident_id, surge.members)
    return incident_id


def _extend(connection: Connection, known: IncidentRow, surge: PlatformSurge) -> None:
    if _take_in(connection, known.id, surge.members):
        incidents.change(connection, known.id, **_figures(surge))


def _take_in(connection: Connection, incident_id: int, members: Sequence[IncidentRow]) -> list[int]:
    fresh = incident_members.add(connection, incident_id, [row.id for row in members])
    for member_id in fresh:
        incidents.add_event(connection, member_id, "inhibited", actor=ACTOR, detail={"by": incident_id})
    return fresh


def _event(connection: Connection, incident_id: int, transition: Transition, reason: str) -> None:
    incidents.add_event(connection, incident_id, transition, actor=ACTOR, detail={"reason": reason})


def _figures(surge: PlatformSurge) -> dict[str, Any]:
    fired = len({row.fingerprint for row in surge.members})
    share, minutes = fired / max(surge.series, fired), minutes_between(surge)
    in_zh = (
        f"{surge.series} 个序列中有 {fired} 个在 {minutes} 分钟内同时报警（{share:.0%}）："
        "请查分类器、采集，或确有大事"
    )
    in_en = (
        f"{fired} of {surge.series} series fired within {minutes} min ({share:.0%}): look at the "
        "classifier and the crawlers; or something truly general happened"
    )
    return {
        "last_fired_at": max(row.last_fired_at for row in surge.members),
        "observed": float(fired),
        "expected": 0.0,
        "score": max(row.score for row in surge.members),
        "annotations": {
            "summary": f"{in_zh} / {in_en}",
            "summary_zh": in_zh,
            "summary_en": in_en,
            "series_fired": str(fired),
            "series_with_documents": str(surge.series),
        },
    }


def _evidence(connection: Connection, surge: PlatformSurge) -> dict[str, Any]:
    """What fired, what the members have in common, and whether a model has just changed."""
    since = start_of(surge)
    values: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in surge.members:
        for name, value in identity(row.labels):
            values[name][value] += 1
    switches = model_switches.switches(connection, surge.detected_at - TRAFFIC, surge.detected_at)
    return {
        "since": since.isoformat(),
        "window_starts_at": since.isoformat(),
        "window_ends_at": surge.detected_at.isoformat(),
        "observed": len(surge.members),
        "expected": 0,
        "series_with_documents": surge.series,
        "members": [
            {"incident": row.id, "labels": _shown(row.labels), "score": round(row.score, 2)}
            for row in sorted(surge.members, key=lambda row: (-row.score, row.id))[:SHOWN_MEMBERS]
        ],
        "labels": {
            name: {excerpt(value, SHOWN_CHARS): times for value, times in counted.most_common(SHOWN_VALUES)}
            for name, counted in sorted(values.items())
        },
        "model_switches": [
            {"at": one.at.isoformat(), "old": one.old_version, "new": one.new_version, "factor": one.factor}
            for one in switches
        ],
        "drivers": {},
        "documents": [],
    }


def _shown(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: excerpt(value, SHOWN_CHARS) for name, value in labels.items() if name != "alertname"}
