"""The scheduler's tell job, wired: what has become due since the last change (the end of quiet hours or of a silence,
reminders, escalations, digests) goes into the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from alerts.delivery.receivers import receivers
from alerts.digesting import tell_digests
from alerts.telling import Receiver, tell_people
from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from opinion.detection import ShouldStop, receiver_options
from storage import detector_states

log = get_logger(__name__)

ACTOR: Final = "router"
TELL_EVERY: Final = timedelta(seconds=5)  # so late, at most, comes what is due by the clock


@dataclass(frozen=True, slots=True)
class TellJob:
    """Looks what people have to hear by now. All it knows is in SQL, and one scheduler at a time looks."""

    engine: Engine
    receivers: Sequence[Receiver]
    console_url: str
    clock: Clock

    def __call__(self, should_stop: ShouldStop) -> None:
        if all(receiver.channel == "kafka" for receiver in self.receivers):
            return
        with self.engine.begin() as connection:
            detector_states.lock(connection)
            now = self.clock.now()
            told = tell_people(connection, self.receivers, console_url=self.console_url, actor=ACTOR, now=now)
            digests = tell_digests(connection, self.receivers, console_url=self.console_url, now=now)
        if told or digests:
            log.info("people_told", messages=told, digests=digests)


def tell_job(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> TellJob:
    """The tell job of these settings."""
    return TellJob(engine, receivers(receiver_options(settings, kafka_bootstrap)), settings.alerts.console_url, clock)
