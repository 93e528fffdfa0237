"""Who is told what at which minute: stories over rows in memory, with time moved."""

from datetime import timedelta

import pytest

from tests.support.timelines import Timeline

QUIET = {"hours": "22:00-07:00", "zone": "Asia/Shanghai"}
BERLIN = {"hours": "22:00-02:30", "zone": "Europe/Berlin"}


def test_flapping_is_one_beginning_and_one_end() -> None:
    """What ends and fires again without growing rings no more."""
    story = Timeline("2026-03-10 09:00")
    story.at("09:10").fires(1, topic="sports")
    story.expect("09:10", "desk", "new", 1)
    for minute in range(20, 60, 10):
        story.at(f"09:{minute}").ends(1)
        story.at(f"09:{minute + 5}").again(1)
    story.expect("09:20", "desk", "over", 1)
    story.at("10:30").ends(1)
    story.check(until="12:00")


def test_growing_tenfold_rarer_is_told_in_the_same_breath() -> None:
    """Each time, also after the end; anything less is not."""
    story = Timeline("2026-03-10 09:00")
    story.at("09:10").fires(1)
    story.expect("09:10", "desk", "new", 1)
    story.at("09:20").grows(1, score=9.0)
    story.expect("09:20", "desk", "grew", 1)
    story.at("09:30").ends(1)
    story.expect("09:30", "desk", "over", 1)
    story.at("09:40").again(1)
    story.at("09:50").grows(1, score=10.5)
    story.expect("09:50", "desk", "grew", 1)
    story.at("10:00").ends(1)
    story.expect("10:00", "desk", "over", 1)
    story.check(until="12:00")


def test_pending_is_told_to_nobody() -> None:
    """Until it holds; one that never does leaves no trace."""
    story = Timeline("2026-03-10 09:00")
    story.at("09:10").fires(1, pending=True, topic="sports")
    story.at("09:12").fires(2, pending=True, topic="finance")
    story.at("09:15").holds(1)
    story.expect("09:15", "desk", "new", 1)
    story.check(until="12:00")


def test_related_findings_are_waited_for() -> None:
    """Those of the next minutes come with the first; later ones of the same surge join silently."""
    story = Timeline("2026-03-10 09:00")
    story.subscription("all", who=["*"], wait="5m")
    story.at("09:10").fires(1)
    story.at("09:13").fires(2, topic="sports")
    story.expect("09:15", "desk", "new", 1, 2)
    story.at("09:20").fires(3, source="weibo")
    for number in (1, 2):
        story.at("10:00").ends(number)
    story.at("10:10").ends(3)
    story.expect("10:10", "desk", "over", 1, 2)
    story.check(until="12:00")


def test_what_is_over_before_the_wait_is_told_with_its_end() -> None:
    """A backlog: nothing is lost by waiting."""
    story = Timeline("2026-03-10 09:00")
    story.subscription("all", who=["*"], wait="5m")
    story.at("09:10").fires(1)
    story.at("09:12").ends(1)
    story.expect("09:15", "desk", "new", 1)
    story.expect("09:15", "desk", "over", 1)
    story.check(until="10:00")


def test_a_reminder_comes_every_day_until_somebody_acknowledges() -> None:
    """After 24 hours, and not after it was taken over."""
    story = Timeline("2026-03-10 09:00")
    story.at("09:10").fires(1)
    story.expect("09:10", "desk", "new", 1)
    story.expect("+1 09:10", "desk", "reminder", 1)
    story.at("+1 12:00").is_acknowledged(1)
    story.at("+3 12:00").is_handed_back(1)
    story.expect("+3 12:00", "desk", "reminder", 1)
    story.at("+3 13:00").ends(1)
    story.expect("+3 13:00", "desk", "over", 1)
    story.check(until="+6 12:00", every=timedelta(minutes=5))


def test_escalation_when_nobody_acknowledges() -> None:
    """After the time of each step, once; the end comes to all."""
    story = Timeline("2026-03-10 09:00", receivers=("desk", "lead", "boss"))
    steps = [{"after": "15m", "to": ["lead"]}, {"after": "1h", "to": ["boss"]}]
    story.subscription("night", who=["desk"], escalate=steps)
    story.at("09:10").fires(1)
    story.expect("09:10", "desk", "new", 1)
    story.expect("09:25", "lead", "escalation", 1)
    story.at("09:40").is_acknowledged(1)
    story.at("11:00").ends(1)
    story.expect("11:00", "desk", "over", 1)
    story.expect("11:00", "lead", "over", 1)
    story.check(until="12:00")


def test_handing_back_takes_up_the_escalation() -> None:
    """Counted from when the subscribers were told."""
    story = Timeline("2026-03-10 09:00", receivers=("desk", "lead"))
    story.subscription("night", who=["desk"], escalate=[{"after": "15m", "to": ["lead"]}])
    story.at("09:10").fires(1)
    story.expect("09:10", "desk", "new", 1)
    story.at("09:20").is_acknowledged(1)
    story.at("10:00").is_handed_back(1)
    story.expect("10:00", "lead", "escalation", 1)
    story.check(until="12:00")


def test_somebody_resolves_and_it_grows_again() -> None:
    """For people it is over until it is ten times rarer."""
    story = Timeline("2026-03-10 09:00")
    story.at("09:10").fires(1)
    story.expect("09:10", "desk", "new", 1)
    story.at("09:30").is_closed(1)
    story.expect("09:30", "desk", "over", 1)
    story.at("10:00").grows(1)
    story.expect("10:00", "desk", "grew", 1)
    story.check(until="12:00")


