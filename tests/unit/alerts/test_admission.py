"""A receiver's pace and its pauses, on an injected clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.delivery.admission import FIRST_PAUSE, LONGEST_PAUSE, TRIPS_AFTER, admit, after
from alerts.delivery.notifiers.contract import OK, Delivery
from storage.receiver_states import ReceiverState

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NEW = ReceiverState("wecom", "ops")
AWAY = Delivery("retryable", "HTTP 503")


def sent_at(per_minute: int, asked: list[float]) -> list[float]:
    """When messages go out to a receiver that is asked at these seconds."""
    state, sent = NEW, []
    for second in asked:
        admitted = admit(state, per_minute, NOON + timedelta(seconds=second))
        if admitted is not None:
            state, sent = admitted, [*sent, second]
    return sent


def most_in(window: float, sent: list[float]) -> int:
    return max(sum(start <= at < start + window for at in sent) for start in sent)


@pytest.mark.parametrize(("per_minute", "least"), [(1, 4), (20, 90), (100, 470)])
def test_no_minute_has_more_than_the_rate_and_hardly_less(per_minute: int, least: int) -> None:
    """A flood over five minutes goes out as fast as the target allows, in no sixty seconds faster."""
    sent = sent_at(per_minute, [tick / 10 for tick in range(3000)])
    assert most_in(60, sent) <= per_minute
    assert len(sent) >= least


def test_feishus_five_in_a_second_are_kept() -> None:
    """A hundred a minute may still not come all at once."""
    assert most_in(1, sent_at(100, [tick / 50 for tick in range(3000)])) <= 5


@settings(max_examples=50)
@given(st.integers(1, 120), st.lists(st.floats(0, 30), max_size=300))
def test_whenever_it_is_asked_the_rate_holds(per_minute: int, gaps: list[float]) -> None:
    """Whatever the rhythm of runs, and after any silence."""
    asked, at = [], 0.0
    for gap in gaps:
        asked.append(at := at + gap)
    sent = sent_at(per_minute, asked)
    assert not sent or most_in(60, sent) <= per_minute


def test_without_a_rate_everything_passes() -> None:
    """Webhooks of one's own take what comes."""
    assert admit(NEW, None, NOON) == NEW


def test_a_receiver_that_fails_is_tried_ever_less_until_it_is_back() -> None:
    """Two failures change nothing; then pauses double up to a minute, one attempt after each; success forgets all."""
    state, now, pauses = NEW, NOON, []
    for _ in range(8):
        assert admit(state, None, now) is not None
        state = after(state, AWAY, now)
        pauses.append((state.paused_until or now) - now)
        if state.paused_until is not None:
            assert admit(state, None, state.paused_until - timedelta(seconds=1)) is None
            now = state.paused_until
    assert pauses[: TRIPS_AFTER - 1] == [timedelta(0)] * (TRIPS_AFTER - 1)
    assert pauses[TRIPS_AFTER - 1 : TRIPS_AFTER + 1] == [FIRST_PAUSE, 2 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    back = after(state, OK, now)
    assert (back.failures, back.paused_until, back.last_error, back.delivered_at) == (0, None, None, now)


def test_a_receiver_that_asks_for_peace_gets_it_at_once() -> None:
    """One 429 with Retry-After pauses all its messages, for an hour at most."""
    asked = after(NEW, Delivery("retryable", "HTTP 429", timedelta(seconds=30)), NOON)
    assert asked.paused_until == NOON + timedelta(seconds=30)
    endless = after(NEW, Delivery("retryable", "HTTP 429", timedelta(days=9)), NOON)
    assert endless.paused_until == NOON + timedelta(hours=1)


def test_a_message_that_is_refused_for_good_pauses_nobody() -> None:
    """It says nothing about the next one, but its cause is shown."""
    told = after(NEW, Delivery("permanent", "HTTP 400"), NOON)
    assert (told.failures, told.paused_until, told.last_error) == (0, None, "HTTP 400")


def test_a_clock_that_jumps_back_neither_fills_nor_empties_the_bucket() -> None:
    """Another scheduler's clock may be behind."""
    state = admit(NEW, 20, NOON)
    assert state is not None
    before = admit(state, 20, NOON - timedelta(hours=1))
    assert before is not None
    assert before.tokens == pytest.approx(1.0)
