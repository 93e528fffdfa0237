"""`/operations`: whether the pipeline keeps up, what it refused, and how its parts are doing.

The page reads SQL alone, so that it is there when the broker is not; lag and dead letters are asked from the broker
in parts of their own.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, RedirectResponse

from core.errors import OpinionError
from core.metrics import REJECT_REASONS
from core.windows import MINUTE, floor_to
from storage import (
    audit_rounds,
    dead_letter_counts,
    feeds,
    job_runs,
    late_changes,
    notifications,
    offset_ledger,
    partition_sizes,
    queries,
    receiver_states,
    scheduler_lease,
    worker_models,
)
from storage.dead_letter_counts import Fates
from web.database import Reading
from web.forms import Form
from web.operating import LetterTopic, Operations
from web.problems import Problem, ProblemError, problem_of
from web.rendering import console_of, page
from web.roles import Admin, Analyst
from web.view import Name

BARS = 60
SPAN = timedelta(hours=1)
SOURCES = 100
MOST_AT_ONCE = 1000  # letters that one press of a button puts back: a page has to answer

LetterId = Annotated[str, Path(pattern=r"^\d{1,9}:\d{1,18}$")]
Reason = Annotated[str | None, Query(max_length=40)]
Answer = TypeVar("Answer")

router = APIRouter(include_in_schema=False)


@router.get("/operations")
def operations(request: Request, connection: Reading) -> HTMLResponse:
    """The page."""
    console = console_of(request)
    now = console.clock.now()
    topics = sorted({topic for topic, _ in offset_ledger.partitions(connection)})
    minutes = throughput(connection, topics, now)
    return page(
        request,
        "operations.html",
        has_broker=broker_of(request) is not None,
        minutes=minutes,
        most=max((one.records for _, one in minutes), default=0),
        hour=_sum([one for _, one in minutes]),
        day=_sum([dead_letter_counts.total(connection, topic, now - timedelta(days=1), now) for topic in topics]),
        freshness=queries.freshness(connection),
        workers=worker_models.alive(connection),
        sources=queries.source_health(connection, SOURCES),
        feeds=feeds.states(connection),
        scheduler=scheduler_lease.holder(connection),
        jobs=job_runs.known(connection),
        outbox=notifications.backlog(connection),
        receivers=receiver_states.all_states(connection),
        audits={topic: audit_rounds.load_state(connection, topic) for topic in topics},
        months=partition_sizes.months(connection),
        database_bytes=partition_sizes.database_bytes(connection),
        documents_before=late_changes.expired_before(connection),
        unit_of=unit_of,
    )


@router.get("/operations/backlog")
def backlog(request: Request) -> HTMLResponse:
    """How far the workers are behind, on each partition."""
    found, problem = _asked(request, lambda broker: broker.backlog())
    return page(request, "backlog.html", backlog=found, problem=problem)


@router.get("/operations/letters")
def letters(
    request: Request,
    topic: LetterTopic = "raw",
    reason: Reason = None,
    sent: Annotated[int | None, Query(ge=0)] = None,
    already: Annotated[int, Query(ge=0)] = 0,
    refused: Annotated[int, Query(ge=0)] = 0,
    objection: Name = None,
) -> HTMLResponse:
    """The newest dead letters, by reason, with what putting some back came to."""
    chosen = reason if reason in REJECT_REASONS else None
    found, problem = _asked(request, lambda broker: broker.letters(topic, chosen))
    return page(
        request,
        "letters.html",
        topic=topic,
        reason=chosen,
        letters=found,
        problem=problem,
        most_at_once=MOST_AT_ONCE,
        done={"sent": sent, "already": already, "refused": refused} if sent is not None else None,
        objection=objection,
    )


@router.get("/operations/letters/{topic}/{letter_id}")
def letter(request: Request, person: Analyst, topic: LetterTopic, letter_id: LetterId) -> HTMLResponse:
    """One dead letter, everything unprintable in it escaped. It may hold what retention or erasure took elsewhere, so
    it is for analysts."""
    found, problem = _asked(request, lambda broker: broker.letter(topic, letter_id))
    return page(request, "letter.html", topic=topic, letter=found, problem=problem)


@router.post("/operations/letters/{topic}/redrive")
def redrive(request: Request, person: Admin, topic: LetterTopic, form: Form) -> RedirectResponse:
    """Put back one letter (`only`), those of a `reason`, or all: at most `MOST_AT_ONCE`."""
    only, reason = form.get("only") or None, form.get("reason") or None
    broker = broker_of(request)
    if broker is None:
        raise ProblemError(Problem(503, "no_broker"))
    try:
        result = broker.redrive(topic, only=only, reason=reason, most=MOST_AT_ONCE)
    except OpinionError as error:
        raise ProblemError(problem_of(error)) from error
    return RedirectResponse(
        str(
            request.url_for("letters").include_query_params(
                topic=topic,
                sent=result.sent,
                already=result.already,
                refused=result.refused,
                **({"reason": reason} if reason else {}),
                **({"objection": result.objection[:300]} if result.objection else {}),
            )
        ),
        status_code=303,
    )


def broker_of(request: Request) -> Operations | None:
    """None: this console has no broker."""
    broker: Operations | None = request.app.state.operations
    return broker


def unit_of(seconds: float) -> tuple[str, str]:
    """The largest unit that a length is a multiple of, as the key of its name, and how many."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length and seconds % length == 0:
            return f"every.{unit}", f"{seconds / length:g}"
    return "every.seconds", f"{seconds:g}"


def throughput(connection: Connection, topics: list[str], now: datetime) -> list[tuple[datetime, Fates]]:
    """Records by minute of their own Kafka time, over the last hour; the minute that is not over is left out."""
    end = floor_to(now, MINUTE)
    counted: dict[datetime, Fates] = {}
    for topic in topics:
        for minute, fates in dead_letter_counts.by_minute(connection, topic, end - SPAN, end).items():
            counted[minute] = _sum([fates, counted.get(minute, Fates(0, 0))])
    starts = [end - SPAN + n * MINUTE for n in range(BARS)]
    return [(start, counted.get(start, Fates(0, 0))) for start in starts]


def _sum(fates: list[Fates]) -> Fates:
    return Fates(sum(one.records for one in fates), sum(one.dead_lettered for one in fates))


def _asked(request: Request, ask: Callable[[Operations], Answer]) -> tuple[Answer | None, OpinionError | None]:
    """The broker's answer, or what is to be said instead of it."""
    broker = broker_of(request)
    if broker is None:
        return None, None
    try:
        return ask(broker), None
    except OpinionError as error:
        return None, error
