"""POST to one URL: only to an address that was checked, within a time, reading no more of the answer than needed."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import httpx

from alerts.delivery.notifiers.contract import Delivery
from core.addresses import EVERYWHERE, AddressRefusedError, Network, resolve

PORTS = {"http": 80, "https": 443}
MOST_ANSWER_BYTES = 64_000
AGENT = "opinion-pipeline"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is empty where it was not wanted, and cut after `MOST_ANSWER_BYTES`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpSender:
    """Follows no redirect and uses no proxy: both would bypass the check of the address. A connection per message."""

    def __init__(self, url: str, *, allow_private: bool = False, timeout_seconds: float = 10) -> None:
        self._url = urlsplit(url)
        self._allowed: tuple[Network, ...] = EVERYWHERE if allow_private else ()
        self._timeout = timeout_seconds

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        wants_body: bool = False,
    ) -> Answer | Delivery:
        """The answer, or the failure to get one. Blocks for the timeout at most, beside looking up the name."""
        host = self._url.hostname
        if self._url.scheme not in PORTS or not host:
            return Delivery("permanent", "not an http or https URL")
        port = self._url.port or PORTS[self._url.scheme]
        try:
            address = resolve(host, port, allowed=self._allowed)[0]
            request = self._request(host, address, port, body, headers, query or {})
            return asyncio.run(self._exchange(request, wants_body))
        except AddressRefusedError as error:
            return Delivery("permanent", f"{error}; set allow_private_addresses to allow it")
        except TimeoutError:
            return Delivery("retryable", f"no answer within {self._timeout:g} s")
        except OSError as error:
            return Delivery("retryable", f"cannot resolve {host}: {error.strerror or error}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Delivery("retryable", type(error).__name__)

    async def _exchange(self, request: httpx.Request, wants_body: bool) -> Answer:
        async with (
            asyncio.timeout(self._timeout),  # over all: a server that drips keeps every single read alive
            httpx.AsyncClient(
                verify=_trusted(), timeout=self._timeout, follow_redirects=False, trust_env=False
            ) as client,
        ):
            response = await client.send(request, stream=True)
            try:
                body = b""
                if wants_body:
                    async for chunk in response.aiter_raw():
                        body += chunk
                        if len(body) > MOST_ANSWER_BYTES:
                            break
                return Answer(response.status_code, response.headers, body[:MOST_ANSWER_BYTES])
            finally:
                await response.aclose()

    def _request(
        self, host: str, address: str, port: int, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> httpx.Request:
        literal = f"[{address}]" if ":" in address else address
        asked = self._url.query
        if query:
            asked = urlencode([*parse_qsl(asked, keep_blank_values=True), *query.items()])
        url = urlunsplit(self._url._replace(netloc=f"{literal}:{port}", query=asked, fragment=""))
        sent = {
            "Host": host if self._url.port is None else f"{host}:{self._url.port}",
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            "Accept-Encoding": "identity",
            **headers,
        }
        if self._url.username:
            credentials = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
            sent["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
        # TLS is checked against the name, not the address
        return httpx.Request("POST", url, content=body, headers=sent, extensions={"sni_hostname": host})


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading the authorities takes longer than most messages."""
    return httpx.create_ssl_context(trust_env=False)
