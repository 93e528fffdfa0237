"""Receivers that must not be reached, and secrets that must not be seen."""

from typing import get_args

import pytest

from alerts.delivery.notifiers import dingtalk, feishu
from alerts.delivery.notifiers.apprise import AppriseNotifier
from alerts.delivery.notifiers.webhook import WebhookNotifier, sign
from alerts.delivery.pipeline import FIRST_WAIT, LONGEST_WAIT, wait_after
from alerts.delivery.receivers import ReceiverOptions, masked, notifiers, receivers
from alerts.telling import Receiver
from core.channels import ChannelSettings, ChannelType


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://[::1]/x", "http://2130706433/", "http://0x7f.1/"])
def test_webhooks_never_reach_the_inside_however_it_is_written(url: str) -> None:
    """Decimal and hexadecimal spellings of loopback are refused for good, not retried."""
    notifier = WebhookNotifier(url)
    assert notifier.send({}, "d").outcome == "permanent"
    notifier.close()


@pytest.mark.parametrize("url", ["ftp://example.com/", "file:///etc/passwd", "http://"])
def test_only_http_is_spoken(url: str) -> None:
    """Other schemes are refused."""
    notifier = WebhookNotifier(url)
    assert notifier.send({}, "d").outcome == "permanent"
    notifier.close()


def test_an_unknown_apprise_url_is_a_permanent_failure() -> None:
    """A typing error is not retried for hours."""
    assert AppriseNotifier("nosuch://x").send({"title": "", "body": "", "kind": "info"}, "d").outcome == "permanent"


def test_names_of_receivers_hold_no_secret_but_tell_them_apart() -> None:
    """Paths, queries, users, tokens and keys are left out of what is stored and logged."""
    secret = "https://user:pass@hooks.example.com/services/T0/B0/xoxb-token?key=abc"
    name = masked("webhook", secret)
    assert name.startswith("https://hooks.example.com…")
    assert not any(part in name for part in ("user", "pass", "T0", "xoxb", "abc"))
    assert name != masked("webhook", secret + "d")
    assert "bottoken" not in masked("apprise", "tgram://bottoken/chat")


def test_every_receiver_has_its_notifier() -> None:
    """What is written into the outbox finds its way out."""
    made_up = {"secret": "s", "url": "http://a/"}
    channels = [
        ChannelSettings.model_validate({"name": f"c-{kind}", "type": kind} | made_up)
        for kind in ("webhook", "alertmanager", "pagerduty", "feishu", "dingtalk")
    ]
    channels += [
        ChannelSettings.model_validate({"name": f"c-{kind}", "type": kind, "url": "http://a/"})
        for kind in ("wecom", "slack", "apprise")
    ]
    mail = {"name": "mail", "type": "email", "url": "smtp://a", "sender": "a@b", "to": ["c@d"]}
    channels.append(ChannelSettings.model_validate(mail))
    options = ReceiverOptions("localhost:9092", "opinion.alert.v1", ["http://a/"], ["json://b/"], channels=channels)
    assert {one.type for one in channels} == set(get_args(ChannelType))
    made = notifiers(options)
    assert list(made) == receivers(options)
    assert Receiver("kafka", "opinion.alert.v1") in made
    for notifier in made.values():
        notifier.close()


def test_waits_double_up_to_an_hour() -> None:
    """5 s, 10 s, 20 s and so on, never more than an hour."""
    assert [wait_after(n) / FIRST_WAIT for n in (1, 2, 3)] == [1, 2, 4]
    assert wait_after(1000) == LONGEST_WAIT


def test_waits_are_spread_by_the_delivery_and_the_same_on_every_machine() -> None:
    """What failed together is not tried again together; up to a fifth longer, never shorter."""
    waits = {wait_after(3, seed=f"d{n}") for n in range(100)}
    assert len(waits) > 50
    assert wait_after(3) <= min(waits)
    assert max(waits) < wait_after(3) * 1.2
    assert wait_after(3, seed="d1") == wait_after(3, seed="d1")


def test_signatures_are_hmac_sha256_over_the_body() -> None:
    """The test vector of RFC 4231, case 2."""
    assert sign(b"Jefe", b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_signatures_of_robots_are_those_of_openssl() -> None:
    """Vectors made with `openssl dgst -sha256 -hmac … -binary | base64`, by each service's own description."""
    assert feishu.sign("SECtopsecret", 1_700_000_000) == "XK/YF+xCi/WIvOWygp4Q8SVepwc6M/6JRjv5S6YNGdM="
    assert dingtalk.sign("SECtopsecret", 1_700_000_000_000) == "nhj/8HmYiEls16IH06j9mE0mLExFj70s8+dpIGxEQhA="
