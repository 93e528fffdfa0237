"""The fields of a page's own form: `application/x-www-form-urlencoded`, small, and text only."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import ClientDisconnect, Request

from web.problems import Problem, ProblemError

MOST_BYTES = 64 * 1024  # no form of ours holds a text of its own
MOST_FIELDS = 50


async def fields(request: Request) -> dict[str, str]:
    """The fields by name; of one that comes twice the last.

    Raises:
        ProblemError: 413, 415 or 422; it is no form, too large, or not UTF-8.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise ProblemError(Problem(415, "unsupported_type", "application/x-www-form-urlencoded"))
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                raise ProblemError(Problem(413, "too_large", f"at most {MOST_BYTES:,} bytes"))
    except ClientDisconnect:
        raise ProblemError(Problem(400, "bad_body", "it ended early")) from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise ProblemError(Problem(422, "bad_query", f"not a form: {error}")) from None
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise ProblemError(Problem(422, "bad_query", "a NUL character"))
    return dict(pairs)


Form = Annotated[dict[str, str], Depends(fields)]
