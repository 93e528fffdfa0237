"""`opinion worker`: one Faust worker, as `faust -A streams.app worker` runs it."""

import os

from core.settings import load_settings
from opinion.servers import servers


def worker() -> None:
    """Run one worker in the foreground: Kafka in; rows, classified documents and dead letters out.

    The same as `faust -A streams.app worker -l warn` with the addresses of the running servers.

    Example: opinion worker
    """
    settings = load_settings()
    with servers(settings) as addresses:
        os.environ["OPINION_KAFKA_BOOTSTRAP"] = addresses.kafka_bootstrap
        os.environ["OPINION_DATABASE_URL"] = addresses.database_url
        import faust

        from streams.app import app

        faust.Worker(
            app, loglevel="warning", redirect_stdouts=False, override_logging=False
        ).execute_from_commandline()
