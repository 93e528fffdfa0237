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
from opinion.console_access import access, allowed_hosts, warnings
from opinion.detection import detector_options
from opinion.explaining import ChildExplainer
from opinion.first_admin import make_first_admin
from opinion.live_streams import live_streams
from opinion.model_care import RegistryCare
from opinion.operating import BrokerOperations
from opinion.servers import kafka_address, say, servers
from opinion.supervisor import interrupt_on
from storage import app_secrets
from storage.engine import connect
from streams import topics
from streams.intake import IntakeLimits
from streams.sources.push import BrokerSink
from web.app import create_app
from web.pushing import PushLimits

POOL_SIZE = 8  # a page uses one connection; more readers at once wait a moment


def web(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
) -> None:
    """Serve the console: counts, negative share over time, incidents, documents; JSON under /api/v1.

    People log in; the first start makes `admin` and shows a one-time password. Programs send a token of
    `opinion tokens create`. It listens on this machine only, unless OPINION_WEB__HOST or --host says otherwise; then
    OPINION_WEB__ALLOWED_HOSTS names the names it is opened under.

    Example: opinion web --port 8080
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    listen = host or settings.web.host
    if settings.web.access == "open" and not is_loopback(listen) and listen != settings.web.host:
        raise UsageError(
            f"this console has no login (web.access is open), and {listen} can be reached from other machines",
            remedy=f"set OPINION_WEB__HOST={listen} if every reader there may do everything",
        )
    for line in warnings(settings, listen):
        say(line)
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
        operations = BrokerOperations(settings, engine)
        with engine.begin() as connection:
            signing_secret = app_secrets.secret(connection)
        let_in = access(settings)
        if let_in is not None:
            make_first_admin(engine)
        app = create_app(
            engine,
            timezone=settings.timezone,
            allowed_hosts=allowed_hosts(settings, listen),
            sink=document_sink(settings),
            push_limits=push_limits(settings),
            detector=detector_options(settings.detect),
            receivers=people_of(settings),
            guideline=settings.labelling.guideline,
            model_care=RegistryCare(settings, engine),
            operations=operations,
            stream=live_streams(settings, engine),
            explain=explainer,
            backfills=backfills,
            access=let_in,
            signing_secret=signing_secret,
        )
        say(f"The console is at {_url(listen, listener.getsockname()[1])} (Ctrl-C stops it).")
        proxies = settings.web.trusted_proxies
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),  # else anybody could say from where they come
            forwarded_allow_ips=proxies,
        )
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
        made = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}",
            remedy="opinion web --port 0 picks a free port",
        ) from error
    # Connections inherit it. asyncio sets it for sockets that it makes itself; without it the body of every answer
    # but the first waits some 40 ms for the acknowledgement of its head.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
