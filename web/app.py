"""Builds the console; nothing happens on import."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.staticfiles import StaticFiles

from alerts.detection.detectors import DetectorOptions
from core.clock import Clock, SystemClock
from storage.notifications import Channel
from web import errors
from web.access import Access
from web.api_document import say_who_may
from web.backfills import Backfills
from web.explaining import Explain, Explanations
from web.gate import Gate
from web.label_agreement import LabelAgreement
from web.metrics import RequestTimer
from web.model_care import ModelCare
from web.operating import Operations
from web.preferences import PreferenceSwitch
from web.pushing import DocumentSink, Pushing, PushLimits
from web.rendering import HERE, Console, environment
from web.routes import (
    account,
    api,
    audit,
    document,
    documents,
    incident_care,
    incident_forms,
    incidents,
    intake,
    label_conflicts,
    labelling,
    login,
    models,
    overview,
    people,
    phone,
    probes,
    reports,
    rule_pages,
    rules,
    silence_pages,
    silences,
    streaming,
    subscription_pages,
    subscriptions,
    watchlist_pages,
    watchlists,
)
from web.routes import (
    operations as operations_page,
)
from web.security import LOOPBACK_HOSTS, OwnHosts, SameOrigin, SecurityHeaders
from web.streaming import Streams

DEFAULT_PUSH_LIMITS = PushLimits(max_body_bytes=10_000_000, max_documents=10_000, in_flight_bytes=64_000_000)


def create_app(
    engine: Engine,
    *,
    timezone: str = "Asia/Shanghai",
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS,
    clock: Clock | None = None,
    sink: DocumentSink | None = None,
    push_limits: PushLimits = DEFAULT_PUSH_LIMITS,
    detector: DetectorOptions | None = None,
    receivers: Sequence[tuple[Channel, str]] = (),
    guideline: str = "",
    model_care: ModelCare | None = None,
    operations: Operations | None = None,
    stream: Streams | None = None,
    explain: Explain | None = None,
    backfills: Backfills | None = None,
    access: Access | None = None,
    signing_secret: bytes | None = None,
) -> FastAPI:
    """The console as an ASGI app.

    Args:
        engine: the database; may be away, then pages say so and `/readyz` answers 503.
        timezone: for the times people read.
        allowed_hosts: names that a request's Host header may carry, beside addresses. `*` lets any site whose name
            resolves to this machine read the console through its visitors' browsers (DNS rebinding).
        sink: where pushed documents go, closed when the app stops; None: this console takes none.
        push_limits: what a push may be at most.
        detector: how the scheduler judges, for trials of rules.
        receivers: channels and names of people's receivers, to say who would hear of an incident.
        guideline: version of the guideline that annotators go by.
        model_care: the registry, to promote models and to read their cards; None: the pages say what SQL knows.
        operations: the broker, for lag and dead letters; None: the pages say what SQL knows.
        stream: what `/api/v1/stream` gives, closed when the app stops; None: it answers 503.
        explain: says which words are behind a verdict; None: this console does not.
        backfills: starts backfills of watchlists; None: the console only says the command.
        access: how people log in; None: whoever reaches the console may do everything.
        signing_secret: of links that open one thing without a login; None: there are none.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if sink is not None:
            await sink.close()
        if stream is not None:
            await stream.close()

    app = FastAPI(
        title="opinion",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from a foreign host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.console = Console(engine, ZoneInfo(timezone), clock or SystemClock(), environment())
    app.state.detector = detector or DetectorOptions()
    app.state.receivers = tuple(receivers)
    app.state.guideline = guideline
    app.state.model_care = model_care
    app.state.operations = operations
    app.state.stream = stream
    app.state.explanations = Explanations(explain) if explain else None
    app.state.backfills = backfills
    app.state.label_agreement = LabelAgreement()
    app.state.access = access
    app.state.signing_secret = signing_secret
    for routes in (
        overview,
        incidents,
        incident_forms,
        phone,
        documents,
        probes,
        api,
        rules,
        watchlists,
        incident_care,
        silences,
        subscriptions,
        labelling,
        models,
        operations_page,
        streaming,
        watchlist_pages,
        rule_pages,
        silence_pages,
        subscription_pages,
        label_conflicts,
        reports,
    ):
        app.include_router(routes.router)
    for router in (document.pages, document.api):  # after all others: an id may hold slashes
        app.include_router(router)
    if access is not None:
        for routes in (login, account, people, audit):
            app.include_router(routes.router)
        app.add_middleware(Gate)
        say_who_may(app)
    if sink is not None:
        app.state.pushing = Pushing.to(sink, push_limits)
        app.include_router(intake.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    errors.install(app)
    app.add_middleware(PreferenceSwitch)
    app.add_middleware(SameOrigin)
    app.add_middleware(OwnHosts, names=allowed_hosts)
    app.add_middleware(RequestTimer)
    app.add_middleware(SecurityHeaders)  # last added, outermost: refusals carry the headers too
    return app
