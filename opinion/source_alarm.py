"""The scheduler's job over sources, wired: how far each has come on one side, how far we have come on the other."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from alerts.delivery.receivers import receivers
from alerts.detection.watermark import PartitionStanding, settled_until
from alerts.watches.source_health import HealthOptions
from alerts.watches.source_watch import Look, SourceWatch
from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from opinion.detection import ShouldStop, receiver_options
from storage import bucket_counts
from storage.offset_ledger import next_offsets
from streams import topics
from streams.offsets import OffsetReader

log = get_logger(__name__)


class SourceJob:
    """Looks at every source once. Not for several threads at once; in memory is only when it looked last."""

    def __init__(
        self,
        engine: Engine,
        reader: OffsetReader,
        raw_topic: str,
        watch: SourceWatch,
        clock: Clock,
        longest_interval: timedelta,
    ) -> None:
        """Args:
        longest_interval: after a longer pause of ours, those of the sources cannot be measured.
        """
        self._engine = engine
        self._reader = reader
        self._raw_topic = raw_topic
        self._watch = watch
        self._clock = clock
        self._longest_interval = longest_interval
        self._looked_at: datetime | None = None

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises KafkaError or SQLAlchemyError when a server is away; the next run looks again."""
        asked_at = self._clock.now()
        try:
            standings = self._reader.standings()
        except Exception:
            self._reader.close()  # a client that has failed may never recover by itself
            raise
        with self._engine.begin() as connection:
            ledger = next_offsets(connection, self._raw_topic)
            settled = settled_until(
                asked_at,
                [
                    PartitionStanding(one.start, one.end, *ledger.get(partition, (None, None)))
                    for partition, one in standings.items()
                ],
            )
            if settled is None or not standings or should_stop():
                return  # nothing is known of our own backlog, so nobody can be called silent
            newest = bucket_counts.newest_minutes(connection, not_after=asked_at)
            is_measured = self._looked_at is not None and asked_at - self._looked_at <= self._longest_interval
            look = Look(newest, settled, self._looked_at if is_measured else None, asked_at)
            transitions = self._watch.run(connection, look)
        self._looked_at = asked_at
        told = {name: times for name, times in transitions.items() if name != "updated"}
        if told:
            log.info("source_incidents_changed", **told)


def source_job(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> SourceJob:
    """The job of these settings."""
    raw_topic, chosen = settings.kafka.topic_prefix + topics.RAW, settings.source_health
    options = HealthOptions(settings.zone, chosen.late, chosen.silent, chosen.quiet, chosen.watched, chosen.forgotten)
    watch = SourceWatch(options, receivers(receiver_options(settings, kafka_bootstrap)), settings.alerts.console_url)
    reader = OffsetReader(kafka_bootstrap, settings.group, raw_topic)
    return SourceJob(engine, reader, raw_topic, watch, clock, 5 * chosen.every)
