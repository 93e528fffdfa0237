"""What is watched, as data. `DEFAULT_RULES` hold unless a person's rule of the same name says otherwise. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from alerts.detection.detectors import DetectorOptions, Sensitivity
from alerts.detection.severity import ORDER, kept_within
from core.records import Severity

Dimension = Literal["watchlist", "source", "topic", "lang", "kind"]
Counted = Literal["negative", "total"]
Where = tuple[tuple[Dimension, tuple[str, ...]], ...]

ALERT_NAME = "NegativeSurge"
VOLUME_ALERT = "VolumeSurge"
"""Of a rule that counts all documents, whatever they say."""

RULE_ALERTS = (ALERT_NAME, VOLUME_ALERT)

DEAD_LETTER_ALERT = "DeadLetterRate"
"""Not a rule over documents but a built-in watch over records: `alerts.watches.dead_letters`."""

SOURCE_ALERT = "SourceSilence"
SOURCE_OUTAGE_ALERT = "SourceOutage"
"""Of one source, and of all or most of them at once: `alerts.watches.source_watch`."""

PLATFORM_RULE = "platform-guard"
PLATFORM_ALERT = "PlatformSurge"
"""A good part of all series at once: `alerts.watches.platform_watch`."""

CAMPAIGN_ALERT = "CopyCampaign"
"""Copies of one text surge while other voices do not: `alerts.reasons.campaign_watch`."""

DRIFT_ALERT = "SlowDrift"
"""The share of a week against the four before it, for digests: `alerts.watches.drift_watch`."""

SEVERITIES = ORDER


@dataclass(frozen=True, slots=True)
class Rule:
    """One series per combination of the values of `group_by`, among the documents that `where` lets through.

    Counted are independent voices: of documents that are copies of one another, the earliest. A rule that names the
    watchlist counts documents that mention it, negative toward it. A rule that names the source, or filters on one
    alone, follows that source's own clock, any other the clock of all sources.

    Attributes:
        where: by dimension, the values that are counted; a dimension that is not in it is not looked at.
        sensitivity, threshold, min_per_hour: None takes the settings'; a threshold stands instead of a sensitivity.
        severity_at_least, severity_at_most: what an incident is called at least and at most.
    """

    name: str
    group_by: tuple[Dimension, ...] = ()
    counted: Counted = "negative"
    where: Where = ()
    sensitivity: Sensitivity | None = None
    threshold: float | None = None
    min_per_hour: int | None = None
    severity_at_least: Severity = "info"
    severity_at_most: Severity = "critical"
    is_enabled: bool = True

    @property
    def of_watchlists(self) -> bool:
        """Whether it counts mentions of watchlists rather than documents."""
        return "watchlist" in self.group_by or "watchlist" in dict(self.where)

    @property
    def is_per_source(self) -> bool:
        return "source" in self.group_by or len(dict(self.where).get("source", ())) == 1

    def follows(self, source: str | None) -> bool:
        """Whether its series go by the clock of this source; None: by that of all sources together."""
        if source is None or not self.is_per_source:
            return source is None and not self.is_per_source
        return source in dict(self.where).get("source", (source,))

    @property
    def counts_what(self) -> str:
        """The same for two rules exactly when the same documents make the same series: what was learned holds for
        both, however sensitive they are."""
        what = json.dumps([self.group_by, self.counted, sorted(self.where)], ensure_ascii=False)
        return hashlib.sha256(what.encode()).hexdigest()[:12]

    def labels(self, key: tuple[str, ...]) -> dict[str, str]:
        """The identity of one series of this rule; a filter that lets one value through is part of it."""
        found = {"alertname": ALERT_NAME if self.counted == "negative" else VOLUME_ALERT, "rule": self.name}
        for name, values in self.where:
            if len(values) == 1:
                found[name] = values[0]
        for name, value in zip(self.group_by, key, strict=True):
            found[name] = value
        return found

    def makes(self, labels: Mapping[str, str]) -> bool:
        """Whether one of its series has these labels."""
        if not all(name in labels for name in self.group_by):
            return False
        allows = dict(self.where)
        is_let_through = all(labels[name] in allows.get(name, (labels[name],)) for name in self.group_by)
        return is_let_through and labels == self.labels(tuple(labels[name] for name in self.group_by))

    def scope(self, labels: Mapping[str, str]) -> dict[Dimension, tuple[str, ...]]:
        """The documents that one series counts: by dimension, the values that they have."""
        of_series: dict[Dimension, tuple[str, ...]] = {name: (labels[name],) for name in self.group_by}
        return dict(self.where) | of_series

    def detector(self, usual: DetectorOptions) -> DetectorOptions:
        """How this rule's series are judged, where `usual` is what the settings say."""
        if self.threshold is not None or self.sensitivity is not None:
            usual = replace(usual, threshold=self.threshold, sensitivity=self.sensitivity or usual.sensitivity)
        if self.min_per_hour is not None:
            usual = replace(usual, min_negatives_per_hour=self.min_per_hour)
        return usual

    def severity(self, found: Severity) -> Severity:
        """What an incident is called."""
        return kept_within(found, self.severity_at_least, self.severity_at_most)


DEFAULT_RULES = (
    Rule("overall"),
    Rule("by-topic", ("topic",)),
    Rule("by-source", ("source",)),
    Rule("by-watchlist", ("watchlist",)),
)


def fingerprint(labels: dict[str, str]) -> str:
    """The same labels give the same 16 hex digits, in any order and on any machine.

    The idea of Alertmanager's fingerprints (a hash over sorted label pairs), not their value.
    """
    pairs = "\x00".join(f"{name}\x01{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(pairs.encode()).hexdigest()[:16]
