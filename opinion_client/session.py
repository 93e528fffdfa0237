"""One reading of a stream over any number of connections: what to ask for, what came, when to ask again. No I/O but
the cursor's file; `Console` and `AsyncConsole` bring the connection."""

import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from opinion_client.cursor_file import CursorFile
from opinion_client.errors import StreamError
from opinion_client.records import AlertEvent, ClassifiedDocument
from opinion_client.repeats import Repeats

T = TypeVar("T", ClassifiedDocument, AlertEvent)

SILENCE_SECONDS = 60.0  # the console pings more often; a connection that is silent for longer is dead
LONGEST_PAUSE_SECONDS = 30.0
MOST_RETRY_AFTER_SECONDS = 300.0
COME_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

log = logging.getLogger("opinion_client")


@dataclass(frozen=True)
class Gap:
    """Something can no longer be read.

    Attributes:
        reason: "expired": Kafka keeps it no longer; "unknown": the stream was made anew.
        lost: how many records of the topic, wanted or not; None: nobody knows.
    """

    reason: str
    lost: int | None = None


class Session(Generic[T]):
    """Feed it the lines of an answer; it says what is new in them."""

    def __init__(
        self,
        record: type[T],
        query: Mapping[str, str],
        cursor_file: str | os.PathLike[str] | None,
        on_gap: Callable[[Gap], None] | None,
    ) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(record)
        self._query = dict(query)
        self._file = CursorFile(cursor_file)
        self._on_gap = on_gap or (lambda gap: log.warning("the stream has a gap: %s", gap))
        self._repeats = Repeats()
        self._failures = 0
        self._cursor = self._file.read()
        self._fields: dict[str, str] = {}

    def request(self) -> tuple[dict[str, str], dict[str, str]]:
        """Query and headers of the next connection."""
        self._fields = {}
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        return self._query, headers | ({"Last-Event-ID": self._cursor} if self._cursor else {})

    def line(self, line: str) -> Iterator[T]:
        """What is complete with this line. The cursor moves on when the next one is asked for: what a program was
        at work on when it died comes again."""
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value.removeprefix(" ")
            return
        fields, self._fields = self._fields, {}
        self._failures = 0
        if fields.get("event") == "gap":
            self._on_gap(msgspec.json.decode(fields["data"], type=Gap))
        elif fields.get("event") in ("document", "incident"):
            record = self._decoder.decode(fields["data"])
            if self._repeats.is_new(record.ce_id):
                yield record
        if "id" in fields:
            self._cursor = fields["id"]
            self._file.keep(self._cursor)

    def refused(self, status: int, retry_after: str | None, body: bytes) -> float:
        """How long to wait after such an answer.

        Raises:
            StreamError: waiting does not help.
        """
        if status not in COME_AGAIN:
            try:
                error = msgspec.json.decode(body)["error"]
                raise StreamError(status, error["code"], f"{error['message']} ({error['remedy']})")
            except (msgspec.DecodeError, KeyError, TypeError) as unlike:
                raise StreamError(status, "", body[:200].decode("utf-8", "replace")) from unlike
        asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        return max(self.broken(f"HTTP {status}"), min(asked, MOST_RETRY_AFTER_SECONDS))

    def broken(self, cause: object) -> float:
        """How long to wait after a connection that ended: longer each time, and not all programs at once."""
        self._failures += 1
        longest = min(LONGEST_PAUSE_SECONDS, 0.25 * 2.0 ** min(self._failures, 10))
        pause = longest * random.uniform(0.5, 1)  # noqa: S311
        log.info("the stream broke off (%s); again in %.1f s", cause, pause)
        return pause

    def end(self) -> None:
        """The program reads no more."""
        self._file.keep(self._cursor, is_last=True)
