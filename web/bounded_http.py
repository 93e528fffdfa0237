"""JSON from a server that we were told to ask, within a bound of time and size: it may be slow, broken or hostile."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx
import msgspec

from core.addresses import is_loopback

SECONDS: Final = 10.0  # for a whole answer
MOST_BYTES: Final = 512 * 1024


class HttpProblem(Exception):  # noqa: N818  # the caller turns it into its own error
    """No usable answer. `reason` is `address`, `away`, `slow`, `large`, `status` or `no_json`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BoundedHttp:
    """Asks over https, or over http on this machine; follows no redirect, keeps no cookie, goes by no proxy but the
    environment's. Call it from a thread without an event loop; it blocks until the answer or its bound."""

    def __init__(self, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes

    def get(self, url: str) -> dict[str, Any]:
        """Raises HttpProblem."""
        return self._ask(httpx.Request("GET", _fit(url), headers={"accept": "application/json"}), None)

    def post(self, url: str, fields: Mapping[str, str], auth: tuple[str, str] | None) -> dict[str, Any]:
        """A form. Raises HttpProblem."""
        request = httpx.Request("POST", _fit(url), data=dict(fields), headers={"accept": "application/json"})
        return self._ask(request, auth)

    def _ask(self, request: httpx.Request, auth: tuple[str, str] | None) -> dict[str, Any]:
        try:
            body = asyncio.run(asyncio.wait_for(self._body(request, auth), self._seconds))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise HttpProblem("slow") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HttpProblem("away") from error
        try:
            said = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise HttpProblem("no_json") from error
        if not isinstance(said, dict):
            raise HttpProblem("no_json")
        return said

    async def _body(self, request: httpx.Request, auth: tuple[str, str] | None) -> bytes:
        request.headers["accept-encoding"] = "identity"  # else a small answer could unpack into a large one
        body = bytearray()
        async with httpx.AsyncClient(timeout=self._seconds, follow_redirects=False) as client:
            answer = await client.send(request, stream=True, auth=httpx.BasicAuth(*auth) if auth else None)
            if answer.status_code != httpx.codes.OK:
                raise HttpProblem("status")
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > self._most_bytes:
                    raise HttpProblem("large")
        return bytes(body)


def _fit(url: str) -> str:
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise HttpProblem("address") from error
    if address.scheme != "https" and not (address.scheme == "http" and is_loopback(address.host)):
        raise HttpProblem("address")
    return url
