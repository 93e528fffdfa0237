"""The Faust app: `faust -A streams.app worker`. Built at import, because Faust's command line wants it so.

Settings of the app follow measurements of faust-streaming 0.15.3; docs/why/delivery.md tells the reasons.
"""

from typing import Any

import faust
from faust.app.base import BootStrategy

from core.errors import ConfigError
from core.logs import configure_logs
from core.settings import Settings, load_settings
from streams import topics
from streams.first_run import heal_first_run
from streams.worker import Worker


class _Boot(BootStrategy):  # type: ignore[misc]  # faust is not typed
    """Without Faust's web server: its command line switches that on again, on every address of the machine."""

    enable_web = False


class _App(faust.App):  # type: ignore[misc]  # faust is not typed
    BootStrategy = _Boot


POLL_NEVER_EXPIRES = 7 * 24 * 3600.0  # a worker that waits longer than this interval would never rejoin


def build(settings: Settings) -> faust.App:
    """The app with its one agent.

    Raises:
        ConfigError: Kafka's or PostgreSQL's address is not set.
    """
    if settings.kafka_bootstrap is None or settings.database_url is None:
        raise ConfigError(
            "a worker needs OPINION_KAFKA_BOOTSTRAP and OPINION_DATABASE_URL",
            remedy="`opinion up` or `opinion worker` find or start the servers themselves",
        )
    heal_first_run()
    app = _App(
        settings.group,
        broker=[f"kafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        datadir=settings.home / "faust",
        key_serializer="raw",
        value_serializer="raw",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=60.0,
        broker_max_poll_interval=POLL_NEVER_EXPIRES,
        broker_commit_interval=1.0,
        stream_wait_empty=True,
        stream_buffer_maxsize=settings.worker.batch_records * 2,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=topics.RAW_MAX_BYTES,
        worker_redirect_stdouts=False,
    )
    raw = app.topic(
        settings.kafka.topic_prefix + topics.RAW, key_serializer="raw", value_serializer="raw", value_type=bytes
    )
    worker = Worker(settings, settings.kafka_bootstrap, settings.database_url.get_secret_value())

    @app.agent(raw, name="opinion", concurrency=1)  # type: ignore[untyped-decorator]
    async def opinion(stream: Any) -> None:
        """Bytes of raw documents in; rows, classified documents and dead letters out."""
        batches = stream.take_events(settings.worker.batch_records, within=settings.worker.batch_wait_seconds)
        await worker.run(batches, lambda: bool(app.should_stop))

    return app


def _from_environment() -> faust.App:
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    return build(settings)


app = _from_environment()
