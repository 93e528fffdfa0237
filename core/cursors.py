"""Where a reader stands on a topic, as a short text that it keeps and gives back.

A cursor holds the next offset of every partition. It is opaque: base64url of a version, the offsets as numbers of few
bytes (LEB128), and a checksum that also covers the topic's name, so that a cursor of another topic, a cut one and
a made-up one are told apart from a good one.
"""

import base64
import binascii
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

VERSION: Final = 1
MOST_CHARS: Final = 8192  # of a header that servers take; enough for a thousand partitions
LARGEST_OFFSET: Final = 2**63 - 1


class CursorError(ValueError):
    """This is not a cursor of this topic."""


def write(topic: str, offsets: Sequence[int]) -> str:
    """The cursor of a reader that goes on at these offsets, by partition."""
    return sealed(topic, [number(offset) for offset in offsets])


def sealed(topic: str, numbers: Sequence[bytes]) -> str:
    """The same from offsets that `number` has written already: who writes many cursors changes one at a time."""
    body = bytes([VERSION]) + b"".join(numbers)
    return base64.urlsafe_b64encode(body + _checksum(topic, body)).rstrip(b"=").decode()


def read(topic: str, cursor: str) -> list[int]:
    """The offsets, by partition.

    Raises:
        CursorError: damaged, of another topic, or of another version.
    """
    try:
        if len(cursor) > MOST_CHARS or not cursor.isascii():
            raise CursorError("too long, or not base64url")
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise CursorError(str(error)) from error
    body, checksum = raw[:-4], raw[-4:]
    if len(body) < 2 or checksum != _checksum(topic, body):
        raise CursorError("damaged, or of another stream")
    if body[0] != VERSION:
        raise CursorError(f"version {body[0]} is unknown here")
    offsets = list(_numbers(body[1:]))
    if max(offsets) > LARGEST_OFFSET:
        raise CursorError("an offset is larger than Kafka has any")
    return offsets


def number(value: int) -> bytes:
    """One offset: seven bits a byte, the lowest first; the high bit says that more follow."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _numbers(written: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in written:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
    if shift:
        raise CursorError("cut off")


def _checksum(topic: str, body: bytes) -> bytes:
    return zlib.crc32(topic.encode() + b"\0" + body).to_bytes(4, "big")