def test_quiet_hours_hold_across_midnight_and_tell_at_their_end() -> None:
    """One alone as itself; what began and ended meanwhile is not told; critical passes."""
    story = Timeline("2026-03-10 21:00")
    story.subscription("day", who=["desk"], quiet=QUIET)
    story.at("23:30").fires(1, topic="sports")
    story.at("23:40").fires(2, topic="finance")
    story.at("+1 02:00").ends(2)
    story.at("+1 03:00").fires(3, "critical", topic="automobile")
    story.expect("+1 03:00", "desk", "new", 3)
    story.expect("+1 07:00", "desk", "new", 1)
    story.check()


def test_several_that_were_held_are_one_digest() -> None:
    """With the ends of what was told before."""
    story = Timeline("2026-03-10 21:00")
    story.subscription("day", who=["desk"], quiet={**QUIET, "critical_passes": False})
    story.at("21:30").fires(1, topic="sports")
    story.expect("21:30", "desk", "new", 1)
    story.at("22:30").ends(1)
    story.at("23:40").fires(2, "critical", topic="finance")
    story.at("+1 01:00").fires(3, topic="automobile")
    story.expect("+1 07:00", "desk", "held", 1, 2, 3)
    story.at("+1 08:00").ends(2)
    story.expect("+1 08:00", "desk", "over", 2)
    story.check()


def test_who_acknowledges_at_night_spares_the_others() -> None:
    """Nobody is told in the morning of what somebody has taken over."""
    story = Timeline("2026-03-10 21:00")
    story.subscription("day", who=["desk"], quiet=QUIET)
    story.at("23:30").fires(1, topic="sports")
    story.at("+1 01:00").is_acknowledged(1)
    story.check()


def test_held_escalation_comes_after_the_quiet_hours_too() -> None:
    """The time to acknowledge counts from when people were told, which was in the morning."""
    story = Timeline("2026-03-10 21:00", receivers=("desk", "lead"))
    story.subscription("day", who=["desk"], quiet=QUIET, escalate=[{"after": "15m", "to": ["lead"]}])
    story.at("23:30").fires(1)
    story.expect("+1 07:00", "desk", "new", 1)
    story.expect("+1 07:15", "lead", "escalation", 1)
    story.check()


def test_weekends_hold_until_monday_morning() -> None:
    """Friday's night, the weekend and Sunday's night are one stretch."""
    story = Timeline("2026-03-13 20:00")  # a Friday
    story.subscription("day", who=["desk"], quiet={**QUIET, "weekends": True})
    story.at("23:00").fires(1, topic="sports")
    story.at("+1 12:00").fires(2, topic="finance")
    story.at("+2 12:00").ends(2)
    story.at("+2 23:00").fires(3, topic="automobile")
    story.expect("+3 07:00", "desk", "held", 1, 3)
    story.check(until="+3 12:00", every=timedelta(minutes=5))


@pytest.mark.parametrize(
    ("evening", "ends"),
    [
        ("2026-03-28 20:00", "+1 03:30"),  # 02:30 is skipped: 01:30 UTC, which clocks there call 03:30
        ("2026-10-24 20:00", "+1 02:30"),  # 02:30 comes twice: the first
    ],
)
def test_quiet_hours_when_the_clocks_change(evening: str, ends: str) -> None:
    """They end once, at a time that there is, and do not begin again in the repeated hour."""
    story = Timeline(evening, zone="Europe/Berlin")
    story.subscription("day", who=["desk"], quiet=BERLIN)
    story.at("23:00").fires(1, topic="sports")
    story.expect(ends, "desk", "new", 1)
    story.check(until="+1 12:00")


def test_a_silence_begins_and_ends() -> None:
    """What fires when it ends is told then; what is over is not; what was told before ends after it."""
    story = Timeline("2026-03-10 09:00")
    story.at("09:05").fires(1, topic="sports")
    story.expect("09:05", "desk", "new", 1)
    story.at("09:10").is_muted('topic=~"sports|finance"', until="10:00")
    story.at("09:20").ends(1)
    story.at("09:20").fires(2, topic="finance")
    story.at("09:30").fires(3, topic="finance", source="weibo")
    story.at("09:40").ends(3)
    story.at("09:40").fires(4, topic="automobile")
    story.expect("09:40", "desk", "new", 4)
    story.expect("10:00", "desk", "new", 2)
    story.expect("10:00", "desk", "over", 1)
    story.check(until="12:00")


def test_filters_and_severity_choose_and_two_subscriptions_tell_once() -> None:
    """A receiver of two subscriptions hears what either lets through, once."""
    story = Timeline("2026-03-10 09:00", receivers=("desk", "boss"))
    story.subscription("sports", who=["desk"], match=['topic="sports"'])
    story.subscription("severe", who=["*"], min_severity="critical")
    story.at("09:10").fires(1, topic="sports")
    story.expect("09:10", "desk", "new", 1)
    story.at("09:20").fires(2, topic="finance")
    story.at("09:30").fires(3, "critical", topic="automobile")
    story.expect("09:30", "desk", "new", 3)
    story.expect("09:30", "boss", "new", 3)
    story.at("09:40").grows(1, severity="critical")
    story.expect("09:40", "desk", "grew", 1)
    story.expect("09:40", "boss", "new", 1)
    story.check(until="10:00")


def test_the_most_eager_subscription_decides() -> None:
    """One that is quiet does not hold back what another tells at once."""
    story = Timeline("2026-03-10 21:00")
    story.subscription("quiet", who=["desk"], quiet=QUIET)
    story.subscription("sports", who=["desk"], match=["topic=sports"])
    story.at("23:00").fires(1, topic="sports")
    story.expect("23:00", "desk", "new", 1)
    story.at("23:10").fires(2, topic="finance")
    story.expect("+1 07:00", "desk", "new", 2)
    story.check()
