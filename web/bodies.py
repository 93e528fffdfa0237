"""A request's body as single JSON documents: read within limits, unpacked within limits, taken apart.

Whoever sends it may be anybody: every step counts bytes before it keeps them.
"""

import asyncio
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from email.message import Message
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request

from web.problems import Problem, ProblemError
from web.pushing import Held, PushLimits

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
TYPES: Final = {JSON: JSON, NDJSON: NDJSON, "application/ndjson": NDJSON, "application/jsonl": NDJSON}
BODY_SECONDS: Final = 60.0  # a sender that is slower holds its room for nothing
PIECE_BYTES: Final = 64 * 1024
MOST_COMMAS: Final = 1_000_000
"""An array of millions of numbers fits into a few megabytes and unfolds to hundreds; documents have fewer commas."""

Numbered = Sequence[tuple[int, bytes]]
"""Documents with their place: the index in an array, or the line, counted from 1."""


async def read_documents(request: Request, held: Held, limits: PushLimits) -> Numbered:
    """The documents of a body, each as its own bytes; they are not looked into.

    Raises:
        ProblemError: 400, 408, 413, 415 or 429; nothing was taken.
    """
    media, is_gzip = _kind_of(request)
    _check_announced(request, limits)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            packed = await _read(request, held, limits)
    except TimeoutError:
        raise ProblemError(Problem(408, "slow", f"{BODY_SECONDS:g} s")) from None
    except ClientDisconnect:
        raise ProblemError(Problem(400, "bad_body", "it ended early")) from None
    return await asyncio.to_thread(_take_apart, packed, media, is_gzip, held, limits)


def _kind_of(request: Request) -> tuple[str, bool]:
    header = Message()
    header["content-type"] = request.headers.get("content-type") or JSON
    media = TYPES.get(header.get_content_type())
    charset = str(header.get_param("charset") or "utf-8").lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media is None or charset not in ("utf-8", "utf8"):
        raise ProblemError(Problem(415, "unsupported_type", f"{JSON} or {NDJSON}, in UTF-8"))
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise ProblemError(Problem(415, "unsupported_type", "Content-Encoding: gzip or none"))
    return media, encoding != "identity"


def _check_announced(request: Request, limits: PushLimits) -> None:
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limits.max_body_bytes:
        raise too_large(limits)


async def _read(request: Request, held: Held, limits: PushLimits) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        if len(body) + len(piece) > limits.max_body_bytes:
            raise too_large(limits)
        held.grow(len(piece))
        body += piece
    return bytes(body)


def _take_apart(packed: bytes, media: str, is_gzip: bool, held: Held, limits: PushLimits) -> Numbered:
    """Blocking."""
    body = _unpack(packed, held, limits) if is_gzip else packed
    documents = _lines(body, limits) if media == NDJSON else _values(body, limits)
    if not documents:
        raise ProblemError(Problem(400, "bad_body", "there is no document in it"))
    return documents


def _unpack(packed: bytes, held: Held, limits: PushLimits) -> bytes:
    body = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as unpacked:
            while piece := unpacked.read(PIECE_BYTES):
                if len(body) + len(piece) > limits.max_body_bytes:
                    raise too_large(limits)
                held.grow(len(piece))
                body += piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProblemError(Problem(400, "bad_body", f"gzip: {error}")) from error
    return bytes(body)


def _lines(body: bytes, limits: PushLimits) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for number, line in enumerate(io.BytesIO(body), start=1):
        if not line.isspace():
            if len(found) == limits.max_documents:
                raise too_many(limits)
            found.append((number, line.strip()))
    return found


def _values(body: bytes, limits: PushLimits) -> list[tuple[int, bytes]]:
    """One object, or the elements of an array."""
    if body.lstrip()[:1] != b"[":
        return [(0, body)] if body.strip() else []
    if body.count(b",") > MOST_COMMAS:
        raise too_many(limits)
    try:
        values: Sequence[bytes] = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as strict:
        values = _lenient_values(body, strict)
    if len(values) > limits.max_documents:
        raise too_many(limits)
    return [(index, bytes(value)) for index, value in enumerate(values)]


def _lenient_values(body: bytes, strict: Exception) -> list[bytes]:
    """With `NaN` and `Infinity`, which the worker reads as null; see `streams.json_values`."""
    try:
        values = json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise ProblemError(Problem(400, "bad_body", str(strict) or "nested too deeply")) from None
    return [json.dumps(value).encode() for value in values]


def too_large(limits: PushLimits) -> ProblemError:
    return ProblemError(Problem(413, "too_large", f"at most {limits.max_body_bytes:,} bytes, unpacked"))


def too_many(limits: PushLimits) -> ProblemError:
    return ProblemError(Problem(413, "too_large", f"at most {limits.max_documents:,} documents"))
