"""What a rule would have done over the stored counts: nothing is written, so it can be tried before it holds.

The same series, detector and episodes as live. Messages are what people would have heard: that a surge began, and
that it grew ten times rarer; that it is over is not counted. A budget of messages gives the least threshold that
keeps it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.detection.detectors import THRESHOLDS, DetectorOptions, Sensitivity, Verdict
from alerts.detection.lifecycle import ESCALATION, Episode
from alerts.detection.rereading import Key, reread, rule_totals
from alerts.detection.rules import RULE_ALERTS, Rule
from alerts.detection.timeline import SeriesTimeline
from core.records import Severity
from storage import feedback, sources
from storage.bucket_counts import newest_minutes
from storage.feedback import JudgedIncident
from storage.sources import Silence

LEARNS = timedelta(days=7)  # before the days that are tried, as a rule that is new learns
NEAR = timedelta(hours=1)  # a surge found so long before or after an incident is the same one
TRIED_THRESHOLDS = tuple(3.0 + step / 4 for step in range(149))  # 3 to 40
LADDER = (0, 4, 8, 16, 32, 48)  # steps of it: most rules end low, and each higher one replays fewer series
WEEK = timedelta(days=7)
NOT_IDENTITY = {"alertname", "rule"}


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """What is tried.

    Attributes:
        usual: the detector's settings, without the rule's own.
        most_series: only so many are replayed, those with the most documents.
        messages_per_week: the budget; None: the rule as it is.
    """

    usual: DetectorOptions
    days: int = 28
    most_series: int = 200
    messages_per_week: float | None = None


@dataclass(frozen=True, slots=True)
class TrialIncident:
    """What would have fired."""

    labels: dict[str, str]
    severity: Severity
    starts_at: datetime
    detected_at: datetime
    ends_at: datetime | None
    observed: float
    expected: float
    score: float


@dataclass(frozen=True, slots=True)
class Compared:
    """What people said of the incidents of those days, within what the rule looks at.

    Attributes:
        caught, missed: ids of incidents called useful or late that it would have told of, and would not.
        raised, avoided: ids of incidents called noise that it would have told of, and would not.
    """

    caught: list[int]
    missed: list[int]
    raised: list[int]
    avoided: list[int]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would have done in [starts_at, ends_at).

    Attributes:
        threshold: the score that a surge needed; `sensitivity` is its name where it has one.
        keeps_budget: None where there was none; false: even the highest threshold tried gives more messages.
        series, replayed: how many the rule has, and how many of them were replayed.
    """

    rule: str
    starts_at: datetime
    ends_at: datetime
    threshold: float
    sensitivity: Sensitivity | None
    keeps_budget: bool | None
    series: int
    replayed: int
    incidents: list[TrialIncident]
    messages: int
    messages_per_week: float
    compared: Compared


def try_rule(connection: Connection, rule: Rule, options: TrialOptions, *, now: datetime) -> Trial:
    """Replay a rule over the newest days of the counts; it counts as enabled."""
    newest = max(newest_minutes(connection, not_after=now).values(), default=now)
    bucket = options.usual.bucket
    end = newest - timedelta(seconds=newest.timestamp() % bucket.total_seconds())
    laboratory = _Laboratory(connection, rule, options, end - timedelta(days=options.days), end)
    if options.messages_per_week is None:
        return laboratory.trial(laboratory.run(rule), None)
    run, keeps = laboratory.least_threshold(options.messages_per_week)
    return laboratory.trial(run, keeps)


@dataclass
class _Run:
    """One replay at one threshold; `fired` are all episodes, those before the days that are tried, too."""

    rule: Rule
    fired: list[tuple[Key, Episode]]
    messages: int


