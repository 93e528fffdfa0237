"""What each kind of channel is sent: golden payloads, hostile texts, limits, languages."""

import base64
import html
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rendering import webhook
from alerts.rendering.contract import Language, RenderOptions
from alerts.rendering.excerpts import excerpt
from alerts.rendering.renderers import RENDERERS, render
from alerts.routing.grouping import Message
from storage.erasure import without_documents
from storage.notifications import Channel
from tests.unit.alerts.test_grouping import NOON, incident

GOLDEN = Path(__file__).parent / "golden"
OPTIONS = RenderOptions("ops", "https://console.example/", zone=ZoneInfo("Asia/Shanghai"))
CHAT: tuple[Channel, ...] = ("feishu", "wecom", "dingtalk", "slack", "email", "apprise", "pagerduty")
HOSTILE = (
    "@all @everyone <!channel> <!here> <@U123> <at id=all></at> <at user_id=\"all\">所有人</at>",
    "[点我](https://evil.example) ![](http://evil.example/x.png) <https://evil.example|bank>",
    "<script>alert(1)</script> <img src=x onerror=alert(1)> &lt;b&gt; &amp; \"'",
    "*bold* _it_ ~no~ `code` # head | cell \\ back > quote",
    "\u202eabc\u202c\u200b\u200d\u2066x\u2069\ufeff zero\u200bwidth",
    "很" * 10_000,
    "😀👩‍👩‍👧‍👦🇨🇳" * 2_000,
    "\r\nSubject: injected\r\nBcc: a@example.org\n\n--x",
    "\x00\x1b[31mred\ud7ff",
)  # fmt: skip


def surge(text: str = "刹车失灵，4S 店不管", source: str = "weibo", **changes: Any) -> tuple[Message, dict[int, Any]]:
    row = incident(
        7,
        {"topic": "automobile", "source": source},
        annotations={
            "summary": "x",
            "summary_zh": "话题 汽车：60 分钟内负面 40 条，通常约 5.0 条",
            "summary_en": "topic automobile: 40 negative in 60 min, usually about 5.0",
        },
        **changes,
    )
    body = {
        "since": NOON.isoformat(),
        "drivers": {
            "cluster": [{"name": text, "negative": 1, "total": 1, "usual": 0, "excess": 1, "copies": 49}],
            "source": [{"name": source, "negative": 40, "total": 50, "usual": 12.5, "excess": 27.52}],
            "topic": [{"name": "automobile", "negative": 30, "total": 50, "usual": 12.5, "excess": 17.5}],
        },
        "counterfactual": [
            {"dimension": "topic", "name": "automobile", "would_fire": True, "score": 9.0, "threshold": 7.1},
            {"dimension": "source", "name": source, "would_fire": False, "score": 0.3, "threshold": 7.1},
        ],
        "documents": [
            {"id": "a", "text": excerpt(text), "source": source, "carriers": 50},
            {"id": "b", "text": "退货 <无门> & 客服不理", "source": "forum"},
        ],
    }
    return Message(row.status, [row]), {7: body}


def strings(value: Any) -> list[str]:
    """Every text of a payload."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def size_of(channel: Channel, payload: dict[str, Any]) -> tuple[int, int]:
    """How much of the target's limit it takes, and the limit."""
    whole = len(msgspec.json.encode(payload))
    match channel:
        case "wecom":
            return len(payload["markdown"]["content"].encode()), 4096
        case "dingtalk" | "feishu":
            return whole, 20_000
        case "slack":
            return max(len(block["text"]["text"]) for block in payload["blocks"]), 3000
        case "apprise":
            return len(payload["body"]), 3500
        case "pagerduty":
            return whole, 512_000
    return whole, 256_500


@pytest.mark.parametrize("channel", RENDERERS)
@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_payloads_are_the_golden_ones(channel: Channel, status: str) -> None:
    """What a target is sent changes only on purpose; REWRITE_GOLDEN=1 writes the files anew."""
    ended: dict[str, Any] = (
        {"status": "resolved", "ends_at": NOON + timedelta(hours=1)} if status == "resolved" else {}
    )
    message, evidence = surge(**ended)
    path = GOLDEN / f"{channel}.{status}.json"
    made = json.dumps(render(channel, message, evidence, OPTIONS), ensure_ascii=False, indent=1) + "\n"
    if "REWRITE_GOLDEN" in os.environ:
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8")


