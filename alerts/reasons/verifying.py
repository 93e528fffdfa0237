"""Works out frozen evidence again from SQL and says which figures agree, which do not, and why.

The counts of the judged buckets are read as they are now and judged with the baselines that were kept; then the body
is gathered once more by the code that gathered it. Whatever differs was moved by documents that came, changed or went
after freezing, by another model that judged them again, or by somebody's hand: `changes_since` and the list of
reclassifications tell these apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection

from alerts.detection import severity
from alerts.detection.detectors import Verdict
from alerts.detection.judgement import Judgement, judgement_of
from alerts.detection.lifecycle import Episode
from alerts.reasons.evidence import gather
from alerts.reasons.explaining import BEFORE
from alerts.reasons.relearning import relearn
from core.records import Severity
from storage import excess_counts
from storage.bucket_counts import COLUMNS, Counted, Dimension
from storage.excess_counts import Scope
from storage.incidents import FrozenEvidence
from storage.late_changes import Changes, changes_since, erased_since, expired_before, is_regrouped_since
from storage.reclassifications import rescored_by

Because = Literal["late", "erased", "expired", "rescored", "no judgement", "changed"]

UNSEEN: Final = timedelta(
    minutes=1
)  # a transaction that was open while the evidence was read: its rows are late, too
GROUPS: Final = ("drivers", "drivers_other", "series")  # their members are told one by one
GIVEN: Final = frozenset({"since"})  # when it was first detected is the incident's, not the window's
GROWS: Final = frozenset({"carriers"})  # copies go on coming
FROM_DOCUMENTS: Final = frozenset(
    {
        "comparison",
        "documents",
        "counterfactual",
        "drivers.cluster",
        "drivers.term",
        "drivers_other.cluster",
        "drivers_other.term",
    }
)
FROM_COUNTS_JUDGED: Final = frozenset(
    {
        "counted",
        "scope",
        "window_starts_at",
        "window_ends_at",
        "observed",
        "expected",
        "documents_in_window",
        "share",
        "usual_share",
        "score",
        "severity",
        "interval",
        "scores",
    }
)
SLACK: Final = 0.05  # by so much relearned baselines may differ
BEYOND: Final = frozenset({"expired", "rescored"})  # with these, what a figure was frozen from is gone
MISSING: Final = "(absent)"


@dataclass(frozen=True, slots=True)
class Check:
    """One figure, or one group of them.

    Attributes:
        agrees: None: it cannot be worked out any more.
        because: where it does not agree.
    """

    name: str
    agrees: bool | None
    frozen: Any
    recomputed: Any
    because: Because | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of one piece of evidence.

    Attributes:
        changes: those of the judged buckets since it was frozen.
        rescored_by: models that have judged its documents, or those they were compared with, again since then.
    """

    frozen_at: datetime
    checks: list[Check]
    changes: Changes | None
    erased: int
    rescored_by: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not any(check.agrees is False for check in self.checks)


def verify(
    connection: Connection, labels: dict[str, str], frozen: FrozenEvidence, *, with_baselines: bool = False
) -> Verification:
    """Work one piece of evidence out again; reads, and writes nothing.

    Args:
        with_baselines: also learn the kept baselines again, from the first count on.
    """
    judgement = judgement_of(frozen.judgement)
    if judgement is None:
        return Verification(frozen.at, list(_without_judgement(frozen.body)), None, 0)
    scope = _scope(labels, frozen.body)
    counted = _counted(connection, scope, judgement)
    body = _gathered(connection, scope, frozen.body, judgement.with_counts(counted))
    causes = _causes(
        connection, scope, judgement, counted, datetime.fromisoformat(body["window_starts_at"]), frozen.at
    )
    ours, theirs = dict(_members(frozen.body)), dict(_members(body))
    checks = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        was, now = ours.get(name, MISSING), theirs.get(name, MISSING)
        if name in GIVEN:
            continue
        if _lasting(was) == _lasting(now):
            checks.append(Check(name, True, was, now))
        else:
            why = causes.of(name)
            checks.append(Check(name, None if why in BEYOND else False, was, now, why))
    if with_baselines:
        learned = _baselines(connection, scope, judgement.with_counts(counted))
        if not learned.agrees and causes.rescored_by:
            learned = replace(learned, agrees=None, because="rescored")
        checks.append(learned)
    return Verification(frozen.at, checks, causes.in_window, causes.erased, causes.rescored_by)


@dataclass(frozen=True, slots=True)
class _Causes:
    """What may have moved a figure since it was frozen.

    Attributes:
        is_as_judged: the judged buckets hold what they held.
        is_moved_by_late: they do not, and late and revised documents account for it: exactly, but where mentions or
            copies are among them.
        is_late_before: late or revised documents in the week that the window was compared with, or in it.
    """

    is_as_judged: bool
    is_moved_by_late: bool
    is_late_before: bool
    is_expired: bool
    erased: int
    in_window: Changes
    rescored_by: list[str]

    def of(self, name: str) -> Because:
        if name in FROM_DOCUMENTS and self.is_expired:
            return "expired"
        if name.split(".")[0] in FROM_COUNTS_JUDGED:
            if self.is_as_judged:
                return "changed"
            if self.rescored_by:
                return "rescored"
            return "late" if self.is_moved_by_late else "erased" if self.erased else "changed"
        if self.rescored_by:
            return "rescored"
        if self.is_late_before and (self.is_as_judged or self.is_moved_by_late):
            return "late"
        return "erased" if self.erased else "changed"


