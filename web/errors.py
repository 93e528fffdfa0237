"""Every error in one shape: `{"error": {status, code, message, remedy}}` for scripts, a page for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.errors import NotFoundError
from storage.search import SearchTooLongError
from web.i18n import language_of, translate
from web.problems import Problem, ProblemError
from web.rendering import page

log = structlog.get_logger(__name__)

CODES = {404: "not_found", 405: "method_not_allowed"}
DATABASE_SECONDS = 5  # so soon a request that met no database may be made again


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What a script is told."""

    status: int
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The JSON of every error."""

    error: ErrorBody


def respond(request: Request, problem: Problem) -> Response:
    """HTML for a browser's page, JSON for `/api` and for whoever does not ask for HTML."""
    wants_html = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    language = language_of(request) if wants_html else "en"
    message = translate(language, f"error.{problem.code}")
    body = ErrorBody(
        problem.status,
        problem.code,
        f"{message}: {problem.detail}" if problem.detail else message,
        translate(language, f"error.{problem.code}.remedy"),
    )
    answer: Response
    if wants_html:
        answer = page(request, "error.html", status_code=problem.status, error=body)
    else:
        answer = JSONResponse(asdict(ErrorAnswer(body)), problem.status)
    answer.headers.update(problem.headers)
    if problem.retry_after_seconds:
        answer.headers["Retry-After"] = str(problem.retry_after_seconds)
    return answer


def install(app: FastAPI) -> None:
    """Answer every failure through `respond`."""

    def on_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return respond(request, Problem(status, CODES.get(status, "failed")))

    def on_missing(request: Request, error: Exception) -> Response:
        return respond(request, Problem(404, "not_found"))

    def on_bad_query(request: Request, error: Exception) -> Response:
        problems: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
        detail = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in problems)
        return respond(request, Problem(422, "bad_query", detail))

    def on_database(request: Request, error: Exception) -> Response:
        log.warning("database_failed", path=request.url.path, error=str(error).splitlines()[0])
        return respond(request, Problem(503, "database", retry_after_seconds=DATABASE_SECONDS))

    def on_problem(request: Request, error: Exception) -> Response:
        problem = error.problem if isinstance(error, ProblemError) else Problem(500, "failed")
        return respond(request, problem)

    def on_long_search(request: Request, error: Exception) -> Response:
        return respond(request, Problem(422, "search_too_long"))

    def on_bug(request: Request, error: Exception) -> Response:
        return respond(request, Problem(500, "failed"))  # Starlette raises it again, so the server logs it

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(NotFoundError, on_missing)
    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(RequestValidationError, on_bad_query)
    app.add_exception_handler(SearchTooLongError, on_long_search)
    for away in (OperationalError, InterfaceError, PoolTimeoutError):
        app.add_exception_handler(away, on_database)
    app.add_exception_handler(Exception, on_bug)