def check_harmless(channel: Channel, payload: dict[str, Any]) -> None:
    """Nothing in it mentions, formats, links or leads anywhere but to the console."""
    for text in strings(payload):
        assert not set("\x00\x1b\r\u202e\u200b\u2066\ufeff") & set(text)
    if channel == "email":
        page = payload["html"]
        assert not set(re.findall(r"<(\w+)", page)) - {
            "doctype", "html", "head", "meta", "body", "h2", "p", "a", "img",
        }  # fmt: skip
        assert re.findall(r"(?:href|src)=\"([^\"]*)\"", page) == ["https://console.example/incidents/7"]
        assert re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", page)) is None
        assert "\n" not in payload["subject"]
        return
    said = "\n".join(strings(payload)).replace("https://console.example/incidents/7", "")
    assert "://" not in said.replace("https://console.example", "")
    if channel == "slack":
        assert re.findall(r"<[^|>]*", said) == ["<"]  # the link to the console, taken out above
        assert "@" not in said
        return
    if channel in ("webhook", "alertmanager"):
        return  # a machine's labels and annotations, nobody's markup
    own = re.sub(r'</?font(?: color="\w+")?>|\[(?:查看|Open|查看 / Open)\]', "", said)
    assert not set("<`@[]") & set(own)
    assert own.count("*") == (4 if channel == "wecom" else 0)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("channel", CHAT)
def test_crawled_text_is_text_on_every_channel(channel: Channel, text: str) -> None:
    """Mentions, links, markup, direction marks and line breaks of a document mean nothing to whoever shows it."""
    message, evidence = surge(text, source=text[:500])
    payload = render(channel, message, evidence, OPTIONS)
    check_harmless(channel, payload)
    size, limit = size_of(channel, payload)
    assert size <= limit


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=60), st.sampled_from(CHAT), st.sampled_from(get_args(Language)))
def test_any_text_can_be_rendered(text: str, source: str, channel: Channel, language: Language) -> None:
    """No text raises, breaks the encoding or becomes markup."""
    message, evidence = surge(text, source=source)
    options = RenderOptions("ops", "https://console.example", language)
    payload = render(channel, message, evidence, options)
    json.dumps(payload, ensure_ascii=False).encode()
    check_harmless(channel, payload)


@pytest.mark.parametrize("channel", RENDERERS)
def test_a_flood_of_members_stays_within_the_limit(channel: Channel) -> None:
    """A thousand incidents, long texts in four-byte characters: whole lines are left out, headline and link stay."""
    long = {"summary_zh": "😀" * 500, "summary_en": "x" * 900}
    members = [incident(n, {"source": f"{n}" + "界" * 200}, annotations=long) for n in range(1, 1001)]
    body = {1: {"documents": [{"id": str(n), "text": "😀" * 279, "source": "源" * 90} for n in range(30)]}}
    payload = render(channel, Message("firing", members), body, OPTIONS)
    size, limit = size_of(channel, payload)
    if channel not in ("alertmanager", "email"):  # sent in pieces; no limit
        assert size <= limit
    if channel != "email":
        assert any("https://console.example/incidents/1" in text for text in strings(payload))


def test_a_webhook_says_how_many_alerts_it_left_out() -> None:
    """`truncatedAlerts` of Alertmanager's body counts what did not fit."""
    members = [incident(n, annotations={"summary": "界" * 300}) for n in range(1, 1001)]
    payload = webhook.render(Message("firing", members), {}, OPTIONS)
    assert len(msgspec.json.encode(payload)) < webhook.MOST_BYTES + 1000
    assert 0 < len(payload["alerts"]) < 1000
    assert payload["truncatedAlerts"] == 1000 - len(payload["alerts"])


@pytest.mark.parametrize("channel", RENDERERS)
def test_a_link_only_channel_gets_nothing_that_was_crawled(channel: Channel) -> None:
    """Kind, severity and where to look; no source, no topic, no text, no figure."""
    message, evidence = surge("geheimnis", source="quelle", ends_at=None)
    payload = render(channel, message, evidence, RenderOptions("ops", "https://console.example", link_only=True))
    said = json.dumps(payload, ensure_ascii=False)
    assert not any(
        word in said for word in ("geheimnis", "quelle", "automobile", "汽车", "forum", "负面 40", "40 negative")
    )
    assert "https://console.example/incidents/7" in said