def _causes(
    connection: Connection,
    scope: Scope,
    judgement: Judgement,
    counted: list[tuple[int, int]],
    window_starts_at: datetime,
    at: datetime,
) -> _Causes:
    start, end = judgement.starts_at, judgement.ends_at
    in_window = [changes_since(connection, scope, start, end, since=since) for since in (at, at - UNSEEN)]
    before = window_starts_at - BEFORE
    since_before = changes_since(connection, scope, before, end, since=at - UNSEEN)
    moved = tuple(sum(one[n] for one in counted) - sum(one[n] for one in judgement.state["recent"]) for n in (0, 1))
    is_regrouped = is_regrouped_since(connection, scope, start, end, since=at - UNSEEN)
    is_late = is_regrouped or any(one.late or one.revised for one in in_window)
    # Toward a watchlist the sentiment may have moved otherwise than the document's own; and who was whose copy when
    # it was frozen is not kept.
    is_exact = moved in {(one.negative, one.total) for one in in_window} or "watchlist" in scope.where or is_regrouped
    expired = expired_before(connection)
    return _Causes(
        is_as_judged=counted == [tuple(one) for one in judgement.state["recent"]],
        is_moved_by_late=is_late and is_exact,
        is_late_before=bool(since_before.late or since_before.revised or is_regrouped),
        is_expired=expired is not None and expired > before,
        erased=erased_since(connection, at),
        in_window=in_window[0],
        rescored_by=rescored_by(
            connection, before, end, since=at - UNSEEN, sources=tuple(scope.where.get("source", ()))
        ),
    )


def _baselines(connection: Connection, scope: Scope, kept: Judgement) -> Check:
    """Whether the baselines are those that the counts lead to, by what they say of the judged bucket.

    Small differences are usual: what comes after the correction's length is counted, and never learned.
    """
    learned = relearn(connection, scope, kept)
    was, now = _said(kept.verdict()), _said(learned.verdict()) if learned else {}
    agrees = bool(now) and all(abs(now[name] - was[name]) <= SLACK * abs(was[name]) for name in was)
    return Check("baselines", agrees, was, now, None if agrees else "changed")


def _said(verdict: Verdict) -> dict[str, float]:
    return {"expected": verdict.expected, "usual_share": verdict.expected_share, "score": verdict.score}


def _counted(connection: Connection, scope: Scope, judgement: Judgement) -> list[tuple[int, int]]:
    """The judged buckets as SQL has them now."""
    counts = excess_counts.per_bucket(
        connection, scope, judgement.options.bucket, judgement.starts_at, judgement.ends_at
    )
    return [counts.get(at, (0, 0)) for at in judgement.bucket_starts]


def _scope(labels: Mapping[str, str], body: Mapping[str, Any]) -> Scope:
    """What the rule counted when it was frozen; where that is not kept, the documents that have the labels."""
    of_labels = {name: labels[name] for name in COLUMNS if name in labels}
    try:
        where = msgspec.convert(body["scope"], dict[Dimension, tuple[str, ...]])
        return Scope(where, msgspec.convert(body["counted"], Counted))
    except (LookupError, msgspec.ValidationError):
        return Scope({name: (value,) for name, value in of_labels.items()})


def _gathered(connection: Connection, scope: Scope, body: Mapping[str, Any], judgement: Judgement) -> dict[str, Any]:
    """The body, of this judgement and of the documents as they are now."""
    verdict = judgement.verdict()
    since = datetime.fromisoformat(body["since"])
    episode = Episode(
        starts_at=since,
        detected_at=judgement.ends_at,
        last_fired_at=judgement.ends_at,
        last_stirred_at=judgement.ends_at,
        score=verdict.score,
        observed=verdict.observed,
        expected=verdict.expected,
        documents=verdict.documents,
        expected_share=verdict.expected_share,
        window_ends_at=judgement.ends_at,
        window_seconds=verdict.window.total_seconds(),
    )
    return gather(connection, scope, episode, judgement, kept_within=_limits(body))


def _limits(body: Mapping[str, Any]) -> tuple[Severity, Severity]:
    """Of the rule, when it was frozen."""
    frozen = body.get("severity")
    given = frozen if isinstance(frozen, Mapping) else {}
    least, most = given.get("at_least"), given.get("at_most")
    return least if least in severity.ORDER else "info", most if most in severity.ORDER else "critical"


def _without_judgement(body: Mapping[str, Any]) -> Iterator[Check]:
    """What can be said of evidence of an earlier version, or of another detector's: that its parts fit together."""
    if isinstance(body.get("severity"), Mapping):
        now = severity.explained(body["observed"], body["severity"]["expected"], *_limits(body))
        agrees = body["severity"]["name"] == now["name"]
        yield Check("severity", agrees, body["severity"], now, None if agrees else "changed")
    for name, value in _members(body):
        if name not in GIVEN and name != "severity":
            yield Check(name, None, value, MISSING, "no judgement")


def _members(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if name in GROUPS and isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield name, value


def _lasting(value: Any) -> Any:
    """Without what may grow."""
    if isinstance(value, Mapping):
        return {name: _lasting(one) for name, one in value.items() if name not in GROWS}
    return [_lasting(one) for one in value] if isinstance(value, list) else value
