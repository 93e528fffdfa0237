"""One safe HTTP GET for everything that reads the web.

A host is resolved once and connected to at the address that was checked; so is each redirect. No proxy, no cookie and
no second look-up can lead elsewhere.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Self

import httpx

from core.addresses import AddressRefusedError, Lookup, Network, look_up, resolve
from core.clock import Clock, SystemClock
from core.metrics import FETCHES
from core.settings import FeedSettings
from streams.sources.bodies import ACCEPT_ENCODING, read_body
from streams.sources.charsets import charset_of
from streams.sources.pacing import HostPacer
from streams.sources.refusals import FetchError
from streams.sources.robots import MAX_BYTES as ROBOTS_BYTES
from streams.sources.robots import Robots

PORTS: Final = {"http": 80, "https": 443}
MOST_REDIRECTS: Final = 5
MOST_ADDRESSES: Final = 3  # of one host are tried
LONGEST_URL: Final = 4096
HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+")
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
REDIRECTS: Final = (301, 302, 303, 307, 308)
TAKEN: Final = (200, 203)
LOOKUP_THREADS: Final = 64  # a name server that hangs keeps one busy for half a minute


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Plain values of `core.settings.FeedSettings`."""

    user_agent: str = "opinion-pipeline"
    connect_seconds: float = 10
    read_seconds: float = 20
    total_seconds: float = 60
    max_bytes: int = 5_000_000
    host_interval_seconds: float = 1
    allowed_networks: Sequence[Network] = ()

    @classmethod
    def of(cls, settings: FeedSettings) -> Self:
        return cls(
            settings.user_agent,
            settings.connect_seconds,
            settings.read_seconds,
            settings.total_seconds,
            settings.max_bytes,
            settings.host_interval_seconds,
            tuple(settings.allowed_networks),
        )


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer.

    Attributes:
        url: where it came from at last.
        body: unpacked; empty when nothing is new.
        content_type: without parameters, in small letters; empty when there is none.
        charset: as the header has it.
        is_new: False: the version that was asked about is still the newest.
    """

    url: str
    body: bytes = b""
    content_type: str = ""
    charset: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What to send along, and what to take."""

    headers: dict[str, str] = field(default_factory=dict)
    content_types: frozenset[str] | None = None
    max_bytes: int = 0


