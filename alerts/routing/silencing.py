"""Silences, checked before they are stored, and which of them mutes an incident. Detection goes on."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.routing.matchers import Matcher, all_match, matchers
from core.errors import UsageError
from storage import silences
from storage.incidents import IncidentRow
from storage.silences import SilenceRow

LONGEST = timedelta(days=365)


def labels_of(incident: IncidentRow) -> dict[str, str]:
    """What matchers are held against: the incident's labels, and its severity as one of them."""
    return {**incident.labels, "severity": incident.severity}


def muted(conditions: Sequence[Matcher], rows: Sequence[IncidentRow]) -> list[IncidentRow]:
    """Those of these incidents that such a silence would keep from being told."""
    return [row for row in rows if row.state != "resolved" and all_match(conditions, labels_of(row))]


def all_muting(labels: Mapping[str, str], known: Sequence[SilenceRow]) -> list[SilenceRow]:
    """Every silence all of whose conditions hold."""
    return [one for one in known if _mutes(one, labels)]


def muting(labels: Mapping[str, str], known: Sequence[SilenceRow]) -> SilenceRow | None:
    """The first silence all of whose conditions hold; one that cannot be read mutes nothing."""
    return next((one for one in known if _mutes(one, labels)), None)


def _mutes(silence: SilenceRow, labels: Mapping[str, str]) -> bool:
    try:
        conditions = matchers(silence.conditions)
    except UsageError:
        return False
    return bool(conditions) and all_match(conditions, labels)


def checked(texts: Sequence[str]) -> list[Matcher]:
    """The conditions of a silence that does not mute everything by oversight.

    Raises:
        UsageError: one is not understood, or all of them hold of an incident without any label.
    """
    conditions = list(matchers(texts))
    if all_match(conditions, {}):
        raise UsageError(
            "these matchers also hold where a label is missing, so they would mute nearly everything",
            remedy='name a label that has to be there, for example --match topic="sports"',
        )
    return conditions


def silence(
    connection: Connection, texts: Sequence[str], *, starts_at: datetime, ends_at: datetime, by: str, comment: str
) -> SilenceRow:
    """Store a silence.

    Raises:
        UsageError: as `checked`; or it would end before it begins, or last longer than a year.
    """
    conditions = checked(texts)
    if not starts_at < ends_at:
        raise UsageError("the silence would end before it begins", remedy="give a later end")
    if ends_at - starts_at > LONGEST:
        raise UsageError("the silence would last longer than a year", remedy="give an earlier end")
    equal = {one.name: one.value for one in conditions if one.operator == "="}
    if len(equal) != len(conditions):  # no label has such a value, so that the version before mutes too little
        equal = {"": " ".join(map(str, conditions))}
    made = silences.add(
        connection,
        [str(one) for one in conditions],
        equal=equal,
        starts_at=starts_at,
        ends_at=ends_at,
        by=by,
        comment=comment,
    )
    return silences.one(connection, made)
