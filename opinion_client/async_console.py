"""The same for programs with an event loop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Literal

import httpx

from opinion_client.console import PATH, TIMEOUT, authorization, given
from opinion_client.records import AlertEvent, AlertStatus, ClassifiedDocument, Kind, Sentiment, Severity
from opinion_client.session import Gap, Session, T


class AsyncConsole:
    """As `Console`."""

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
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
    ) -> AsyncIterator[ClassifiedDocument]:
        """As `Console.documents`."""
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
    ) -> AsyncIterator[AlertEvent]:
        """As `Console.incidents`."""
        query = given(start, severity=severity, status=status, topic=topic, source=source, watchlist=watchlist)
        session = Session(AlertEvent, query, cursor_file, on_gap)
        return self._read(f"{PATH}/incidents", session)

    async def _read(self, path: str, session: Session[T]) -> AsyncIterator[T]:
        try:
            async with httpx.AsyncClient(headers=self._headers, timeout=TIMEOUT, transport=self._transport) as http:
                while True:
                    query, headers = session.request()
                    try:
                        async with http.stream("GET", self._url + path, params=query, headers=headers) as answer:
                            if answer.status_code != 200:
                                after = answer.headers.get("Retry-After")
                                pause = session.refused(answer.status_code, after, await answer.aread())
                            else:
                                async for line in answer.aiter_lines():
                                    for record in session.line(line):
                                        yield record
                                pause = session.broken("the console ended it")
                    except httpx.TransportError as error:
                        pause = session.broken(error)
                    await asyncio.sleep(pause)
        finally:
            session.end()
