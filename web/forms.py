"""The fields of a page's own form: `application/x-www-form-urlencoded`, small, and text only."""

from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse

from web.problems import Problem, ProblemError

MOST_BYTES = 64 * 1024  # no form but an editor's holds a text of its own
MOST_EDITOR_BYTES = 2 * 1024 * 1024  # a watchlist's thousand words of two hundred characters, as a form encodes them
MOST_FIELDS = 50
MOST_EDITOR_FIELDS = 300  # a box for each receiver


async def fields(request: Request) -> dict[str, str]:
    """The fields by name; of one that comes twice the last.

    Raises:
        ProblemError: 413, 415 or 422; it is no form, too large, or not UTF-8.
    """
    return await _fields(request, MOST_BYTES, MOST_FIELDS)


def see_other(path: str, **state: str) -> RedirectResponse:
    """The answer to a form that was taken: go and look there."""
    return RedirectResponse(f"{path}?{urlencode(state)}" if state else path, status_code=303)


async def editor_fields(request: Request) -> dict[str, str]:
    """The same of a form that edits a definition; raises as `fields`."""
    return await _fields(request, MOST_EDITOR_BYTES, MOST_EDITOR_FIELDS)


async def _fields(request: Request, most_bytes: int, most_fields: int) -> dict[str, str]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise ProblemError(Problem(415, "unsupported_type", "application/x-www-form-urlencoded"))
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                raise ProblemError(Problem(413, "too_large", f"at most {most_bytes:,} bytes"))
    except ClientDisconnect:
        raise ProblemError(Problem(400, "bad_body", "it ended early")) from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=most_fields,
        )
    except ValueError as error:
        raise ProblemError(Problem(422, "bad_query", f"not a form: {error}")) from None
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise ProblemError(Problem(422, "bad_query", "a NUL character"))
    return dict(pairs)


Form = Annotated[dict[str, str], Depends(fields)]
EditorForm = Annotated[dict[str, str], Depends(editor_fields)]
