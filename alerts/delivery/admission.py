"""May this receiver get a message now? Its pace (a token bucket) and its pauses after failures. Pure.

The state is one row in SQL (`storage.receiver_states`), so that a restart or a second scheduler starts with what is
left, not with a full bucket.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.delivery.notifiers.contract import Delivery
from storage.receiver_states import ReceiverState

MOST_AT_ONCE = 3  # 飞书 takes five in a second
TRIPS_AFTER = 3  # failures in a row
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=1)  # then one message is tried, so that recovery shows within a minute
LONGEST_ASKED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `per_minute` messages in any sixty seconds: a few at once, the others spread out."""

    per_minute: int

    @property
    def burst(self) -> int:
        return max(1, min(MOST_AT_ONCE, self.per_minute // 4))

    @property
    def per_second(self) -> float:
        # A bucket of b tokens that gains r in a minute lets b + r - 1 through in one.
        return (self.per_minute - self.burst + 1) / 60

    def tokens(self, state: ReceiverState, now: datetime) -> float:
        """What the bucket holds by now."""
        if state.tokens is None or state.refilled_at is None:
            return float(self.burst)
        gained = max(0.0, (now - state.refilled_at).total_seconds()) * self.per_second
        return min(float(self.burst), state.tokens + gained)


def admit(state: ReceiverState, per_minute: int | None, now: datetime) -> ReceiverState | None:
    """The state with one message taken out; None: not now, because of its pace or a pause."""
    if state.paused_until is not None and now < state.paused_until:
        return None
    if per_minute is None:
        return state
    tokens = Pace(per_minute).tokens(state, now)
    if tokens < 1 - 1e-9:  # what was added up in parts
        return None
    return replace(state, tokens=tokens - 1, refilled_at=now)


def after(state: ReceiverState, delivery: Delivery, now: datetime) -> ReceiverState:
    """The state after an attempt. A message that is refused for good says nothing about the receiver."""
    if delivery.outcome == "ok":
        return replace(state, failures=0, paused_until=None, last_error=None, delivered_at=now)
    if delivery.outcome == "permanent":
        return replace(state, last_error=delivery.reason)
    failures = state.failures + 1
    return replace(state, failures=failures, last_error=delivery.reason, paused_until=_pause(failures, delivery, now))


def _pause(failures: int, delivery: Delivery, now: datetime) -> datetime | None:
    """After a few failures in a row, ever longer; at once where the receiver asks for it."""
    pause = timedelta(0)
    if failures >= TRIPS_AFTER:
        doublings: int = 2 ** min(failures - TRIPS_AFTER, 10)
        pause = min(FIRST_PAUSE * doublings, LONGEST_PAUSE)
    if delivery.retry_after is not None:
        pause = max(pause, min(delivery.retry_after, LONGEST_ASKED))
    return now + pause if pause else None
