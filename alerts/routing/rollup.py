"""Which of several incidents speaks for the others: a parent for its children, or the child that explains it all.

Pure; takes anything that has labels, figures and a severity.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from core.records import Severity

WHOLE: Final = 0.8  # of the parent's excess
RANK: Final = {"info": 0, "warning": 1, "critical": 2}
NOT_IDENTITY: Final = frozenset({"alertname", "rule"})


class Told(Protocol):
    """What of an incident is looked at."""

    @property
    def id(self) -> int: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def observed(self) -> float: ...
    @property
    def expected(self) -> float: ...
    @property
    def score(self) -> float: ...


Row = TypeVar("Row", bound=Told)


def identity(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """What an incident is about; empty: everything."""
    return frozenset((name, value) for name, value in labels.items() if name not in NOT_IDENTITY)


def is_parent(one: Told, other: Told) -> bool:
    """Whether every document of the other is one of this, and not the other way round."""
    return one.labels.get("alertname") == other.labels.get("alertname") and identity(one.labels) < identity(
        other.labels
    )


def excess(incident: Told) -> float:
    """Negatives beyond what was expected."""
    return max(0.0, incident.observed - incident.expected)


def speaker(incidents: Sequence[Row]) -> Row:
    """Who leads a message about these incidents (at least one).

    The most general, which names the others as members; but where one child explains (almost) the whole of its
    parent's excess, that child, the most specific.
    Only the most severe come into question: a message is as loud as the loudest of what it tells.
    """
    most = max(RANK[one.severity] for one in incidents)
    loudest = [one for one in incidents if RANK[one.severity] == most]
    here = max(loudest, key=lambda one: (-len(identity(one.labels)), excess(one), one.score, -one.id))
    while (child := _whole_child(here, loudest)) is not None:
        here = child
    return here


def _whole_child(parent: Row, incidents: Sequence[Row]) -> Row | None:
    """The most specific child that explains the parent's excess; of equally specific ones the most surprising."""
    wholes = [one for one in incidents if is_parent(parent, one) and excess(one) >= WHOLE * excess(parent)]
    return max(wholes, key=lambda one: (len(identity(one.labels)), one.score, excess(one), -one.id), default=None)
