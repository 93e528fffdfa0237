"""Who is told: the receivers of the settings, named so that no secret shows, and a notifier for each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from urllib.parse import urlsplit

from alerts.delivery.notifiers.alertmanager import AlertmanagerNotifier
from alerts.delivery.notifiers.apprise import AppriseNotifier
from alerts.delivery.notifiers.contract import Notifier
from alerts.delivery.notifiers.dingtalk import DingtalkNotifier
from alerts.delivery.notifiers.email import EmailNotifier
from alerts.delivery.notifiers.feishu import FeishuNotifier
from alerts.delivery.notifiers.kafka import KafkaNotifier
from alerts.delivery.notifiers.pagerduty import PagerDutyNotifier
from alerts.delivery.notifiers.slack import SlackNotifier
from alerts.delivery.notifiers.webhook import WebhookNotifier
from alerts.delivery.notifiers.wecom import WecomNotifier
from alerts.rendering.phone_links import PhoneLinks
from alerts.telling import Receiver
from core.channels import ChannelSettings
from core.clock import Clock, SystemClock
from storage.notifications import Channel


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """Plain values of the settings; `webhooks` and `apprise_urls` are short forms of `channels`."""

    kafka_bootstrap: str
    alert_topic: str
    webhooks: Sequence[str] = ()
    apprise_urls: Sequence[str] = ()
    webhook_secret: str | None = None
    allow_private_addresses: bool = False
    timeout_seconds: float = 10
    channels: Sequence[ChannelSettings] = ()
    zone: tzinfo = UTC
    phone_links: PhoneLinks | None = None


def masked(channel: Channel, url: str) -> str:
    """Scheme and host of a URL with a mark that tells receivers of one host apart; path, query, user and key are
    left out, because services put their tokens there."""
    parts = urlsplit(url)
    try:
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    mark = hashlib.sha256(url.encode()).hexdigest()[:8]
    # In apprise URLs even the host may be a token: tgram://<token>/, slack://<token>/...
    place = f"{parts.scheme}://" if channel == "apprise" else f"{parts.scheme}://{host or ''}"
    return f"{place}…{mark}"


def receivers(options: ReceiverOptions) -> list[Receiver]:
    """The alert topic first, then people."""
    return [
        Receiver("kafka", options.alert_topic),
        *(Receiver("webhook", masked("webhook", url), zone=options.zone) for url in options.webhooks),
        *(
            Receiver("apprise", masked("apprise", url), zone=options.zone, phone_links=options.phone_links)
            for url in options.apprise_urls
        ),
        *(receiver_of(channel, options.zone, options.phone_links) for channel in options.channels),
    ]


def receiver_of(channel: ChannelSettings, zone: tzinfo = UTC, phone_links: PhoneLinks | None = None) -> Receiver:
    """How a channel is known in the outbox."""
    return Receiver(
        channel.type, channel.name, channel.language, channel.link_only, channel.per_minute, zone, phone_links
    )


def notifiers(options: ReceiverOptions, clock: Clock | None = None) -> dict[Receiver, Notifier]:
    """One notifier per receiver; none connects before its first message."""
    made: dict[Receiver, Notifier] = {
        Receiver("kafka", options.alert_topic): KafkaNotifier(
            options.kafka_bootstrap, options.alert_topic, timeout_seconds=options.timeout_seconds
        )
    }
    for url in options.webhooks:
        made[Receiver("webhook", masked("webhook", url))] = WebhookNotifier(
            url,
            secret=options.webhook_secret,
            allow_private=options.allow_private_addresses,
            timeout_seconds=options.timeout_seconds,
        )
    for url in options.apprise_urls:
        made[Receiver("apprise", masked("apprise", url))] = AppriseNotifier(url)
    for channel in options.channels:
        made[receiver_of(channel)] = notifier_of(channel, options, clock or SystemClock())
    return made


def notifier_of(channel: ChannelSettings, options: ReceiverOptions, clock: Clock) -> Notifier:
    """What speaks to one channel."""
    url, timeout = channel.address, options.timeout_seconds
    secret = channel.secret.get_secret_value() if channel.secret else None
    private = channel.allow_private_addresses or options.allow_private_addresses
    match channel.type:
        case "webhook":
            return WebhookNotifier(url, secret=secret, allow_private=private, timeout_seconds=timeout)
        case "alertmanager":
            return AlertmanagerNotifier(url, clock, token=secret, allow_private=private, timeout_seconds=timeout)
        case "pagerduty":
            return PagerDutyNotifier(url, routing_key=secret or "", allow_private=private, timeout_seconds=timeout)
        case "email":
            return EmailNotifier(url, clock, sender=channel.sender or "", to=channel.to, timeout_seconds=timeout)
        case "feishu":
            return FeishuNotifier(url, clock, secret=secret, allow_private=private, timeout_seconds=timeout)
        case "wecom":
            return WecomNotifier(url, allow_private=private, timeout_seconds=timeout)
        case "dingtalk":
            return DingtalkNotifier(url, clock, secret=secret, allow_private=private, timeout_seconds=timeout)
        case "slack":
            return SlackNotifier(url, allow_private=private, timeout_seconds=timeout)
        case "apprise":
            return AppriseNotifier(url)
