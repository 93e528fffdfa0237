"""Telling the workers of a new champion at once, where a broker runs."""

from collections.abc import Callable

from sqlalchemy import Engine

from core.errors import DependencyNotReadyError
from core.settings import Settings
from opinion.promotions import announce_pending
from opinion.servers import kafka_address
from streams import topics
from streams.model_files import model_store


def announce_if_possible(settings: Settings, engine: Engine, *, on_delay: Callable[[str], None]) -> bool:
    """Tell the workers now; returns False where that has to wait for the scheduler, after `on_delay` heard why."""
    bootstrap = kafka_address(settings)
    if bootstrap is None:
        on_delay("no broker runs")
        return False
    try:
        announce_pending(engine, bootstrap, settings.kafka.topic_prefix + topics.MODEL, store=model_store(settings))
    except DependencyNotReadyError as error:
        on_delay(f"not announced yet: {error.message}")
        return False
    return True
