"""`/healthz`, `/readyz` and `/metrics`, for whatever runs the console."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DBAPIError
from starlette.responses import JSONResponse, Response

from core.probes import readiness
from storage.migrate import is_newest
from web.rendering import console_of

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """The database answers and has the schema that this version reads."""

    def database() -> str | None:
        try:
            with console_of(request).engine.connect() as connection:
                return None if is_newest(connection) else "the schema is not the newest"
        except DBAPIError as error:
            return f"the database does not answer: {str(error.orig).strip().splitlines()[0]}"

    reasons = readiness({"database": database})
    return JSONResponse({"status": "waiting" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200)


@router.get("/metrics")
def metrics() -> Response:
    """What this process measures, for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
