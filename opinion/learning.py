"""The scheduler's learning jobs, wired: labels in, retraining, and telling the workers."""

from datetime import timedelta
from typing import Final

from kafka.errors import KafkaError
from sqlalchemy import Engine

from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from models.gate_options import GateOptions
from opinion.promotions import announce_pending
from opinion.retraining import RetrainOptions, RetrainRunningError, ShouldStop, retrain
from opinion.scheduler import Job
from opinion.shadow_job import SHADOW_EVERY, ShadowJob
from opinion.triggers import Drift, TriggerOptions, due
from streams import topics
from streams.labels import take_labels
from streams.model_files import model_store
from streams.offsets import OffsetReader

LABELS_EVERY: Final = timedelta(seconds=10)
RETRAIN_LOOK_EVERY: Final = timedelta(minutes=1)  # a few small queries, unless a run begins
ANNOUNCE_EVERY: Final = timedelta(seconds=5)  # a query by primary key, unless there is something to tell

log = get_logger(__name__)


def retrain_options(settings: Settings) -> RetrainOptions:
    """How runs are made, out of the settings."""
    return RetrainOptions(
        home=settings.home,
        checkpoint=settings.models.checkpoint,
        held_out_share=settings.retrain.held_out_share,
        epochs=settings.retrain.epochs,
        learning_rate=settings.retrain.learning_rate,
        device=settings.models.device,
        batch_tokens=settings.models.batch_tokens,
        max_length=settings.models.max_length,
        threads=settings.models.threads,
        method=settings.retrain.method,
        micro_tokens=settings.retrain.micro_tokens,
        processes=settings.retrain.processes,
        most_memory_mb=settings.retrain.most_memory_mb,
        gate=GateOptions(**settings.gate.model_dump()),
        shadow=settings.shadow,
        lateness=settings.detect.lateness,
        store=model_store(settings),
    )


def trigger_options(settings: Settings, drift: Drift | None = None) -> TriggerOptions:
    """What begins a run, out of the settings."""
    retrain = settings.retrain
    return TriggerOptions(retrain.every, retrain.min_new_labels, retrain.min_scheduled_labels, drift)


class Backlog:
    """Whether the workers are so far behind that a training should leave them the machine."""

    def __init__(self, settings: Settings, kafka_bootstrap: str) -> None:
        self._most = settings.retrain.pause_lag
        self._reader = OffsetReader(kafka_bootstrap, settings.group, settings.kafka.topic_prefix + topics.RAW)
        self._before = 0

    def grows(self) -> bool:
        """Whether more records wait than are bearable, and no fewer than at the last look. Asks the broker."""
        if not self._most:
            return False
        try:
            waiting = self._reader.lag_records()
        except KafkaError:
            return False  # a broker that is away is no reason to wait
        before, self._before = self._before, waiting
        return waiting > self._most and waiting >= before

    def close(self) -> None:
        self._reader.close()


def learning_jobs(
    settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock, drift: Drift | None = None
) -> list[Job]:
    """Take labels, retrain when there is reason to, let candidates show themselves, announce promotions that no
    broker has acknowledged."""
    triggers = trigger_options(settings, drift)
    prefix = settings.kafka.topic_prefix

    def labels(should_stop: ShouldStop) -> None:
        take_labels(
            kafka_bootstrap,
            engine,
            topic=prefix + topics.LABEL,
            dead_letter_topic=prefix + topics.LABEL_DLQ,
            should_stop=should_stop,
        )

    def announce(should_stop: ShouldStop) -> None:
        announce_pending(engine, kafka_bootstrap, prefix + topics.MODEL, store=model_store(settings))

    def run(should_stop: ShouldStop) -> None:
        now = clock.now()
        with engine.connect() as connection:
            trigger = due(connection, triggers, now)
        if trigger is None:
            return
        backlog = Backlog(settings, kafka_bootstrap)
        try:
            retrain(
                engine,
                retrain_options(settings),
                min_new_labels=1,
                now=now,
                trigger=trigger,
                should_stop=should_stop,
                should_pause=backlog.grows,
            )
        except RetrainRunningError:
            log.info("retrain_skipped", reason="another run is at work")
        finally:
            backlog.close()

    return [
        Job("labels", LABELS_EVERY, labels),
        Job("retrain", min(RETRAIN_LOOK_EVERY, settings.retrain.every), run),
        Job("shadow", SHADOW_EVERY, ShadowJob(engine, settings, clock)),
        Job("announce", ANNOUNCE_EVERY, announce),
    ]
