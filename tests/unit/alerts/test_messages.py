"""What receivers read."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alerts.evidence import excerpt
from alerts.grouping import Message
from alerts.messages import MOST_TEXT_CHARS, alert_event, delivery_id, plain_text, webhook_body
from core.records import AlertEvent
from tests.unit.alerts.test_grouping import NOON, incident

HOSTILE = "<script>alert(1)</script> @everyone [click](http://evil) `x` *b*\x1b[31m\u202e\x00 <!channel>"


def evidence(text: str = "刹车失灵") -> dict[str, object]:
    return {"documents": [{"id": "a", "text": excerpt(text), "source": "weibo"}]}


def test_excerpts_are_one_visible_line() -> None:
    """Control and direction characters cannot reach a terminal or turn a message around."""
    assert excerpt("a\x1b[31m\u202eb\n\n c\u2028d\x00") == "a [31m b c d"
    assert excerpt("很" * 400) == "很" * 279 + "…"


def test_crawled_text_cannot_be_markup_or_a_mention() -> None:
    """Nothing that HTML, Markdown or a chat service reads specially is left of it."""
    row = incident(1, {"source": "<b>@all</b>"}, annotations={"summary_zh": HOSTILE, "summary_en": "x"})
    sent = plain_text(Message("firing", [row]), {1: evidence(HOSTILE)}, console_url="http://console")
    text = sent["title"] + sent["body"]
    assert not set("<>`@*[]\x1b\u202e\x00") & set(text)
    assert "http://console/incidents/1" in sent["body"]


@pytest.mark.parametrize(
    ("carriers", "said"),
    [
        (50, "“刹车失灵” — weibo（另有 49 篇转载 / carried by 49 others）"),
        (2, "“刹车失灵” — weibo（另有 1 篇转载 / carried by 1 other）"),
        (1, "“刹车失灵” — weibo"),
        (None, "“刹车失灵” — weibo"),  # frozen before there were carriers
    ],
)
def test_an_example_says_how_many_others_carry_it(carriers: int | None, said: str) -> None:
    """In both languages, on the line of its text: whoever erases the text erases the line."""
    document = {"id": "a", "text": "刹车失灵", "source": "weibo"} | ({"carriers": carriers} if carriers else {})
    sent = plain_text(Message("firing", [incident(1)]), {1: {"documents": [document]}}, console_url="http://console")
    assert said in sent["body"].split("\n")


def test_a_text_says_the_same_in_chinese_and_english_and_is_bounded() -> None:
    """Both languages, the severity, and at most what the smallest chat service takes."""
    long = [
        incident(n, {"topic": "sports"}, annotations={"summary_zh": "很" * 300, "summary_en": "x" * 300})
        for n in range(30)
    ]
    sent = plain_text(Message("firing", long), {}, console_url="http://console")
    assert "体育" in sent["title"]
    assert "negative surge" in sent["title"]
    assert len(sent["body"]) <= MOST_TEXT_CHARS


def test_the_webhook_body_is_alertmanagers_version_4() -> None:
    """Receivers written for Alertmanager find every field they know."""
    rows = [incident(1, {"topic": "sports"}), incident(2, severity="critical")]
    body = webhook_body(Message("firing", rows), receiver="ops", console_url="http://console/")
    assert set(body) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
        "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert body["version"] == "4"
    assert body["commonLabels"] == {"alertname": "NegativeSurge", "rule": "overall"}
    first = body["alerts"][0]
    assert first["labels"]["severity"] == "warning"
    assert (first["startsAt"], first["endsAt"]) == ("2026-03-10T12:00:00Z", "0001-01-01T00:00:00Z")
    assert first["generatorURL"] == "http://console/incidents/1"


def test_the_alert_event_is_the_documented_record() -> None:
    """What goes to the alert topic decodes as `AlertEvent`."""
    ended = incident(1, status="resolved", ends_at=NOON + timedelta(hours=1))
    event = msgspec.convert(alert_event(ended, "resolved", {"a": 1}, delivery="d"), AlertEvent)
    assert event.ends_at == datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
    assert msgspec.convert(alert_event(ended, "firing", {}, delivery="d"), AlertEvent).ends_at is None


def test_delivery_ids_are_stable_and_tell_receivers_apart() -> None:
    """The same parts give the same id on any machine; another receiver another."""
    assert delivery_id("f", NOON, "opened", "a") == delivery_id("f", NOON, "opened", "a")
    assert delivery_id("f", NOON, "opened", "a") != delivery_id("f", NOON, "opened", "b")


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_the_kind_follows_the_status(status: str) -> None:
    """Services that colour messages show the end in green."""
    sent = plain_text(Message(status, [incident(1)]), {}, console_url="")  # type: ignore[arg-type]
    assert sent["kind"] == ("warning" if status == "firing" else "success")
