"""When dead letters are too many, and when they are calm again; no SQL."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.rendering.apprise import render
from alerts.rendering.contract import RenderOptions
from alerts.rendering.messages import dead_letter_annotations
from alerts.routing.grouping import Message
from alerts.watches.dead_letters import Alarm, DeadLetterOptions, Step, Window, advance, windows
from core.windows import MINUTE
from storage.dead_letter_counts import Fates
from storage.incidents import IncidentRow

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPTIONS = DeadLetterOptions(window=timedelta(minutes=10), share=0.05, min_records=20)


def fold(*minutes: tuple[int, int], until: int = 60) -> list[tuple[str, int]]:
    """The transitions over an hour that begins with these (records, dead letters), and the minute of each."""
    counts = {NOON + n * MINUTE: Fates(*one) for n, one in enumerate(minutes)}
    steps: list[Step] = []
    alarm: Alarm | None = None
    for window in windows(counts, NOON, NOON + until * MINUTE, OPTIONS.window):
        step = advance(alarm, window, OPTIONS)
        if step is not None:
            steps.append(step)
            alarm = None if step[1].is_over else step[1]
    at = [alarm.detected_at if name == "opened" else alarm.last_fired_at for name, alarm in steps]
    return [
        (name, round((end - NOON) / MINUTE)) for (name, _), end in zip(steps, at, strict=True) if name != "updated"
    ]


def test_a_window_holds_the_minutes_before_its_end() -> None:
    """Each minute is in as many windows as the window has minutes, the ones before the cursor too."""
    counts = {NOON - MINUTE: Fates(10, 1), NOON: Fates(20, 0), NOON + 9 * MINUTE: Fates(30, 3)}
    found = list(windows(counts, NOON, NOON + 20 * MINUTE, OPTIONS.window))
    assert [(w.records, w.dead_lettered) for w in found[:2]] == [(30, 1), (30, 1)]
    assert found[8].first_at == NOON - MINUTE
    assert (found[9].records, found[9].dead_lettered, found[9].first_at) == (50, 3, NOON + 9 * MINUTE)
    assert (found[18].records, found[19].records) == (30, 0)


@pytest.mark.parametrize("calm", [[(1000, 20)] * 60, [(20, 19)], [(0, 0)] * 60])
def test_few_or_a_small_share_is_no_alarm(calm: list[tuple[int, int]]) -> None:
    """The usual two in a hundred, and a crawler's single bad page, wake nobody."""
    assert fold(*calm) == []


def test_an_alarm_opens_and_is_over_when_a_window_is_calm() -> None:
    """It ends with the last minute that was not calm, and is told so a window later."""
    assert fold(*[(100, 0)] * 5, *[(100, 10)] * 5, *[(100, 0)] * 40) == [("opened", 10), ("resolved", 17)]


def test_wavering_around_the_limit_is_one_alarm() -> None:
    """Between the limit and half of it, what fires goes on firing and what is calm stays calm."""
    assert fold(*[(1000, n) for n in [60] * 12 + [40, 60, 30, 55] * 12]) == [("opened", 1)]


def test_a_quarter_of_everything_is_critical() -> None:
    """An alarm that grows is told again, once."""
    assert fold(*[(100, 10)] * 5, *[(100, 90)] * 20, until=25) == [("opened", 2), ("escalated", 7)]


def test_people_read_of_it_in_both_languages() -> None:
    """Title, figures and reasons; whatever the topic's or a reason's name says is harmless."""
    labels = {"alertname": "DeadLetterRate", "rule": "dead-letters", "kafka_topic": "raw<b>"}
    said = dead_letter_annotations(labels, dead_lettered=30, minutes=10, share=0.1, usual_share=0.002)
    times = {"starts_at": NOON, "ends_at": None, "detected_at": NOON, "last_fired_at": NOON}
    figures = {"observed": 30.0, "expected": 0.6, "score": 2.0, "notified_score": 2.0}
    row = IncidentRow(
        id=7, fingerprint="f", rule="dead-letters", labels=labels, severity="warning", status="firing", **times,
        **figures, annotations=said, acknowledged_at=None, acknowledged_by=None, told=None,
    )  # fmt: skip
    reasons = [{"name": "bad_json", "count": 28}, {"name": "@all", "count": 2}]
    told = render(Message("firing", [row]), {7: {"reasons": reasons}}, RenderOptions("r", "http://c"))
    assert told["title"] == "【警告】死信过多：原始记录 raw‹b› | (warning) too many dead letters: records of raw‹b›"
    assert "10 分钟内死信 30 条；占比 10.0%，通常 0.2%" in told["body"]
    assert "30 dead letters in 10 min; share 10.0%, usually 0.2%" in told["body"]
    assert "bad＿json 28 · ＠… 2" in told["body"]


def test_empty_window_has_no_share() -> None:
    """A stream that stands still divides by nothing."""
    assert Window(NOON, 0, 0, NOON).share == 0