class Fetcher:
    """Of one event loop; use it as an async context manager."""

    def __init__(
        self,
        options: FetchOptions,
        *,
        lookup: Lookup = look_up,
        clock: Clock | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._options = options
        self._lookup = lookup
        self._clock = clock or SystemClock()
        self._pacer = HostPacer(options.host_interval_seconds)
        self._robots = Robots(self._robots_txt, options.user_agent, self._clock)
        self._resolvers = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")
        # Not httpx's client: that would keep cookies. No connection is kept: another name of the same address could
        # be sent on it.
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls or httpx.create_ssl_context(trust_env=False),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def get(
        self,
        url: str,
        *,
        content_types: frozenset[str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        """What stands at a URL, if it may be read.

        Args:
            content_types: other answers are refused; one without a type is taken.
            etag, last_modified: of the version that is there already, exactly as it came.

        Raises:
            FetchError: it cannot be had, or not now.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in conditions.items() if value}
        try:
            fetched = await self._follow(
                parsed(url), Asked(headers, content_types, self._options.max_bytes), robots=self._robots
            )
        except FetchError as error:
            FETCHES.labels(error.reason).inc()
            raise
        FETCHES.labels("ok" if fetched.is_new else "not_modified").inc()
        return fetched

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _robots_txt(self, url: httpx.URL) -> bytes:
        return (await self._follow(url, Asked(max_bytes=ROBOTS_BYTES), robots=None)).body

    async def _follow(self, url: httpx.URL, asked: Asked, robots: Robots | None) -> Fetched:
        loop, first, seen = asyncio.get_running_loop(), url, set()
        left = self._options.total_seconds
        for _ in range(MOST_REDIRECTS + 1):
            if url in seen:
                raise FetchError("redirects", f"{shown(url)} leads back to itself")
            seen.add(url)
            interval = await robots.check(url) if robots else 0.0
            async with self._pacer.turn(url.host, interval):
                began = loop.time()
                answer = await self._within(left, url, asked, _credentials(first, url))
            left -= loop.time() - began
            if isinstance(answer, Fetched):
                return answer
            url = answer
        raise FetchError("redirects", f"{shown(first)} leads on more than {MOST_REDIRECTS} times")

    async def _within(
        self, seconds: float, url: httpx.URL, asked: Asked, credentials: dict[str, str]
    ) -> Fetched | httpx.URL:
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(url, asked, credentials)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise FetchError("timeout", f"{url.host} took too long ({type(error).__name__})") from error
        except httpx.ConnectError as error:
            reason = "tls" if _is_about_tls(error) else "connect"
            raise FetchError(reason, f"{url.host}: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError("broken", f"{url.host}: {error or type(error).__name__}") from error

    async def _ask(self, url: httpx.URL, asked: Asked, credentials: dict[str, str]) -> Fetched | httpx.URL:
        response = await self._connect(url, {**asked.headers, **credentials})
        try:
            if response.status_code in REDIRECTS and (location := response.headers.get("location")):
                return parsed(str(location), base=url)
            if response.status_code == 304 and asked.headers:
                return Fetched(str(url), is_new=False)
            if response.status_code not in TAKEN:
                raise self._refused(url.host, response)
            header = response.headers.get("content-type", "")
            content_type = header.split(";")[0].strip().lower()
            if asked.content_types and content_type and content_type not in asked.content_types:
                raise FetchError("content_type", f"{content_type[:100]!r} is not what was asked for")
            return Fetched(
                str(url),
                await read_body(response, asked.max_bytes),
                content_type,
                charset_of(header),
                _short(response.headers.get("etag")),
                _short(response.headers.get("last-modified")),
            )
        finally:
            await response.aclose()

    async def _connect(self, url: httpx.URL, headers: dict[str, str]) -> httpx.Response:
        """The head of an answer, from one of the addresses that the host has at this moment."""
        options, host = self._options, url.raw_host.decode("ascii")
        port = url.port or PORTS[url.scheme]
        try:
            addresses = await asyncio.get_running_loop().run_in_executor(
                self._resolvers,
                lambda: resolve(host, port, allowed=options.allowed_networks, lookup=self._lookup),
            )
        except AddressRefusedError as error:
            raise FetchError("address", f"{error}; feeds.allowed_networks may allow it") from error
        except OSError as error:
            raise FetchError("dns", f"cannot resolve {host[:200]}: {error.strerror or error}") from error
        timeout = httpx.Timeout(options.read_seconds, connect=options.connect_seconds)
        for address in addresses[:MOST_ADDRESSES]:
            request = httpx.Request(
                "GET",
                url.copy_with(host=address, username=None, password=None, fragment=None),
                headers={
                    "Host": url.netloc.decode("ascii"),
                    "User-Agent": options.user_agent,
                    "Accept": "*/*",
                    "Accept-Encoding": ACCEPT_ENCODING,
                    "Connection": "close",
                    **headers,
                },
                # TLS is checked against the name, not the address.
                extensions={"timeout": timeout.as_dict(), "sni_hostname": host},
            )
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed: httpx.HTTPError = error
        raise failed

    def _refused(self, host: str, response: httpx.Response) -> FetchError:
        status = response.status_code
        wait = _retry_after(response.headers.get("retry-after"), self._clock.now())
        if wait and status in (429, 503):
            self._pacer.hold(host, wait)
        reason = "rate_limited" if status == 429 else "status"
        return FetchError(reason, f"{host} answers {status}", retry_after=wait, status=status)


def parsed(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """A URL that may be asked for, made absolute.

    Raises:
        FetchError: `bad_url`.
    """
    try:
        found = base.join(url) if base else httpx.URL(url)
        host = found.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("bad_url", f"not a URL: {url[:200]!r}") from error
    is_port = found.port is None or 0 < found.port < 65536
    if found.scheme not in PORTS or not HOST.fullmatch(host) or not is_port or len(url) > LONGEST_URL:
        raise FetchError("bad_url", f"not an http or https URL: {_without_user(url)[:200]!r}")
    return found.copy_with(fragment=None)


def shown(url: httpx.URL | str) -> str:
    """A URL without the user and password that it may hold."""
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None))
    except (httpx.InvalidURL, ValueError):
        return _without_user(str(url))


def _without_user(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.partition('//')[0]}//{after}" if at else url


def _credentials(first: httpx.URL, url: httpx.URL) -> dict[str, str]:
    """User and password of the URL that was asked for, for its own host alone."""
    if not first.userinfo or (first.scheme, first.netloc) != (url.scheme, url.netloc):
        return {}
    pair = f"{first.username}:{first.password}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """RFC 9110, 10.2.3: seconds or a date; at most a day."""
    value = (value or "").strip()
    if value.isdecimal():
        wait = timedelta(seconds=min(int(value[:9]), LONGEST_RETRY_AFTER.total_seconds()))
    else:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        wait = at.replace(tzinfo=at.tzinfo or UTC) - now
    return min(wait, LONGEST_RETRY_AFTER) if wait > timedelta(0) else None


def _short(header: str | None) -> str | None:
    """A header to be sent back later; none that is longer than any honest one."""
    return header if header and len(header) <= 500 and header.isprintable() else None


def _is_about_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
