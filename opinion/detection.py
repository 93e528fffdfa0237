"""The scheduler's detect and deliver jobs, wired: settings and servers on one side, `alerts` on the other.

Every run judges by the rules as they are then, so that a change needs no restart.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine

from alerts.delivery.pipeline import Deliverer
from alerts.delivery.receivers import ReceiverOptions, notifiers, receivers
from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import DEFAULT_RULES
from alerts.detection.watermark import PartitionStanding, Sighting, WatermarkLog, settled_until
from alerts.evaluate import EvaluateOptions, Run, RunCutOff, evaluate
from alerts.rendering.phone_links import PhoneLinks
from alerts.rulebook.entries import read_rules
from alerts.rulebook.merging import rulebook
from alerts.watches.platform_guard import GuardOptions
from core.addresses import is_loopback
from core.clock import Clock
from core.logs import get_logger
from core.metrics import DETECT_SECONDS
from core.settings import DetectSettings, Settings
from opinion.rules_file import RulesFile
from storage import bucket_counts, detector_states, rules
from storage.offset_ledger import next_offsets
from streams import topics
from streams.offsets import OffsetReader
from web.phone_links import path_of

log = get_logger(__name__)

ShouldStop = Callable[[], bool]

PATIENCE_SECONDS: Final = 1.0  # a round of deliveries; those of other receivers begin with the next


def detector_options(settings: DetectSettings) -> DetectorOptions:
    """The detector's own settings."""
    return DetectorOptions(
        bucket=settings.bucket,
        sensitivity=settings.sensitivity,
        learning_buckets=settings.learning_buckets,
        learning_documents=settings.learning_documents,
        min_negatives_per_hour=settings.min_negatives_per_hour,
    )


def receiver_options(settings: Settings, kafka_bootstrap: str) -> ReceiverOptions:
    """Who is told, out of the settings."""
    secret = settings.alerts.webhook_secret
    return ReceiverOptions(
        kafka_bootstrap=kafka_bootstrap,
        alert_topic=settings.kafka.topic_prefix + topics.ALERT,
        webhooks=settings.alerts.webhooks,
        apprise_urls=[url.get_secret_value() for url in settings.alerts.apprise],
        webhook_secret=secret.get_secret_value() if secret else None,
        allow_private_addresses=settings.alerts.allow_private_addresses,
        timeout_seconds=settings.alerts.timeout_seconds,
        channels=settings.alerts.channels,
        zone=settings.zone,
        phone_links=phone_links(settings),
    )


def phone_links(settings: Settings) -> PhoneLinks | None:
    """Links that open an incident without a login; none where they are switched off, or where no phone could reach
    the console."""
    lifetime = settings.alerts.phone_links
    host = urlsplit(settings.alerts.console_url).hostname or ""
    if lifetime <= timedelta(0) or is_loopback(host):
        return None
    return PhoneLinks(path_of, lifetime)


class DetectJob:
    """Looks how far the stream has come, and judges what has closed; never looks at documents but for evidence.

    Not for several threads at once. In memory are only sightings that wait to be trusted; all else is in SQL.
    """

    def __init__(
        self,
        engine: Engine,
        reader: OffsetReader,
        raw_topic: str,
        options: EvaluateOptions,
        clock: Clock,
        rules_file: RulesFile | None = None,
    ) -> None:
        """Args:
        options: its rules are not looked at; each run reads those that hold.
        rules_file: looked at before each run.
        """
        self._engine = engine
        self._reader = reader
        self._raw_topic = raw_topic
        self._options = options
        self._clock = clock
        self._rules_file = rules_file
        self._unusable: dict[str, str] = {}  # what the log has told of
        self._watermarks = WatermarkLog()
        self._done: object = None  # what the last complete run was based on

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises KafkaError or SQLAlchemyError when a server is away; the next run takes up where this one was."""
        try:
            with DETECT_SECONDS.time():
                while self._run(should_stop).is_behind and not should_stop():
                    pass
        except RunCutOff:
            log.info("detect_cut_off")
        except Exception:
            self._reader.close()  # a client that has failed may never recover by itself
            raise

    def _with_rules(self, connection: Connection) -> EvaluateOptions:
        book = rulebook(connection)
        if book.unusable != self._unusable:
            for name, cause in book.unusable.items():
                log.error("rule_unusable", rule=name, cause=cause)
            self._unusable = book.unusable
        return replace(self._options, rules=list(book.rules.values()), unusable=list(book.unusable))

    def _run(self, should_stop: ShouldStop) -> Run:
        if self._rules_file is not None:
            self._rules_file.catch_up(self._engine)
        asked_at = self._clock.now()
        standings = self._reader.standings()
        if not standings:
            return Run()  # the broker does not know the topic (yet): that is not a topic without a backlog
        with self._engine.begin() as connection:
            ledger = next_offsets(connection, self._raw_topic)
            newest = bucket_counts.newest_minutes(connection, not_after=asked_at)
            revision = rules.newest_revision(connection)
        partitions = [
            PartitionStanding(log.start, log.end, *ledger.get(partition, (None, None)))
            for partition, log in standings.items()
        ]
        self._watermarks.add(Sighting(self._clock.now(), newest))
        trusted = self._watermarks.trusted(settled_until(asked_at, partitions))
        basis = (trusted, ledger, revision)
        if trusted is None or basis == self._done:
            return Run()
        with self._engine.begin() as connection:
            detector_states.lock(connection)  # before the rules are read: who waits for it sees what they are then
            options = self._with_rules(connection)
            run = evaluate(connection, trusted.newest, options, now=self._clock.now(), should_stop=should_stop)
        self._done = None if run.is_behind else basis
        if run.transitions:
            log.info("incidents_changed", **run.transitions)
        return run


class DeliverJob:
    """Empties the outbox of what is due; a receiver that takes long is waited for beside the next rounds."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer

    def __call__(self, should_stop: ShouldStop) -> None:
        self._deliverer.run(should_stop, patience_seconds=PATIENCE_SECONDS)


def detect_job(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> DetectJob:
    """The detect job of these settings.

    Raises:
        ConfigError: the rules file cannot be used.
    """
    path = settings.detect.rules_file
    if path is not None:
        read_rules(path)  # once it runs, a bad file is only logged
    rules_file = RulesFile(path) if path is not None else None
    raw_topic = settings.kafka.topic_prefix + topics.RAW
    options = EvaluateOptions(
        rules=DEFAULT_RULES,
        clock=ClockOptions(
            detector_options(settings.detect),
            settings.detect.lateness,
            settings.detect.correction,
            settings.guards.false_buckets_per_thousand,
        ),
        receivers=receivers(receiver_options(settings, kafka_bootstrap)),
        console_url=settings.alerts.console_url,
        platform=GuardOptions(settings.guards.platform_share, settings.guards.platform_series),
        zone=settings.zone,
    )
    reader = OffsetReader(kafka_bootstrap, settings.group, raw_topic)
    return DetectJob(engine, reader, raw_topic, options, clock, rules_file)


def deliver_job(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> DeliverJob:
    """The deliver job of these settings."""
    made = notifiers(receiver_options(settings, kafka_bootstrap), clock)
    return DeliverJob(Deliverer(engine, made, attempts=settings.alerts.attempts, clock=clock))
