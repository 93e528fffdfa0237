"""The Faust app: `faust -A streams.app worker`. Built at import, because Faust's command line wants it so.

Settings of the app follow measurements of faust-streaming 0.15.3; docs/why/delivery.md tells the reasons.
"""

from collections.abc import Callable
from typing import Any

import faust
from faust.app.base import BootStrategy

from core.errors import ConfigError
from core.logs import configure_logs
from core.settings import Settings, load_settings
from streams import topics
from streams.consumer import OpinionConsumer
from streams.first_run import heal_first_run
from streams.lean_imports import bound_caches, lean_imports
from streams.stopping import leave_in_time

with lean_imports():
    from streams.worker import Worker


class _Boot(BootStrategy):  # type: ignore[misc]  # faust is not typed
    """Without Faust's web server: its command line switches that on again, on every address of the machine."""

    enable_web = False


class _App(faust.App):  # type: ignore[misc]  # faust is not typed
    BootStrategy = _Boot
    before_start: Callable[[], None]

    async def on_first_start(self) -> None:
        self.before_start()
        await super().on_first_start()


POLL_NEVER_EXPIRES = 7 * 24 * 3600.0  # a worker that waits longer than this interval would never rejoin

REBALANCE_SECONDS = 15.0
"""A rebalance waits so long for a member in the middle of a batch, and everybody stands still meanwhile. A slower
member is left out: its batch is done again, without effect, by whoever has the partition then."""


def build(settings: Settings) -> faust.App:
    """The app with its one agent.

    Raises:
        ConfigError: Kafka's or PostgreSQL's address is not set, or the watchlist file cannot be used.
    """
    if settings.kafka_bootstrap is None or settings.database_url is None:
        raise ConfigError(
            "a worker needs OPINION_KAFKA_BOOTSTRAP and OPINION_DATABASE_URL",
            remedy="`opinion up` or `opinion worker` find or start the servers themselves",
        )
    heal_first_run()
    bound_caches()
    app = _App(
        settings.group,
        env={},  # else a variable such as STREAM_WAIT_EMPTY or BROKER_MAX_POLL_INTERVAL would override what follows
        broker=[f"kafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        datadir=settings.home / "faust",
        key_serializer="raw",
        value_serializer="raw",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        broker_max_poll_interval=POLL_NEVER_EXPIRES,
        broker_commit_interval=1.0,
        stream_wait_empty=True,
        stream_buffer_maxsize=settings.worker.batch_records,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=topics.RAW_MAX_BYTES,
        worker_redirect_stdouts=False,
    )
    app.transport.Consumer = OpinionConsumer
    raw = app.topic(
        settings.kafka.topic_prefix + topics.RAW, key_serializer="raw", value_serializer="raw", value_type=bytes
    )
    worker = Worker(settings, settings.kafka_bootstrap, settings.database_url.get_secret_value())

    def before_start() -> None:
        leave_in_time()
        worker.watch()

    app.before_start = before_start

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def on_assigned(_app: faust.App, assigned: set[Any], **_: Any) -> None:
        worker.assigned(assigned)

    @app.agent(raw, name="opinion", concurrency=1)  # type: ignore[untyped-decorator]
    async def opinion(stream: Any) -> None:
        """Bytes of raw documents in; rows, classified documents and dead letters out."""
        await worker.run(stream, lambda: bool(app.should_stop))

    return app


def _from_environment() -> faust.App:
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    return build(settings)


app = _from_environment()
