"""One clock's series, judged from the current counts: load what was learned, fold what came after, keep the rest.

Learning and judging are separate. `detector_state` holds what each series had learned at the clock's cursor, which
stays `correction` behind the newest closed bucket; every run folds the buckets after it again, from the counts as
they are now. So a late document corrects its bucket, and the result depends on the counts alone.

A rule that is new, or counts something else than before, has its series learn from the stored counts first; one that
has only become more or less sensitive keeps what its series have learned.

How far a clock was judged is kept, too: a scheduler that was frozen and goes on with an old watermark must not take
incidents back to where they stood then.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.detection.budget import ScorePool
from alerts.detection.campaigns import CampaignTimeline
from alerts.detection.clock_guards import ClockGuards
from alerts.detection.clock_models import ClockModels
from alerts.detection.detectors import DetectorOptions
from alerts.detection.judgement import Judgement
from alerts.detection.lifecycle import Episode
from alerts.detection.rereading import reread, rule_counts, rule_totals
from alerts.detection.rules import CAMPAIGN_ALERT, DEFAULT_RULES, Rule
from alerts.detection.timeline import SeriesTimeline, walk
from alerts.detection.watermark import closed_until
from core.windows import EPOCH, floor_to
from storage import bucket_counts, detector_states
from storage.detector_states import StoredState
from storage.sources import Silence

MOST_ACTIVE_BUCKETS = 2016  # a week without a pause; the rest of a catch-up is left to the next runs
MOST_SERIES_BUCKETS = 60_000  # two or three seconds
FEWEST_STEPS = 200  # but always well past the correction horizon, so that the cursor moves
USUAL_SERIES = 20
LEARN_FROM = timedelta(days=14)  # what a new rule reads again, so that it is not blind for its first day
MOST_RELEARNED = 400_000  # series-buckets, some ten seconds, once for each new rule

# Their series were stored under shorter names, and without a list of rules, before people could write rules.
FIRST_RULES = [(rule.name, rule.counts_what) for rule in DEFAULT_RULES if rule.name != "by-watchlist"]


@dataclass(frozen=True, slots=True)
class ClockOptions:
    """How event time is cut and when it closes.

    Attributes:
        false_buckets_per_thousand: buckets that may fire by chance, a day and for a thousand series;
        `alerts.detection.budget`.
    """

    detector: DetectorOptions
    lateness: timedelta = timedelta(minutes=2)
    correction: timedelta = timedelta(minutes=60)
    false_buckets_per_thousand: float = 30.0


@dataclass(frozen=True, slots=True)
class SeriesFinding:
    """The episodes of one series that a run saw, none when all was calm; and what they were judged from."""

    rule: Rule
    labels: dict[str, str]
    episodes: list[Episode]
    judgements: Mapping[datetime, Judgement]


@dataclass(frozen=True, slots=True)
class ClockRun:
    """What one run found on one clock.

    Attributes:
        judged_to: end of the last bucket judged.
        is_behind: closed buckets are left for the next run.
        judged_before: how far earlier runs had judged; what is detected before it was found late.
    """

    findings: list[SeriesFinding]
    judged_to: datetime
    is_behind: bool
    judged_before: datetime | None = None


@dataclass
class _Series:
    rule: Rule
    key: tuple[str, ...]
    timeline: SeriesTimeline
    campaign: CampaignTimeline | None = None  # from the first copy on

    def adjust(self, guards: ClockGuards) -> None:
        """Expect what the models of the time find, and as much more as the alert budget asks for."""
        factors = guards.factors(self.rule.labels(self.key))
        if self.rule.counted == "total":
            factors = [1.0] * len(factors)  # no model decides how many documents there are
        for timeline in (self.timeline, self.campaign):
            if timeline is not None:
                timeline.adjust(factors, guards.extra)

    def advance(self, at: datetime, counts: "_Counts", guards: ClockGuards, *, is_after_gap: bool) -> None:
        """Judge and learn one bucket."""
        if counts.copies and self.campaign is None:
            self.campaign = CampaignTimeline(self.timeline.options, twin=self.timeline.detector)
            self.adjust(guards)
        verdict = self.timeline.advance(at, counts.negative, counts.total, is_after_gap=is_after_gap)
        guards.learn(verdict, is_in_episode=self.timeline.is_in_episode)
        if self.campaign is not None:
            self.campaign.follow(at, counts.copies, counts.documents, verdict, is_after_gap=is_after_gap)

    def findings(self) -> Iterator[SeriesFinding]:
        """What was seen of it, and of its copies."""
        labels = self.rule.labels(self.key)
        yield SeriesFinding(self.rule, labels, self.timeline.episodes, self.timeline.judgements)
        if self.campaign is not None:
            yield SeriesFinding(self.rule, labels | {"alertname": CAMPAIGN_ALERT}, self.campaign.episodes, {})


@dataclass(frozen=True, slots=True)
class _Counts:
    """One series in one bucket.

    Attributes:
        negative, total: what is judged.
        copies: negative documents that are copies, out of all `documents`.
    """

    negative: int = 0
    total: int = 0
    copies: int = 0
    documents: int = 0


NOTHING = _Counts()


class Clock:
    """One source's event time, or (source None) that of all sources together."""

    def __init__(
        self, source: str | None, rules: Sequence[Rule], options: ClockOptions, silences: Sequence[Silence] = ()
    ) -> None:
        """Args:
        silences: of this source, or of all together (`alerts.watches.source_watch`): neither judged nor learned.
        """
        self._source = source
        self._silences = silences
        self._name = clock_name(source)
        self._judged_name = f"judged|{self._name}"
        self._rules = [rule for rule in rules if rule.is_enabled and rule.follows(source)]
        self._detectors = {rule.name: rule.detector(options.detector) for rule in self._rules}
        self._options = options
        self._bucket = options.detector.bucket

    def judge(self, connection: Connection, newest: datetime) -> ClockRun | None:
        """Judge every closed bucket after the cursor, and move the cursor on.

        Args:
            newest: this clock's trusted watermark.

        Returns:
            None when no bucket has closed, or when a run with a newer watermark has been here already.
        """
        closed = closed_until(newest, self._options.lateness, self._bucket, EPOCH)
        kept = self._load_clock(connection)
        cursor = kept["cursor_at"] if kept else None
        active = bucket_counts.active_buckets(
            connection,
            source=self._source,
            bucket=self._bucket,
            after=cursor,
            before=newest + timedelta(minutes=1),
            limit=MOST_ACTIVE_BUCKETS,
        )
        if not active or (cursor or active[0]) >= closed:
            return None
        steps, is_behind = self._steps(active, kept, closed)
        if not steps:
            return None
        judged_to = steps[-1][0] + self._bucket
        before = self._judged_to(connection)
        if before is not None and judged_to < before:
            return None
        found = self._fold(connection, kept, steps, active, newest)
        if judged_to != before:
            detector_states.save(connection, judged_to, {self._judged_name: self._own_state()})
        return ClockRun(
            found, judged_to, is_behind or (judged_to < closed and len(active) == MOST_ACTIVE_BUCKETS), before
        )

    def _steps(
        self, active: list[datetime], kept: dict[str, Any] | None, closed: datetime
    ) -> tuple[list[tuple[datetime, bool]], bool]:
        """The buckets of this run, each with whether a gap lies before it, and whether more are left."""
        start = kept["cursor_at"] if kept else active[0]
        most = max(FEWEST_STEPS, MOST_SERIES_BUCKETS // max(USUAL_SERIES, len(kept["series"]) if kept else 0))
        steps: list[tuple[datetime, bool]] = []
        after = kept["last_active_at"] if kept else None
        for at, is_after_gap in walk(active, self._bucket, after=after, silences=self._silences):
            if at + self._bucket > closed:
                break
            if at < start:
                continue
            if len(steps) == most:
                return steps, True
            steps.append((at, is_after_gap))
        return steps, False

    def _fold(
        self,
        connection: Connection,
        kept: dict[str, Any] | None,
        steps: list[tuple[datetime, bool]],
        active: list[datetime],
        newest: datetime,
    ) -> list[SeriesFinding]:
        judged_to = steps[-1][0] + self._bucket
        learn_to = floor_to(judged_to - self._options.correction, self._bucket)
        counts = self._counts(connection, steps[0][0], judged_to)
        series = self._load_series(connection, kept)
        guards = self._guards(connection, kept, steps[0][0], judged_to)
        new = [r for r in self._rules if kept and (r.name, r.counts_what) not in kept["rules"]]
        if kept and new:
            series |= self._learn(connection, new, kept["cursor_at"], newest)
            self._save(connection, series, kept["cursor_at"], [], kept, guards)
        is_kept = steps[0][0] + self._bucket > learn_to  # nothing new to keep
        for at, is_after_gap in steps:
            if not is_kept and at + self._bucket > learn_to:
                self._save(connection, series, learn_to, active, kept, guards)
                is_kept = True
            self._advance(series, counts[at], at, is_after_gap, guards)
        guards.models.note(self._name)
        return [finding for one in series.values() for finding in one.findings()]

    def _guards(
        self, connection: Connection, kept: dict[str, Any] | None, start: datetime, end: datetime
    ) -> ClockGuards:
        state = kept["guards"] if kept else {}
        detector = self._options.detector
        models = ClockModels(
            connection,
            source=self._source,
            bucket=self._bucket,
            windows=detector.windows,
            state=state.get("models"),
            start=start,
            end=end,
        )
        pool = ScorePool(
            self._bucket,
            per_thousand=self._options.false_buckets_per_thousand,
            base=detector.fires_from,
            state=state.get("pool"),
        )
        return ClockGuards(models, pool)

    def _learn(
        self, connection: Connection, new: Sequence[Rule], cursor: datetime, newest: datetime
    ) -> dict[str, _Series]:
        """Series of rules that this clock has not judged before, as they would stand at its cursor."""
        found = {}
        for rule in new:
            timelines = reread(
                connection,
                rule,
                self._source,
                self._options.detector,
                self._silences,
                start=cursor - self._span_to_learn(connection, rule, cursor),
                end=cursor,
                before=newest + timedelta(minutes=1),
            )
            for key, timeline in timelines.items():
                timeline.episodes.clear()  # nobody is told of what was over before the rule was made
                found[self._series_name(rule, key)] = _Series(rule, key, timeline)
        return found

    def _span_to_learn(self, connection: Connection, rule: Rule, cursor: datetime) -> timedelta:
        """How far back a new rule reads: less where it has many series."""
        totals = rule_totals(connection, rule, self._source, cursor - LEARN_FROM, cursor)
        return min(LEARN_FROM, self._bucket * (MOST_RELEARNED // max(1, len(totals))))

    def _advance(
        self,
        series: dict[str, _Series],
        counts: dict[str, tuple[Rule, tuple[str, ...], _Counts]],
        at: datetime,
        is_after_gap: bool,
        guards: ClockGuards,
    ) -> None:
        is_changed = guards.advance(at)
        for name, (rule, key, _) in counts.items():
            if name not in series:
                series[name] = _Series(rule, key, SeriesTimeline(self._detectors[rule.name]))
                series[name].adjust(guards)
        for name, one in series.items():
            if is_changed:
                one.adjust(guards)
            of_one = counts[name][2] if name in counts else NOTHING
            one.advance(at, of_one, guards, is_after_gap=is_after_gap)

    def _counts(
        self, connection: Connection, start: datetime, end: datetime
    ) -> defaultdict[datetime, dict[str, tuple[Rule, tuple[str, ...], _Counts]]]:
        found: defaultdict[datetime, dict[str, tuple[Rule, tuple[str, ...], _Counts]]] = defaultdict(dict)
        for rule in self._rules:
            for row in rule_counts(connection, rule, self._source, self._bucket, start, end):
                counted = _Counts(*row.judged(rule.counted), row.negative_copies, row.total)
                found[row.bucket_at][self._series_name(rule, row.key)] = (rule, row.key, counted)
        return found

    def _series_name(self, rule: Rule, key: tuple[str, ...]) -> str:
        return series_name(self._name, rule, key)

    def _judged_to(self, connection: Connection) -> datetime | None:
        """End of the last bucket that any run has judged with this bucket length."""
        stored = self._load_own(connection, self._judged_name)
        return stored.cursor_at if stored else None

    def _own_state(self) -> dict[str, Any]:
        return {"bucket_seconds": self._bucket.total_seconds()}

    def _load_own(self, connection: Connection, name: str) -> StoredState | None:
        stored = detector_states.load(connection, [name]).get(name)
        return stored if stored and stored.state["bucket_seconds"] == self._bucket.total_seconds() else None

    def _load_clock(self, connection: Connection) -> dict[str, Any] | None:
        stored = self._load_own(connection, self._name)
        if stored is None:
            return None
        last_active = stored.state["last_active_at"]
        return {
            "cursor_at": stored.cursor_at,
            "last_active_at": datetime.fromisoformat(last_active) if last_active else None,
            "series": stored.state["series"],
            "rules": [tuple(rule) for rule in stored.state.get("rules", FIRST_RULES)],
            "guards": stored.state.get("guards", {}),
        }

    def _load_series(self, connection: Connection, kept: dict[str, Any] | None) -> dict[str, _Series]:
        if kept is None:
            return {}
        rules = {rule.name: rule for rule in self._rules}
        names = {
            self._series_name(rules[rule], tuple(key)): (rules[rule], tuple(key))
            for rule, key in kept["series"]
            if rule in rules and len(key) == len(rules[rule].group_by)
        }
        states = detector_states.load(connection, [*names, *map(_of_copies, names)])
        return {
            name: _Series(
                rule,
                key,
                SeriesTimeline(self._detectors[rule.name], states[name].state),
                CampaignTimeline(self._detectors[rule.name], states[_of_copies(name)].state)
                if _of_copies(name) in states
                else None,
            )
            for name, (rule, key) in names.items()
            if name in states and states[name].cursor_at == kept["cursor_at"]  # not from before the rule was changed
        }

    def _save(
        self,
        connection: Connection,
        series: dict[str, _Series],
        learn_to: datetime,
        active: list[datetime],
        kept: dict[str, Any] | None,
        guards: ClockGuards,
    ) -> None:
        learned = [at for at in active if at < learn_to]
        last_active = learned[-1] if learned else kept["last_active_at"] if kept else None
        clock = {
            **self._own_state(),
            "last_active_at": last_active.isoformat() if last_active else None,
            "series": [[one.rule.name, list(one.key)] for one in series.values()],
            "rules": [[rule.name, rule.counts_what] for rule in self._rules],
            "guards": guards.to_dict(),
        }
        states = {name: one.timeline.to_dict() for name, one in series.items()}
        states |= {_of_copies(name): one.campaign.to_dict() for name, one in series.items() if one.campaign}
        detector_states.save(connection, learn_to, {**states, self._name: clock})


def _of_copies(name: str) -> str:
    """Where what was learned of a series' copies is kept."""
    return f"copies|{name}"


def clock_name(source: str | None) -> str:
    """Under which name `detector_state` keeps a clock."""
    return "all" if source is None else f"source={source}"


def series_name(clock: str, rule: Rule, key: tuple[str, ...]) -> str:
    """Under which name `detector_state` keeps a series of this clock."""
    if (rule.name, rule.counts_what) in FIRST_RULES:
        return "|".join([clock, rule.name, *key])
    return "|".join([clock, rule.name, rule.counts_what, json.dumps(key, ensure_ascii=False)])
