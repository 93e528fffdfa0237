"""What a console with accounts is built with, and how a login is judged."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from core.passwords import Passwords
from storage import login_limits, people
from storage.login_limits import Counted, Limit
from storage.people import Account, name_key
from storage.sessions import Lengths
from web import signed_links

if TYPE_CHECKING:
    from web.single_sign_on import SingleSignOn

PLAIN_COOKIE: Final = "opinion_session"
SECURE_COOKIE: Final = "__Host-opinion_session"  # browsers take it over https alone, from this host alone
DEVICE_COOKIE: Final = "opinion_device"
DEVICE_LENGTH: Final = timedelta(days=180)
LENGTHS: Final = Lengths(idle=timedelta(hours=8), longest=timedelta(days=7))
NAME_LIMIT: Final = Limit(8, timedelta(minutes=1))
ADDRESS_LIMIT: Final = Limit(40, timedelta(seconds=15))  # many people may share one
IPV6_NETWORK_BITS: Final = 64  # one household has so many addresses


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a password may be tried.

    A name that strangers keep busy does not keep its owner out: a browser in which they logged in before is counted
    by itself (OWASP's device cookies).
    """

    name: Limit = NAME_LIMIT
    address: Limit = ADDRESS_LIMIT
    device: Limit = NAME_LIMIT


@dataclass(frozen=True)
class Access:
    """People log in.

    Attributes:
        sign_on: another server that vouches for people; None: passwords alone.
    """

    lengths: Lengths = LENGTHS
    limits: Limits = field(default_factory=Limits)
    passwords: Passwords = field(default_factory=Passwords)
    sign_on: "SingleSignOn | None" = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A login that is not one; `wait` says when to try again, where too much was tried."""

    account: Account | None
    wait: timedelta | None = None


def access_of(request: Request) -> Access:
    """What this console was built with; only where it has accounts."""
    access: Access = request.app.state.access
    return access


def judge(
    engine: Engine,
    access: Access,
    name: str,
    password: str,
    now: datetime,
    *,
    address: str,
    is_known: bool,
    device: str,
) -> Account | Refused:
    """Whether this is somebody, in a time that does not tell whether there is such a name.

    Args:
        is_known: this browser holds a token of an earlier login under this name.
        device: that token.
    """
    counted = [Counted("device", device, access.limits.device)]
    if not is_known:
        counted = [
            Counted("name", name_key(name[: 2 * people.MAX_NAME_CHARS]), access.limits.name),
            Counted("address", network_of(address), access.limits.address),
        ]
    with engine.begin() as connection:
        wait = login_limits.take(connection, counted, now)
    if wait is not None:
        return Refused(None, wait)
    with engine.connect() as connection:
        account, kept = people.to_check(connection, name)
    is_right, renewed = access.passwords.check(password, kept)
    if account is None or not is_right:
        return Refused(account)
    with engine.begin() as connection:
        login_limits.give_back(connection, counted, now)
        people.note_login(connection, account.id, now, renewed_hash=renewed)
    return account


def network_of(address: str) -> str:
    """What counts as one address: of IPv6, its network."""
    try:
        given = ip_address(address)
    except ValueError:
        return address
    if isinstance(given, IPv6Address) and given.ipv4_mapped is None:
        return str(int(given) >> (128 - IPV6_NETWORK_BITS))
    return str(given)


def address_of(request: Request) -> str:
    """Where a request comes from, as far as the server knows."""
    return request.client.host if request.client else ""


def session_cookie(request: Request) -> str | None:
    """The id that the browser holds."""
    return request.cookies.get(_cookie_name(request))


def set_session_cookie(request: Request, response: Response, session_id: str) -> None:
    """Give the browser its session, until the browser is closed or the session is over."""
    response.set_cookie(
        _cookie_name(request), session_id, httponly=True, samesite="lax", secure=is_secure(request), path="/"
    )


def drop_session_cookie(request: Request, response: Response) -> None:
    """Take the session out of the browser."""
    response.delete_cookie(_cookie_name(request), httponly=True, samesite="lax", secure=is_secure(request), path="/")


def known_device(request: Request, name: str, now: datetime) -> str | None:
    """The token of an earlier login under this name, if this browser holds one."""
    secret, token = request.app.state.signing_secret, request.cookies.get(DEVICE_COOKIE, "")
    if not secret:
        return None
    return token if signed_links.verify(secret, "device", name_key(name), token, now) else None


def set_device_cookie(request: Request, response: Response, name: str, now: datetime) -> None:
    """Remember that this name logged in here."""
    if secret := request.app.state.signing_secret:
        response.set_cookie(
            DEVICE_COOKIE,
            signed_links.sign(secret, "device", name_key(name), now + DEVICE_LENGTH),
            max_age=int(DEVICE_LENGTH.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=is_secure(request),
            path="/login",
        )


def is_secure(request: Request) -> bool:
    """Whether the browser speaks https with us, or with a proxy that we trust."""
    return request.url.scheme == "https"


def _cookie_name(request: Request) -> str:
    return SECURE_COOKIE if is_secure(request) else PLAIN_COOKIE
