"""What robots.txt allows, after RFC 9309."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
from protego import Protego

from core.clock import Clock
from streams.sources.refusals import FetchError

KEPT: Final = timedelta(hours=24)  # RFC 9309, 2.4: no longer than this
KEPT_AWAY: Final = timedelta(minutes=10)  # a host that does not answer is asked again after so long
KEPT_BYTES: Final = 8_000_000  # of all rules as they came; in memory they take up to 17 times as much
SMALLEST: Final = 1000  # what a host costs that has no rules
MAX_BYTES: Final = 512_000  # RFC 9309, 2.5: at least 500 KiB are to be read
SAME_OF_ALL: Final = ("address", "dns", "connect", "tls")  # it says the same of every page of the host
UNAVAILABLE: Final = range(400, 500)

Fetch = Callable[[httpx.URL], Awaitable[bytes]]
"""Gives the body of a robots.txt; raises FetchError."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """Attributes:
    rules: what may be read, or why that cannot be told until `until`.
    """

    rules: Protego | FetchError
    until: datetime
    size: int = SMALLEST


class Robots:
    """The rules of every host, fetched when first asked for. Of one event loop."""

    def __init__(self, fetch: Fetch, user_agent: str, clock: Clock) -> None:
        self._fetch = fetch
        self._name = user_agent.split("/")[0].split(" ")[0]
        self._clock = clock
        self._hosts: OrderedDict[str, _Rules] = OrderedDict()
        self._kept_bytes = 0

    async def check(self, url: httpx.URL) -> float:
        """How many seconds the host wants between two requests; 0 when it says nothing.

        Raises:
            FetchError: `robots`: we may not read this page; `robots_unreachable`: what we may read cannot be told, so
                nothing for now; or why the host cannot be reached.
        """
        known = await self._of(url)
        if isinstance(known.rules, FetchError):
            reason = known.rules.reason if known.rules.reason in SAME_OF_ALL else "robots_unreachable"
            wait = known.until - self._clock.now()
            raise FetchError(reason, f"robots.txt of {url.host}: {known.rules.detail}", retry_after=wait)
        if not known.rules.can_fetch(str(url), self._name):
            raise FetchError("robots", f"robots.txt of {url.host} keeps {self._name} from this page")
        return float(known.rules.crawl_delay(self._name) or 0)

    async def _of(self, url: httpx.URL) -> _Rules:
        host = f"{url.scheme}://{url.netloc.decode()}"
        known = self._hosts.get(host)
        if known is None or known.until <= self._clock.now():
            known = await self._ask(url)
            self._keep(host, known)
        self._hosts.move_to_end(host)
        return known

    def _keep(self, host: str, rules: _Rules) -> None:
        before = self._hosts.pop(host, None)
        self._hosts[host] = rules
        self._kept_bytes += rules.size - (before.size if before else 0)
        while self._kept_bytes > KEPT_BYTES:
            _, oldest = self._hosts.popitem(last=False)
            self._kept_bytes -= oldest.size

    async def _ask(self, url: httpx.URL) -> _Rules:
        now = self._clock.now()
        try:
            body = await self._fetch(url.copy_with(raw_path=b"/robots.txt", fragment=None))
        except FetchError as error:
            if error.status in UNAVAILABLE and error.reason != "rate_limited":
                return _Rules(Protego.parse(""), now + KEPT)
            return _Rules(error, now + max(KEPT_AWAY, min(error.retry_after or KEPT_AWAY, KEPT)))
        return _Rules(Protego.parse(body.decode("utf-8", "replace")), now + KEPT, max(len(body), SMALLEST))