@pytest.mark.parametrize("channel", CHAT)
def test_each_language_alone_and_both(channel: Channel) -> None:
    """`zh` has no English prose, `en` no Chinese but the quotes, `both` has both."""
    message, evidence = surge()
    said = {
        language: json.dumps(
            render(channel, message, evidence, RenderOptions("ops", "https://c", language)), ensure_ascii=False
        )
        for language in get_args(Language)
    }
    assert "负面舆情激增" in said["zh"]
    assert "negative surge" not in said["zh"]
    assert "negative surge" in said["en"]
    assert "负面" not in said["en"]
    assert "负面舆情激增" in said["both"]
    assert "negative surge" in said["both"]


@pytest.mark.parametrize("channel", CHAT)
def test_an_erased_document_can_be_taken_out_of_every_payload(channel: Channel) -> None:
    """Its quote stands on a line of its own and is found through the target's escapes; the other quote stays."""
    text = '<b>李雷</b> & 韩梅梅 *说* [链接](http://x) "刹车" 失灵, it\'s _bad_ @all ~ # | \\ 完'
    message, evidence = surge(text)
    payload = render(channel, message, evidence, OPTIONS)
    quote = evidence[7]["documents"][0]["text"][:60]
    left = json.dumps(without_documents(payload, {"a"}, {quote}), ensure_ascii=False)
    assert "李雷" in json.dumps(payload, ensure_ascii=False)
    assert "李雷" not in left
    assert "客服不理" in left


def test_examples_say_how_many_others_carry_them() -> None:
    """In the receiver's language, on the line of the quote."""
    message, evidence = surge()
    both = render("apprise", message, evidence, OPTIONS)["body"].split("\n")
    assert "“刹车失灵，4S 店不管” — weibo（另有 49 篇转载 / carried by 49 others）" in both
    evidence[7]["documents"][0]["carriers"] = 2
    english = render("apprise", message, evidence, RenderOptions("ops", "https://c", "en"))["body"]
    assert "（carried by 1 other）" in english


def test_a_picture_goes_into_the_mail_and_never_into_a_link_only_one() -> None:
    """The HTML shows what is attached, and nothing else."""
    message, evidence = surge()
    shown = render("email", message, evidence, RenderOptions("ops", "https://c", picture=b"png"))
    assert base64.b64decode(shown["picture"]) == b"png"
    assert 'src="cid:chart"' in shown["html"]
    hidden = render("email", message, evidence, RenderOptions("ops", "https://c", link_only=True, picture=b"png"))
    assert hidden["picture"] is None
    assert "cid:" not in hidden["html"]


def test_pagerduty_ends_whatever_any_member_may_have_opened() -> None:
    """The incident that leads when all is over need not be the one that led when it began."""
    rows = [incident(n, status="resolved", ends_at=NOON) for n in (1, 2)]
    opened = render("pagerduty", Message("firing", [incident(2)]), {}, OPTIONS)["events"]
    ended = render("pagerduty", Message("resolved", rows), {}, OPTIONS)["events"]
    assert [event["event_action"] for event in opened] == ["trigger"]
    assert opened[0]["dedup_key"] in {event["dedup_key"] for event in ended}
    assert {event["event_action"] for event in ended} == {"resolve"}


def test_html_shows_the_text_as_it_was() -> None:
    """Escaped for the page, not replaced: a mail client shows what people wrote."""
    message, evidence = surge('<无门> & "退货"')
    page = render("email", message, evidence, OPTIONS)["html"]
    assert '“<无门> & "退货"”' in html.unescape(page)


@pytest.mark.parametrize("channel", RENDERERS)
def test_an_incident_without_prose_or_evidence_can_be_told(channel: Channel) -> None:
    """A new kind of alert, evidence that was erased: the message still names the rule and links to it."""
    row = incident(7, labels={"alertname": "Unheard", "rule": "r"}, annotations={})
    said = json.dumps(render(channel, Message("firing", [row]), {}, OPTIONS), ensure_ascii=False)
    assert "incidents/7" in said
