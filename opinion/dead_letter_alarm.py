"""The scheduler's dead-letter job, wired: the ledger on one side, the dead-letter topic for evidence on the other."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from alerts.delivery.receivers import receivers
from alerts.detection.watermark import PartitionStanding, settled_until
from alerts.rendering.excerpts import excerpt
from alerts.watches.dead_letters import DeadLetterOptions, DeadLetterWatch
from core.clock import Clock
from core.errors import DependencyNotReadyError
from core.logs import get_logger
from core.settings import Settings
from opinion.detection import ShouldStop, receiver_options
from storage.offset_ledger import next_offsets
from streams import dead_letter_topic, topics
from streams.dead_letter_topic import Span
from streams.offsets import OffsetReader

log = get_logger(__name__)

EXAMINED_LETTERS = 200  # the newest ones, for their reasons
EXAMPLES = 3


class DeadLetterJob:
    """Judges the minutes that have been settled since the last run. Not for several threads at once."""

    def __init__(self, engine: Engine, reader: OffsetReader, watch: DeadLetterWatch, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._watch = watch
        self._clock = clock

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises KafkaError or SQLAlchemyError when a server is away; the next run takes up where this one was."""
        asked_at = self._clock.now()
        try:
            standings = self._reader.standings()
        except Exception:
            self._reader.close()  # a client that has failed may never recover by itself
            raise
        with self._engine.begin() as connection:
            ledger = next_offsets(connection, self._watch.topic)
            settled = settled_until(
                asked_at,
                [
                    PartitionStanding(log_.start, log_.end, *ledger.get(partition, (None, None)))
                    for partition, log_ in standings.items()
                ],
            )
            if settled is None or not standings or should_stop():
                return  # a broker that does not know the topic (yet) says nothing about its backlog
            transitions = self._watch.run(connection, settled, now=self._clock.now())
        if transitions:
            log.info("dead_letter_incidents_changed", **transitions)


@dataclass(frozen=True, slots=True)
class Examination:
    """Reads the newest letters of a dead-letter topic. What cannot be read must not keep the alert back."""

    bootstrap: str
    topic: str

    def __call__(self) -> dict[str, Any]:
        """`reasons`: how many of the newest letters for each; `letters`: a few of them."""
        try:
            with dead_letter_topic.opened(self.bootstrap, self.topic) as letters:
                spans = letters.spans()
                each = max(1, EXAMINED_LETTERS // max(1, len(spans)))
                newest = {n: Span(max(span.start, span.end - each), span.end) for n, span in spans.items()}
                reasons: Counter[str] = Counter()
                examples: list[dict[str, str]] = []
                for letter in letters.read(newest):
                    reasons[excerpt(letter.reason, 40)] += 1
                    detail = letter.error.get("exception.message", "")
                    examples.append({"id": letter.id, "reason": letter.reason, "detail": excerpt(detail)})
                    del examples[:-EXAMPLES]
        except DependencyNotReadyError as error:
            log.warning("dead_letters_not_examined", reason=str(error))
            return {"reasons": [], "letters": []}
        counted = [{"name": name, "count": count} for name, count in reasons.most_common()]
        return {"reasons": counted, "letters": examples}


def dead_letter_job(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> DeadLetterJob:
    """The dead-letter job of these settings."""
    prefix, chosen = settings.kafka.topic_prefix, settings.alerts.dead_letters
    watch = DeadLetterWatch(
        topic=prefix + topics.RAW,
        options=DeadLetterOptions(chosen.window, chosen.share, chosen.min_records),
        receivers=receivers(receiver_options(settings, kafka_bootstrap)),
        console_url=settings.alerts.console_url,
        examine=Examination(kafka_bootstrap, prefix + topics.RAW_DLQ),
    )
    return DeadLetterJob(engine, OffsetReader(kafka_bootstrap, settings.group, watch.topic), watch, clock)
