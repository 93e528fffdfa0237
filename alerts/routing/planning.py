"""What one receiver has to hear now: incidents as they stand against what it was told. Pure.

Nothing here depends on when it was asked last. A restart, a second scheduler, a silence or quiet hours that end,
somebody who acknowledges: the next look at the same rows finds what is left to tell, once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from alerts.routing.delivery_ids import delivery_id
from alerts.routing.digests import held_digest
from alerts.routing.grouping import Kind, Message, are_related, clusters, may_inhibit, same_group, why_needless
from alerts.routing.reach import Reach, reach
from alerts.routing.silencing import labels_of, muting
from alerts.routing.subscriptions import REMIND, Subscription
from storage.incidents import IncidentRow
from storage.notifications import Channel
from storage.silences import SilenceRow
from storage.tellings import Known, Telling

Need = Literal["new", "grew", "reminder", "over"]


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides what is told.

    Attributes:
        rows: incidents that are open or have still to be told as over, and those that may be related to them.
        known: what all receivers were told.
        opened: ids of those that began just now, even if they are over already.
    """

    rows: Sequence[IncidentRow]
    known: Known
    subscriptions: Sequence[Subscription]
    silences: Sequence[SilenceRow]
    opened: Collection[int]
    now: datetime


@dataclass
class Plan:
    """Messages for one receiver, in order, and what it will have been told."""

    messages: list[Message] = field(default_factory=list)
    tellings: dict[int, Telling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Due:
    row: IncidentRow
    telling: Telling
    need: Need
    reach: Reach

    @property
    def kind(self) -> Kind:
        return "escalation" if self.need == "new" and self.reach.is_escalation else self.need


def plan(channel: Channel, receiver: str, situation: Situation) -> Plan:
    """What this receiver is to be told now."""
    return _Planner(channel, receiver, situation).plan()


def need_of(row: IncidentRow, told: Telling, reminding: Reach | None, now: datetime, *, is_news: bool) -> Need | None:
    """Whether the receiver has something to hear of this incident, and what.

    Args:
        is_news: it began just now, or has been waited with; then it is told even if it is over.
    """
    if row.is_pending:
        return None
    if row.state == "resolved":
        if told.status == "firing":
            return "over"
        return "new" if told.status is None and is_news else None
    if told.status is None:
        return "new" if row.acknowledged_at is None else None
    if told.told_score is not None and row.notified_score > told.told_score:
        return "grew"
    remind = reminding.subscription.remind if reminding else REMIND
    if told.status == "firing" and row.acknowledged_at is None and remind and told.told_at:
        return "reminder" if now - told.told_at >= remind else None
    return None


class _Planner:
    """One look for one receiver."""

    def __init__(self, channel: Channel, receiver: str, situation: Situation) -> None:
        self._channel = channel
        self._receiver = receiver
        self._at = situation
        self._told = {row.id: self._telling(row) for row in situation.rows}
        self._audible = [row for row in situation.rows if not muting(labels_of(row), situation.silences)]
        self._inhibiting = [row for row in self._audible if may_inhibit(row)]
        self._heard = [row for row in self._audible if self._told[row.id].status is not None]
        self._told_now: set[int] = set()  # as firing
        self._soonest = min((one.remind for one in situation.subscriptions if one.remind), default=REMIND)
        self._plan = Plan()

    def _telling(self, row: IncidentRow) -> Telling:
        known = self._at.known.get(row.id, {})
        if told := known.get((self._channel, self._receiver)):
            return told
        fresh = Telling(row.id, self._channel, self._receiver)
        if known or row.told is None:
            return fresh
        # A scheduler of the version before told everybody, and left no more than a line in the history.
        return replace(fresh, status=row.told, told_score=row.notified_score, told_at=self._at.now)

    def plan(self) -> Plan:
        due = [one for row in self._at.rows if (one := self._due(row)) is not None]
        held = [one for one in due if one.telling.held_by == "quiet"]
        if len(clusters([one.row for one in held])) > 1:
            self._tell_held(held)
            due = [one for one in due if one not in held]
        waiting = [one for one in due if self._is_waiting(one)]
        self._tell_firing([one for one in due if one.need != "over" and one not in waiting], waiting)
        for one in waiting:
            if one.row.id not in self._plan.tellings:
                self._keep(replace(one.telling, news_at=one.telling.news_at or self._at.now, held_by=None))
        self._tell_over([one for one in due if one.need == "over"])
        return self._plan

    def _due(self, row: IncidentRow) -> _Due | None:
        """What can be told now; what cannot is kept with the reason."""
        told = self._told[row.id]
        if self._has_no_news(row, told):
            return None
        goes_on = told.status is not None
        answer = reach(
            self._receiver,
            row,
            self._at.known.get(row.id, {}),
            self._at.subscriptions,
            self._at.now,
            goes_on=goes_on,
        )
        is_news = row.id in self._at.opened or (told.news_at is not None and told.held_by is None)
        need = need_of(row, told, answer, self._at.now, is_news=is_news)
        if need is None:
            if told.news_at is not None or told.held_by is not None:  # over, or somebody's, before it could be told
                self._keep(replace(told, news_at=None, held_by=None))
            return None
        if answer is None:
            if not goes_on:
                return None
            # Told before, and in no subscription any more: it hears the end, and nothing else.
            answer = Reach(self._at.subscriptions[0], "now", "it was told of the beginning")
            if need != "over":
                return None
        if muting(labels_of(row), self._at.silences):
            self._hold(told, "silence", is_first=need == "new")
            return None
        if answer.outcome == "held":
            self._hold(told, "quiet", is_first=need == "new")
        if answer.outcome != "now":
            return None
        if need == "new" and why_needless(row, self._inhibiting, self._heard) is not None:
            return None
        return _Due(row, told, need, answer)

    def _has_no_news(self, row: IncidentRow, told: Telling) -> bool:
        """What goes for nearly all that is open, told from the rest before any subscription is asked."""
        if told.status is None or told.held_by is not None or told.told_at is None or told.told_score is None:
            return False
        if row.state == "resolved":
            return told.status == "resolved"
        is_too_early = self._at.now - told.told_at < self._soonest
        return row.notified_score <= told.told_score and (row.acknowledged_at is not None or is_too_early)

    def _hold(self, told: Telling, by: Literal["quiet", "silence"], *, is_first: bool) -> None:
        self._keep(replace(told, held_by=by, news_at=(told.news_at or self._at.now) if is_first else told.news_at))

    def _keep(self, telling: Telling) -> None:
        if telling != self._told[telling.incident_id]:
            self._plan.tellings[telling.incident_id] = telling
            self._told[telling.incident_id] = telling

    def _is_waiting(self, one: _Due) -> bool:
        """Whether related findings are waited for; not after quiet hours, which were a wait already."""
        if one.need != "new" or one.telling.held_by is not None or one.reach.is_escalation:
            return False
        return self._at.now < (one.telling.news_at or self._at.now) + one.reach.subscription.wait

    def _tell_held(self, held: Sequence[_Due]) -> None:
        """What quiet hours kept back, as one message."""
        open_now = [one.row for one in held if one.row.state != "resolved"]
        since = min((one.telling.news_at or one.telling.told_at or self._at.now) for one in held)
        subscription = max(held, key=lambda one: one.row.score).reach.subscription
        figures = held_digest(subscription, since, self._at.now, [one.row for one in held])
        status: Literal["firing", "resolved"] = "firing" if open_now else "resolved"
        thread = delivery_id("digests", self._channel, self._receiver)
        nth = max(one.telling.messages for one in held)
        numbers = ",".join(str(one.row.id) for one in held)
        key = f"held|{numbers}|{nth}"
        self._plan.messages.append(
            Message(status, figures.members, "held", thread, key, subscription.language, figures)
        )
        for one in held:
            self._heard_of(one.row, "firing" if one.row.state != "resolved" else "resolved", thread)

    def _tell_firing(self, due: Sequence[_Due], waiting: Sequence[_Due]) -> None:
        by_id = {one.row.id: one for one in (*due, *waiting)}
        group_by = next((one.reach.subscription.group_by for one in due if one.reach.subscription.group_by), ())
        groups = clusters([one.row for one in due], [one.row for one in waiting], same_group(group_by))
        for members in groups:
            self._tell("firing", members, by_id[members[0].id].kind, by_id[members[0].id].reach)

    def _tell_over(self, due: Sequence[_Due]) -> None:
        """The end is told once all is over that may be of the same documents, as far as this receiver hears of it."""
        told_now = [
            _Due(row, self._told[row.id], "over", self._reach_of(row))
            for row in self._at.rows
            if row.state == "resolved" and row.id in self._told_now
        ]
        ended = {one.row.id: one for one in (*due, *told_now)}
        over = [one.row for one in ended.values() if not self._goes_on_beside(one.row)]
        for members in clusters(over):
            self._tell("resolved", members, "over", ended[members[0].id].reach)

    def _reach_of(self, row: IncidentRow) -> Reach:
        found = reach(self._receiver, row, {}, self._at.subscriptions, self._at.now, goes_on=True)
        return found or Reach(self._at.subscriptions[0], "now", "it was told of the beginning")

    def _goes_on_beside(self, row: IncidentRow) -> bool:
        return any(
            other.state not in ("resolved", "pending") and are_related(row, other) and self._concerns(other)
            for other in self._audible
        )

    def _concerns(self, row: IncidentRow) -> bool:
        """Whether this receiver hears of such incidents at all."""
        if self._told[row.id].status is not None:
            return True
        answer = reach(self._receiver, row, {}, self._at.subscriptions, self._at.now)
        return answer is not None and answer.outcome in ("now", "held")

    def _tell(
        self, status: Literal["firing", "resolved"], members: list[IncidentRow], kind: Kind, reached: Reach
    ) -> None:
        lead = members[0]
        thread = self._thread(lead)
        nth = self._told[lead.id].messages
        key = f"{lead.fingerprint}|{lead.detected_at.isoformat()}|{status}|{kind}|{nth}"
        self._plan.messages.append(Message(status, members, kind, thread, key, reached.subscription.language))
        for row in members:
            self._heard_of(row, status, thread)
        if status == "firing":
            self._told_now.update(row.id for row in members)

    def _thread(self, lead: IncidentRow) -> str:
        """Its own, or that of what it joined; else a new one."""
        if own := self._told[lead.id].thread:
            return own
        for row in self._at.rows:
            if (known := self._told[row.id].thread) and are_related(lead, row):
                return known
        return delivery_id("thread", lead.fingerprint, lead.detected_at, self._channel, self._receiver)

    def _heard_of(self, row: IncidentRow, status: Literal["firing", "resolved"], thread: str) -> None:
        before = self._told[row.id]
        self._keep(
            replace(
                before,
                status=status,
                first_told_at=before.first_told_at or (self._at.now if status == "firing" else None),
                told_at=self._at.now,
                told_score=row.notified_score,
                news_at=None,
                held_by=None,
                messages=before.messages + 1,
                thread=before.thread or thread,
            )
        )
