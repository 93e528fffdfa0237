"""From a message and a kind of channel to the payload in the outbox."""

from collections.abc import Mapping
from typing import Any

from alerts.rendering import alertmanager, apprise, dingtalk, email, feishu, pagerduty, slack, webhook, wecom
from alerts.rendering.contract import Evidence, Renderer, RenderOptions
from alerts.routing.grouping import Message
from storage.notifications import Channel

RENDERERS: Mapping[Channel, Renderer] = {
    "webhook": webhook.render,
    "alertmanager": alertmanager.render,
    "pagerduty": pagerduty.render,
    "email": email.render,
    "feishu": feishu.render,
    "wecom": wecom.render,
    "dingtalk": dingtalk.render,
    "slack": slack.render,
    "apprise": apprise.render,
}
"""All but the alert topic, whose events are `alerts.rendering.messages.alert_event`."""


def render(channel: Channel, message: Message, evidence: Evidence, options: RenderOptions) -> dict[str, Any]:
    """What a receiver on this channel gets. Pure, and takes any text."""
    return RENDERERS[channel](message, evidence, options)
