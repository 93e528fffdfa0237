"""`POST /api/v1/documents`: documents from programs that do not speak Kafka.

Every document is checked as a worker would; the good ones are on the topic when the answer comes, the others are
named in it. A request may be repeated whole: what is there already has no effect, so no idempotency key is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from core.errors import DependencyNotReadyError, RecordRejected
from core.metrics import PUSHED
from core.records import schemas
from web.auditing import ChangesNothing
from web.bodies import JSON, NDJSON, Numbered, read_documents
from web.errors import ErrorAnswer
from web.problems import Problem, ProblemError
from web.pushing import Pushing
from web.tokens import needs

AWAY_SECONDS = 5  # so soon a request that the broker did not take may be sent again


@dataclass(frozen=True, slots=True)
class PushedDocument:
    """What became of one document.

    Attributes:
        place: its index in the array, or its line of NDJSON, counted from 1; 0 for a single object.
        id: under which it was taken; null if it was not.
        reason, detail: why it was refused; null if it was taken.
    """

    place: int
    id: str | None
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """How many documents were taken and refused, and each of them in the order of the body."""

    accepted: int
    refused: int
    documents: list[PushedDocument]


def _document_schema() -> dict[str, Any]:
    """What a document may look like, with the definitions it needs in itself. More than this is not refused here."""
    known = schemas()
    document = {name: value for name, value in known["Document"].items() if name != "title"}
    fields = dict(document["properties"])
    fields["metrics"] = known["Metrics"] | {"title": "Metrics"}
    return {"type": "object", "properties": fields, "required": ["text"]}


_DOCUMENT = _document_schema()
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "description": "One document, an array, or one document a line. `Content-Encoding: gzip` may be used.",
    "content": {
        JSON: {"schema": {"anyOf": [_DOCUMENT, {"type": "array", "items": _DOCUMENT, "minItems": 1}]}},
        NDJSON: {"schema": {"type": "string", "description": "One JSON object a line."}},
    },
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    207: {"model": PushAnswer, "description": "Some documents were taken, the others are named with the reason."},
    422: {"model": PushAnswer, "description": "No document can be taken; each is named with the reason."},
    400: {"model": ErrorAnswer, "description": "The body is not JSON, not gzip, or empty."},
    401: {
        "model": ErrorAnswer,
        "description": "No token, or not a good one.",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    403: {"model": ErrorAnswer, "description": "The token is not for this, or another site's page asks."},
    408: {"model": ErrorAnswer, "description": "The body came too slowly."},
    413: {"model": ErrorAnswer, "description": "The body is too large, or holds too many documents."},
    415: {"model": ErrorAnswer, "description": "Another type or encoding than those above."},
    429: {"model": ErrorAnswer, "description": "Too much is under way; send again later.", "headers": RETRY_AFTER},
    503: {
        "model": ErrorAnswer,
        "description": "Kafka or PostgreSQL is away; send again later.",
        "headers": RETRY_AFTER,
    },
}

router = APIRouter(prefix="/api/v1", tags=["intake"])


def pushing_of(request: Request) -> Pushing:
    """What this console was built with."""
    pushing: Pushing = request.app.state.pushing
    return pushing


@router.post(
    "/documents",
    status_code=202,
    response_model=PushAnswer,
    response_description="Every document is on the topic.",
    responses=RESPONSES,
    openapi_extra={"requestBody": REQUEST_BODY},
    dependencies=[Depends(needs("documents:write")), ChangesNothing],
)
async def push(request: Request, pushing: Annotated[Pushing, Depends(pushing_of)]) -> Response:
    """Take documents in. Sending the same again has no effect, so a request without an answer may be repeated."""
    with pushing.in_flight.hold() as held:
        documents = await read_documents(request, held, pushing.limits)
        try:
            outcomes = await pushing.sink.accept([value for _, value in documents])
        except DependencyNotReadyError as error:
            raise ProblemError(Problem(503, "broker", error.message, retry_after_seconds=AWAY_SECONDS)) from error
    answer = _answer(documents, outcomes)
    PUSHED.labels("accepted").inc(answer.accepted)
    PUSHED.labels("refused").inc(answer.refused)
    status = 202 if not answer.refused else 207 if answer.accepted else 422
    return Response(msgspec.json.encode(answer), status, media_type=JSON)


def _answer(documents: Numbered, outcomes: Sequence[str | RecordRejected]) -> PushAnswer:
    told = [_told(place, outcome) for (place, _), outcome in zip(documents, outcomes, strict=True)]
    accepted = sum(one.id is not None for one in told)
    return PushAnswer(accepted, len(told) - accepted, told)


def _told(place: int, outcome: str | RecordRejected) -> PushedDocument:
    if isinstance(outcome, str):
        return PushedDocument(place, outcome, None, None)
    detail = outcome.detail.encode("utf-8", "backslashreplace").decode()  # hostile JSON may hold half a character
    return PushedDocument(place, None, outcome.reason, detail)
