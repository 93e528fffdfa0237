"""One run of the detect job: judge every clock, bring the incidents in line, fill the outbox. One transaction.

The caller commits; whatever fails leaves cursors, incidents and outbox as they were, and the next run does it again.
A run is whole or not at all: what is told together must not depend on when a process was stopped.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.detection import lateness
from alerts.detection.judging import Clock, ClockOptions, ClockRun, SeriesFinding
from alerts.detection.lifecycle import SAME_EPISODE, Decision, Episode, KnownIncident, Transition, reconcile
from alerts.detection.rules import CAMPAIGN_ALERT, RULE_ALERTS, Rule, fingerprint
from alerts.reasons import campaign_watch, evidence
from alerts.reasons.campaign_watch import Campaign
from alerts.rendering import messages
from alerts.telling import Receiver, tell
from alerts.watches import platform_watch
from alerts.watches.drift_watch import DriftWatch
from alerts.watches.platform_guard import GuardOptions
from core.metrics import INCIDENTS
from storage import detector_states, incidents, sources
from storage.incidents import IncidentRow

ACTOR = "detector"


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What the job is given.

    Attributes:
        zone: whose midnights end the days that slow drifts are judged by.
    """

    rules: Sequence[Rule]
    clock: ClockOptions
    receivers: Sequence[Receiver]
    console_url: str
    unusable: Collection[str] = ()  # rules that nobody can read now; what they say is left as it is
    platform: GuardOptions = field(default_factory=GuardOptions)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


class RunCutOff(Exception):  # noqa: N818 - control flow, not a failure
    """A run was told to stop half-way; its transaction must be rolled back, and the next run does it all again."""


@dataclass
class Run:
    """What a run did.

    Attributes:
        transitions: by kind, how many incidents.
        is_behind: some clock has closed buckets left; run again soon.
    """

    transitions: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    is_behind: bool = False


