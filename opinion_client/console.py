"""The live streams of a console, over HTTP."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

import httpx

from opinion_client.records import AlertEvent, AlertStatus, ClassifiedDocument, Kind, Sentiment, Severity
from opinion_client.session import SILENCE_SECONDS, Gap, Session, T

PATH = "/api/v1/stream"
TIMEOUT = httpx.Timeout(15.0, read=SILENCE_SECONDS)


class Console:
    """Where a console is. Opens nothing; each iteration has a connection of its own."""

    def __init__(self, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        """Args:
        token: of `opinion tokens create`, where the console asks for one.
        transport: of httpx, for proxies and tests.
        """
        self._url = url.rstrip("/")
        self._headers = authorization(token)
        self._transport = transport

    def documents(
        self,
        *,
        topic: str | None = None,
        source: str | None = None,
        language: str | None = None,
        watchlist: str | None = None,
        sentiment: Sentiment | None = None,
        kind: Kind | None = None,
        start: datetime | Literal["start"] | str | None = None,
        cursor_file: str | os.PathLike[str] | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> Iterator[ClassifiedDocument]:
        """Classified documents as they come, without end.

        Args:
            start: None: from now on; "start": from the oldest that Kafka holds; a time with its zone: from what came
                then; or a cursor. A cursor in the file wins.
            cursor_file: keeps the cursor, so that the next run goes on where this one ended.
            on_gap: told of what can no longer be read; a warning is logged if absent.

        Raises:
            StreamError: the console refuses the request.
        """
        query = given(
            start, topic=topic, source=source, language=language, watchlist=watchlist, sentiment=sentiment, kind=kind
        )
        return self._read(PATH, Session(ClassifiedDocument, query, cursor_file, on_gap))

    def incidents(
        self,
        *,
        severity: Severity | None = None,
        status: AlertStatus | None = None,
        topic: str | None = None,
        source: str | None = None,
        watchlist: str | None = None,
        start: datetime | Literal["start"] | str | None = None,
        cursor_file: str | os.PathLike[str] | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> Iterator[AlertEvent]:
        """Changes of incidents as they come; as `documents`."""
        query = given(start, severity=severity, status=status, topic=topic, source=source, watchlist=watchlist)
        session = Session(AlertEvent, query, cursor_file, on_gap)
        return self._read(f"{PATH}/incidents", session)

    def _read(self, path: str, session: Session[T]) -> Iterator[T]:
        try:
            with httpx.Client(headers=self._headers, timeout=TIMEOUT, transport=self._transport) as http:
                while True:
                    query, headers = session.request()
                    try:
                        with http.stream("GET", self._url + path, params=query, headers=headers) as answer:
                            if answer.status_code != 200:
                                after = answer.headers.get("Retry-After")
                                pause = session.refused(answer.status_code, after, answer.read())
                            else:
                                for line in answer.iter_lines():
                                    yield from session.line(line)
                                pause = session.broken("the console ended it")
                    except httpx.TransportError as error:
                        pause = session.broken(error)
                    time.sleep(pause)
        finally:
            session.end()


def given(start: datetime | str | None, **filters: str | None) -> dict[str, str]:
    """The query of a stream that begins there."""
    query = {name: value for name, value in filters.items() if value is not None}
    if start is not None:
        query |= {"since": start.isoformat()} if isinstance(start, datetime) else {"cursor": start}
    return query


def authorization(token: str | None) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"} if token else {}