class _Listener:
    """Counts the messages of one replay."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._told: dict[Key, tuple[datetime, float]] = {}
        self.messages = 0

    def __call__(self, key: Key, verdict: Verdict, timeline: SeriesTimeline) -> None:
        if not timeline.episodes:
            return
        episode = timeline.episodes[-1]
        detected_at, score = self._told.get(key, (None, 0.0))
        if detected_at != episode.detected_at or episode.score >= score + ESCALATION:
            self._told[key] = (episode.detected_at, episode.score)
            self.messages += verdict.bucket_at >= self._start


class _Laboratory:
    """The series of one rule over one span."""

    def __init__(
        self, connection: Connection, rule: Rule, options: TrialOptions, start: datetime, end: datetime
    ) -> None:
        self._connection = connection
        self._rule = replace(rule, is_enabled=True)
        self._options = options
        self._start = start
        self._end = end
        self._silences: Mapping[str, Sequence[Silence]] = sources.silences(connection)
        totals = rule_totals(connection, rule, None, start - LEARNS, end)
        self._series = len(totals)
        largest = sorted(totals, key=lambda one: (-one.total, one.key))[: options.most_series]
        self._keys = {one.key for one in largest}

    def run(self, rule: Rule, keys: Collection[Key] | None = None) -> _Run:
        """Replay these of the series."""
        listener = _Listener(self._start)
        run = _Run(rule, [], 0)
        for source, of_clock in self._by_clock(self._keys if keys is None else keys).items():
            found = reread(
                self._connection,
                rule,
                source,
                self._options.usual,
                self._silences.get(source or sources.ALL_SOURCES, ()),
                start=self._start - LEARNS,
                end=self._end,
                before=self._end + self._options.usual.bucket,
                keys=of_clock,
                on_verdict=listener,
            )
            for key, timeline in found.items():
                run.fired += [(key, one) for one in timeline.episodes]
        run.messages = listener.messages
        return run

    def least_threshold(self, messages_per_week: float) -> tuple[_Run, bool]:
        """The replay at the least threshold that keeps the budget, and whether there is one.

        What a series learns is the same at each threshold, so one that is calm at some is calm at all above: replayed
        are only those that fired at the highest threshold known to be too low.
        """
        keys, low, best = self._keys, -1, None
        for high in LADDER:
            run = self._at(high, keys)
            if self._per_week(run.messages) <= messages_per_week:
                best = run
                break
            keys, low = {key for key, _ in run.fired}, high
        if best is None:
            return run, False
        while high - low > 1:
            middle = (low + high) // 2
            run = self._at(middle, keys)
            if self._per_week(run.messages) <= messages_per_week:
                best, high = run, middle
            else:
                keys, low = {key for key, _ in run.fired}, middle
        return best, True

    def _at(self, step: int, keys: Collection[Key]) -> _Run:
        return self.run(replace(self._rule, sensitivity=None, threshold=TRIED_THRESHOLDS[step]), keys)

    def trial(self, run: _Run, keeps_budget: bool | None) -> Trial:
        """What to say of a replay."""
        rule = run.rule
        incidents = [_incident(rule, key, episode) for key, episode in run.fired if episode.detected_at > self._start]
        incidents.sort(key=lambda one: (one.starts_at, sorted(one.labels.items())))
        threshold = rule.detector(self._options.usual).fires_from
        return Trial(
            rule=rule.name,
            starts_at=self._start,
            ends_at=self._end,
            threshold=threshold,
            sensitivity=next((name for name, score in THRESHOLDS.items() if score == threshold), None),
            keeps_budget=keeps_budget,
            series=self._series,
            replayed=len(self._keys),
            incidents=incidents,
            messages=run.messages,
            messages_per_week=round(self._per_week(run.messages), 2),
            compared=self._compare(incidents),
        )

    def _per_week(self, messages: int) -> float:
        return messages / ((self._end - self._start) / WEEK)

    def _by_clock(self, keys: Collection[Key]) -> dict[str | None, set[Key]]:
        """The series by the source whose clock they follow."""
        found: defaultdict[str | None, set[Key]] = defaultdict(set)
        for key in keys:
            labels = self._rule.labels(key)
            found[labels["source"] if self._rule.is_per_source else None].add(key)
        return dict(found)

    def _compare(self, incidents: Sequence[TrialIncident]) -> Compared:
        compared = Compared([], [], [], [])
        for one in feedback.judged_incidents(self._connection, self._start, self._end, RULE_ALERTS):
            if not _is_within(self._rule, one):
                continue
            is_found = any(_are_same(one, other) for other in incidents)
            if one.verdict == "noise":
                (compared.raised if is_found else compared.avoided).append(one.id)
            else:
                (compared.caught if is_found else compared.missed).append(one.id)
        return compared


def _incident(rule: Rule, key: Key, episode: Episode) -> TrialIncident:
    return TrialIncident(
        labels=rule.labels(key),
        severity=rule.severity(episode.severity),
        starts_at=episode.starts_at,
        detected_at=episode.detected_at,
        ends_at=episode.ends_at,
        observed=episode.observed,
        expected=round(episode.expected, 2),
        score=round(episode.score, 2),
    )


def _is_within(rule: Rule, incident: JudgedIncident) -> bool:
    """Whether it is of what the rule counts and looks at, or was of a rule of this name."""
    is_looked_at = all(incident.labels.get(name) in values for name, values in rule.where)
    is_counted = (incident.labels["alertname"] == RULE_ALERTS[0]) == (rule.counted == "negative")
    return is_counted and (is_looked_at or incident.rule == rule.name)


def _are_same(incident: JudgedIncident, tried: TrialIncident) -> bool:
    """Whether both may be of the same documents at the same time."""
    if tried.detected_at > incident.ends_at + NEAR:
        return False
    if tried.ends_at is not None and tried.ends_at < incident.starts_at - NEAR:
        return False
    shared = (incident.labels.keys() & tried.labels.keys()) - NOT_IDENTITY
    return all(incident.labels[name] == tried.labels[name] for name in shared)
