"""Bodies of answers, unpacked while they come, and never larger than allowed."""

import zlib
from typing import Final

import httpx

from core.metrics import FETCHED_BYTES
from streams.sources.refusals import FetchError

PACKINGS: Final = ("gzip", "x-gzip", "deflate")
ACCEPT_ENCODING: Final = "gzip, deflate"
AUTO: Final = zlib.MAX_WBITS | 32  # zlib tells the headers of gzip and zlib apart
RAW: Final = -zlib.MAX_WBITS  # "deflate" without a header, as some servers send it; see RFC 9110, 8.4.1.2


async def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """The unpacked body of an answer that nothing was read of.

    Raises:
        FetchError: `too_large`, before or after unpacking; `encoding`: packed in a way that was not asked for, or
            not packed as said; `broken`: it ends before its end.
    """
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", *PACKINGS):
        raise FetchError("encoding", f"packed as {packing[:40]!r}, which was not asked for")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:18]) > max_bytes:
        raise FetchError("too_large", f"{length[:18]} bytes, at most {max_bytes} are taken")
    unpacker = Unpacker(max_bytes) if packing in PACKINGS else None
    body, read = bytearray(), 0
    async for chunk in response.aiter_raw():
        read += len(chunk)
        FETCHED_BYTES.inc(len(chunk))
        if read > max_bytes:
            raise FetchError("too_large", f"more than {max_bytes} bytes")
        body += unpacker.feed(chunk) if unpacker else chunk
    if unpacker and not unpacker.is_complete:
        raise FetchError("broken", f"the {packing} stream ends before its end")
    return bytes(body)


class Unpacker:
    """Undoes gzip or deflate bit by bit; of a bomb no more than one byte above the limit is ever made."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._made = 0
        self._fed = b""
        self._stream = zlib.decompressobj(AUTO)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing; an empty body counts as such."""
        return self._stream.eof or not self._fed

    def feed(self, chunk: bytes) -> bytes:
        """Raises FetchError as `read_body` does."""
        if self._stream.eof:
            return b""  # what follows the end is padding; browsers skip it, too
        try:
            made = self._unpack(chunk)
        except zlib.error as error:
            if self._fed:
                raise FetchError("encoding", f"not packed as it says: {error}") from error
            self._stream = zlib.decompressobj(RAW)
            try:
                made = self._unpack(chunk)
            except zlib.error as second:
                raise FetchError("encoding", f"not packed as it says: {second}") from second
        self._fed = self._fed or chunk[:1]
        self._made += len(made)
        if self._made > self._max_bytes:
            raise FetchError("too_large", f"more than {self._max_bytes} bytes when unpacked")
        return made

    def _unpack(self, chunk: bytes) -> bytes:
        return self._stream.decompress(chunk, self._max_bytes - self._made + 1)
