"""What is watched, as data. Without any rule of a person's own, `DEFAULT_RULES` hold."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Dimension = Literal["source", "topic", "lang", "kind"]

ALERT_NAME = "NegativeSurge"
DEAD_LETTER_ALERT = "DeadLetterRate"
"""Not a rule over documents but a built-in watch over records: `alerts.dead_letters`."""

SOURCE_ALERT = "SourceSilence"
SOURCE_OUTAGE_ALERT = "SourceOutage"
"""Of one source, and of all or most of them at once: `alerts.source_watch`."""

PLATFORM_ALERT = "PlatformSurge"
"""A good part of all series at once: `alerts.platform_watch`."""

CAMPAIGN_ALERT = "CopyCampaign"
"""Copies of one text surge while other voices do not: `alerts.campaign_watch`."""

DRIFT_ALERT = "SlowDrift"
"""The share of a week against the four before it, for digests: `alerts.drift_watch`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One series per combination of the values of `group_by`; the negative documents of each are counted.

    A rule whose `group_by` names the source follows each source's own clock, any other the clock of all sources.
    """

    name: str
    group_by: tuple[Dimension, ...] = ()
    counted: Literal["negative"] = "negative"

    @property
    def is_per_source(self) -> bool:
        return "source" in self.group_by

    def labels(self, key: tuple[str, ...]) -> dict[str, str]:
        """The identity of one series of this rule."""
        return {"alertname": ALERT_NAME, "rule": self.name, **dict(zip(self.group_by, key, strict=True))}


DEFAULT_RULES = (
    Rule("overall"),
    Rule("by-topic", ("topic",)),
    Rule("by-source", ("source",)),
)


def fingerprint(labels: dict[str, str]) -> str:
    """The same labels give the same 16 hex digits, in any order and on any machine.

    The idea of Alertmanager's fingerprints (a hash over sorted label pairs), not their value.
    """
    pairs = "\x00".join(f"{name}\x01{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(pairs.encode()).hexdigest()[:16]