def evaluate(
    connection: Connection,
    newest: Mapping[str, datetime],
    options: EvaluateOptions,
    *,
    now: datetime,
    should_stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Judge all that has closed and write the consequences, in the caller's transaction.

    Args:
        newest: trusted watermark of each source (`alerts.detection.watermark`).
        now: the wall clock, for silences and the outbox.
        should_stop: asked between clocks.

    Raises:
        RunCutOff: `should_stop` was true.
    """
    detector_states.lock(connection)
    run = Run()
    silences = sources.silences(connection)
    changes: defaultdict[int, dict[Transition, Decision]] = defaultdict(dict)
    told: dict[int, Collection[Transition]] = {}
    for source in [None, *sorted(newest)] if newest else []:
        if should_stop():
            raise RunCutOff
        clock = Clock(source, options.rules, options.clock, silences.get(source or sources.ALL_SOURCES, ()))
        found = clock.judge(connection, max(newest.values()) if source is None else newest[source])
        if found is not None:
            run.is_behind |= found.is_behind
            _bring_in_line(connection, found, options, changes)
            if source is None:
                settled = found.judged_to - options.clock.correction
                told.update(DriftWatch(options.rules, options.zone).run(connection, settled))
    _end_orphans(connection, options, changes)
    told.update({incident_id: set(of_one) for incident_id, of_one in changes.items()})
    told.update(platform_watch.watch(connection, changes, options.rules, options.platform))
    for of_incident in told.values():
        for transition in of_incident:
            run.transitions[transition] += 1
            INCIDENTS.labels(transition).inc()
    tell(connection, told, options.receivers, console_url=options.console_url, actor=ACTOR, now=now)
    return run


def _bring_in_line(
    connection: Connection,
    found: ClockRun,
    options: EvaluateOptions,
    changes: defaultdict[int, dict[Transition, Decision]],
) -> None:
    """Make the incidents of one clock's series agree with their episodes."""
    by_fingerprint = {fingerprint(series.labels): series for series in found.findings}
    detected = [e.detected_at for series in found.findings for e in series.episodes]
    since = min([found.judged_to, *detected]) - SAME_EPISODE
    known: defaultdict[str, list[KnownIncident]] = defaultdict(list)
    late = _Late(found.judged_before)
    for row in incidents.of_fingerprints(connection, list(by_fingerprint), since=since):
        known[row.fingerprint].append(_known(row))
        late.know(row)
    for print_, series in by_fingerprint.items():
        decisions = reconcile(
            series.episodes,
            known[print_],
            judged_to=found.judged_to,
            slack=options.clock.correction,
        )
        opened: dict[datetime, int] = {}
        for decision in decisions:
            incident_id = _apply(connection, decision, series, print_, opened, late)
            changes[incident_id][decision.transition] = decision


@dataclass
class _Late:
    """Which incidents only late documents raised, and by how many minutes."""

    judged_before: datetime | None
    known: dict[int, int] = field(default_factory=dict)

    def know(self, row: IncidentRow) -> None:
        minutes = lateness.mark_of(row.annotations)
        if minutes is not None:
            self.known[row.id] = minutes

    def of(self, episode: Episode, incident_id: int | None) -> int | None:
        if incident_id is not None:
            return self.known.get(incident_id)
        return lateness.late_by(episode.detected_at, self.judged_before)


def _end_orphans(
    connection: Connection, options: EvaluateOptions, changes: defaultdict[int, dict[Transition, Decision]]
) -> None:
    """Resolve what no rule watches any more; nobody else would."""
    rules = {rule.name: rule for rule in options.rules if rule.is_enabled}
    for row in incidents.firing_alerts(connection, (*RULE_ALERTS, CAMPAIGN_ALERT)):
        rule = rules.get(row.rule)
        if row.rule not in options.unusable and (rule is None or not _makes(rule, row.labels)):
            reason = "its rule was removed, disabled or changed"
            incidents.end(connection, row.id)
            incidents.add_event(connection, row.id, "resolved", actor=ACTOR, detail={"reason": reason})
            changes[row.id]["resolved"] = Decision("resolved", reason, None, row.id)


def _makes(rule: Rule, labels: Mapping[str, str]) -> bool:
    """Whether a series of the rule has these labels, or its copies do."""
    of_copies = labels.get("alertname") == CAMPAIGN_ALERT
    return any(rule.makes({**labels, "alertname": name}) for name in RULE_ALERTS) if of_copies else rule.makes(labels)


def _known(row: IncidentRow) -> KnownIncident:
    return KnownIncident(
        row.id,
        row.starts_at,
        row.detected_at,
        row.last_fired_at,
        row.ends_at,
        row.status,
        row.score,
        row.notified_score,
        row.is_pending,
    )


def _apply(
    connection: Connection,
    decision: Decision,
    series: SeriesFinding,
    print_: str,
    opened: dict[datetime, int],
    late: _Late,
) -> int:
    """Write one decision; returns the incident's id."""
    episode, transition = decision.episode, decision.transition
    minutes = late.of(episode, decision.incident_id) if episode else None
    is_campaign = series.labels["alertname"] == CAMPAIGN_ALERT
    scope = series.rule.scope(series.labels)
    campaign = campaign_watch.look(connection, series.labels, scope, episode) if episode and is_campaign else None
    if episode is None:
        incident_id = _existing(decision)
        incidents.end(connection, incident_id)
    elif decision.incident_id is None and transition in ("opened", "pending"):
        columns = _figures(series, episode, minutes, campaign) | {
            "status": "firing",
            "notified_score": episode.score,
        }
        incident_id = opened[episode.detected_at] = incidents.open_incident(
            connection,
            fingerprint=print_,
            rule=series.rule.name,
            labels=series.labels,
            **columns,
        )
    else:
        incident_id = decision.incident_id or opened[episode.detected_at]
        columns = _figures(series, episode, minutes, campaign)
        if transition in ("opened", "pending", "escalated"):
            columns["notified_score"] = episode.score
        if transition in ("resolved", "lapsed"):
            columns["status"] = "resolved"
        elif transition in ("opened", "pending", "reopened"):
            columns["status"] = "firing"
        incidents.change(connection, incident_id, **columns)
    if episode and transition in ("pending", "opened", "escalated"):
        judgement = None if campaign else series.judgements.get(episode.detected_at)
        more = campaign.evidence() if campaign else None
        evidence.freeze(connection, incident_id, series.rule, series.labels, episode, judgement, instead=more)
    if transition != "updated":
        detail: dict[str, Any] = {"reason": decision.reason}
        if transition == "opened" and minutes is not None:
            detail[lateness.LATE] = minutes
        incidents.add_event(connection, incident_id, transition, actor=ACTOR, detail=detail)
    return incident_id


def _existing(decision: Decision) -> int:
    if decision.incident_id is None:
        raise ValueError("a decision without an episode names its incident")
    return decision.incident_id


def _figures(
    series: SeriesFinding, episode: Episode, late_minutes: int | None, campaign: Campaign | None
) -> dict[str, Any]:
    annotations = campaign.annotations() if campaign else messages.annotations(series.labels, episode)
    return {
        "severity": campaign.severity if campaign else series.rule.severity(episode.severity),
        "starts_at": episode.starts_at,
        "detected_at": episode.detected_at,
        "last_fired_at": episode.last_fired_at,
        "ends_at": episode.ends_at,
        "is_pending": episode.is_pending,
        "observed": episode.observed,
        "expected": episode.expected,
        "score": episode.score,
        "annotations": lateness.marked(annotations, late_minutes),
    }
