"""JSON from a server that we were told to ask, within a bound of time and size: it may be slow, broken or hostile."""

import time
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
    environment's."""

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
        deadline = time.monotonic() + self._seconds
        body = bytearray()
        try:
            with httpx.Client(timeout=self._seconds / 2, follow_redirects=False) as client:
                answer = client.send(request, stream=True, auth=httpx.BasicAuth(*auth) if auth else None)
                try:
                    for piece in answer.iter_bytes():
                        body += piece
                        if len(body) > self._most_bytes:
                            raise HttpProblem("large")
                        if time.monotonic() > deadline:
                            raise HttpProblem("slow")
                finally:
                    answer.close()
        except httpx.TimeoutException as error:
            raise HttpProblem("slow") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HttpProblem("away") from error
        if answer.status_code != httpx.codes.OK:
            raise HttpProblem("status")
        try:
            said = msgspec.json.decode(bytes(body))
        except msgspec.DecodeError as error:
            raise HttpProblem("no_json") from error
        if not isinstance(said, dict):
            raise HttpProblem("no_json")
        return said


def _fit(url: str) -> str:
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise HttpProblem("address") from error
    if address.scheme != "https" and not (address.scheme == "http" and is_loopback(address.host)):
        raise HttpProblem("address")
    return url
