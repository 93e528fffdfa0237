"""The scheduler's learning jobs, wired: labels in, retraining, and telling the workers."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from core.clock import Clock
from core.logs import get_logger
from core.settings import Settings
from opinion.promotions import announce_pending
from opinion.retraining import RetrainOptions, RetrainRunningError, ShouldStop, retrain
from opinion.scheduler import Job
from streams import topics
from streams.labels import take_labels
from streams.model_files import model_store

LABELS_EVERY: Final = timedelta(seconds=10)
ANNOUNCE_EVERY: Final = timedelta(seconds=5)  # a query by primary key, unless there is something to tell

log = get_logger(__name__)


def retrain_options(settings: Settings) -> RetrainOptions:
    """How runs are made, out of the settings."""
    return RetrainOptions(
        home=settings.home,
        checkpoint=settings.models.checkpoint,
        held_out_share=settings.retrain.held_out_share,
        tolerance=settings.retrain.tolerance,
        epochs=settings.retrain.epochs,
        learning_rate=settings.retrain.learning_rate,
        device=settings.models.device,
        batch_tokens=settings.models.batch_tokens,
        max_length=settings.models.max_length,
        threads=settings.models.threads,
        store=model_store(settings),
    )


def learning_jobs(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> list[Job]:
    """Take labels, retrain when enough have come, announce promotions that no broker has acknowledged."""
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
        try:
            retrain(
                engine,
                retrain_options(settings),
                min_new_labels=settings.retrain.min_new_labels,
                now=clock.now(),
                should_stop=should_stop,
            )
        except RetrainRunningError:
            log.info("retrain_skipped", reason="another run is at work")

    return [
        Job("labels", LABELS_EVERY, labels),
        Job("retrain", settings.retrain.every, run),
        Job("announce", ANNOUNCE_EVERY, announce),
    ]
