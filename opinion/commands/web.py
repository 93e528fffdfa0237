"""`opinion web`: the console."""

import contextlib
import os
import signal
import socket
from typing import Annotated

import typer
import uvicorn

from core.addresses import is_loopback
from core.clock import SystemClock
from core.errors import UsageError
from core.logs import configure_logs
from core.settings import Settings, load_settings
from opinion.backfill_runs import BackfillRuns
from opinion.commands.who import people_of
from opinion.detection import detector_options
from opinion.explaining import ChildExplainer
from opinion.live_streams import live_streams
from opinion.model_care import RegistryCare
from opinion.operating import BrokerOperations
from opinion.servers import kafka_address, say, servers
from opinion.supervisor import interrupt_on
from storage.app_secrets import signing_secret
from storage.engine import connect
from streams import topics
from streams.intake import IntakeLimits
from streams.sources.push import BrokerSink
from web.app import create_app
from web.pushing import PushLimits
from web.security import LOOPBACK_HOSTS

POOL_SIZE = 8  # a page uses one connection; more readers at once wait a moment


def web(
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback only.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
) -> None:
    """Serve the console: counts, negative share over time, incidents, documents; JSON under /api/v1.

    Programs push documents to /api/v1/documents with a token of `opinion tokens create`. For readers the console
    has no login, so it listens on this machine only. OPINION_WEB__HOST opens it to a network.

    Example: opinion web --port 8080
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    listen = host or settings.web.host
    is_open = not is_loopback(listen)
    if is_open and listen != settings.web.host:
        raise UsageError(
            f"the console has no login, and {listen} can be reached from other machines",
            remedy=f"set OPINION_WEB__HOST={listen} if every reader there may see everything",
        )
    if is_open:
        say(f"Warning: whoever reaches {listen} can read the console and acknowledge incidents; it has no login.")
    chosen = settings.web.port if port is None else port
    interrupt_on(signal.SIGTERM)  # uvicorn hands signals back after its orderly stop; ours comes after that
    with (
        contextlib.suppress(KeyboardInterrupt),
        _listen(listen, chosen) as listener,
        servers(settings, need_kafka=False) as addresses,
    ):
        engine = connect(addresses.database_url, pool_size=POOL_SIZE)
        explainer = ChildExplainer(settings, engine)
        backfills = BackfillRuns()
        allowed = ("*",) if is_open else (*LOOPBACK_HOSTS, listen)
        operations = BrokerOperations(settings, engine)
        with engine.begin() as connection:
            secret = signing_secret(connection)
        app = create_app(
            engine,
            timezone=settings.timezone,
            allowed_hosts=allowed,
            sink=document_sink(settings),
            push_limits=push_limits(settings),
            detector=detector_options(settings.detect),
            receivers=people_of(settings),
            guideline=settings.labelling.guideline,
            model_care=RegistryCare(settings, engine),
            operations=operations,
            streams=live_streams(settings, engine),
            explain=explainer,
            backfills=backfills,
            signing_secret=secret,
        )
        say(f"The console is at {_url(listen, listener.getsockname()[1])} (Ctrl-C stops it).")
        config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, server_header=False)
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            operations.close()
            explainer.close()
            backfills.close()
            engine.dispose()


def document_sink(settings: Settings) -> BrokerSink:
    """Where pushed documents go: the raw topic of the broker that is configured or running by then."""
    return BrokerSink(
        lambda: kafka_address(settings),
        settings.kafka.topic_prefix + topics.RAW,
        IntakeLimits.of(settings),
        SystemClock(),
        answer_seconds=settings.push.answer_seconds,
    )


def push_limits(settings: Settings) -> PushLimits:
    """What a push may be at most."""
    push = settings.push
    return PushLimits(push.max_body_bytes, push.max_documents, push.in_flight_bytes)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}",
            remedy="opinion web --port 0 picks a free port",
        ) from error


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
