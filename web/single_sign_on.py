"""People for whom another server vouches: OpenID Connect, authorization code with PKCE.

Nothing is kept here between going there and coming back: what has to match (state, nonce, verifier, the page to go on
to) is in a signed cookie of the browser that left, for ten minutes. A code works once, at the provider.
"""

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core.roles import ROLES, Role
from storage.people import Vouched
from web import signed_links
from web.bounded_http import BoundedHttp, HttpProblem
from web.next_pages import own_page

COOKIE: Final = "opinion_sso"
COOKIE_PATH: Final = "/login/sso"
ROUND_TRIP: Final = timedelta(minutes=10)
KEYS_LAST: Final = timedelta(minutes=10)
LEEWAY_SECONDS: Final = 60
ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA"]
PURPOSE: Final = "sso"


class SignOnError(Exception):
    """Nobody came in. `reason` is a word for the log and the page; what the provider said is not repeated."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Options:
    """Which server vouches, for whom.

    Attributes:
        name_claim: what people are called by; the e-mail address or the subject where it is absent.
        role_claim: which claim holds groups or roles; empty: an admin gives roles here.
        roles: the role of each value of that claim; of several the highest.
        default_role: of who has none of them; None: they do not come in.
        allowed_domains: of verified e-mail addresses; empty: any.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    role_claim: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    default_role: Role | None = "viewer"
    allowed_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """Where to send the browser, and what it has to bring back."""

    url: str
    cookie: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Found:
    """Who came back. `is_role_theirs`: the provider says the role, at each login anew."""

    who: Vouched
    name: str
    role: Role
    is_role_theirs: bool
    goal: str


class _Trip(msgspec.Struct, frozen=True):
    state: str
    nonce: str
    verifier: str
    goal: str


class _Provider(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@dataclass(slots=True)
class _Fetched:
    provider: _Provider
    keys: KeySet
    at: datetime


class SingleSignOn:
    """One provider. Safe to use from several threads; blocks while the provider answers, for seconds at most."""

    def __init__(self, options: Options, http: BoundedHttp | None = None) -> None:
        self.options = options
        self._http = http or BoundedHttp()
        self._lock = threading.Lock()
        self._fetched: _Fetched | None = None

    @property
    def host(self) -> str:
        """For the button."""
        return urlsplit(self.options.issuer).hostname or self.options.issuer

    def start(self, callback: str, secret: bytes, goal: str, now: datetime) -> Started:
        """Raises SignOnError: the provider does not answer as one does."""
        provider = self._known(now).provider
        trip = _Trip(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), own_page(goal))
        url = prepare_grant_uri(
            provider.authorization_endpoint,
            client_id=self.options.client_id,
            response_type="code",
            redirect_uri=callback,
            scope=" ".join(self.options.scopes),
            state=trip.state,
            nonce=trip.nonce,
            code_challenge=create_s256_code_challenge(trip.verifier),
            code_challenge_method="S256",
        )
        packed = base64.urlsafe_b64encode(msgspec.json.encode(trip)).decode()
        seal = signed_links.sign(secret, PURPOSE, packed, now + ROUND_TRIP)
        return Started(str(url), f"{packed}.{seal}", int(ROUND_TRIP.total_seconds()))

    def finish(self, answer: Mapping[str, str], cookie: str, callback: str, secret: bytes, now: datetime) -> Found:
        """Who it is that the provider sends back.

        Raises:
            SignOnError: it did not begin here, or the provider or its word is not to be believed.
        """
        trip = _opened(cookie, secret, now)
        if not hmac.compare_digest(trip.state.encode(), answer.get("state", "").encode("utf-8", "surrogatepass")):
            raise SignOnError("state")
        if "error" in answer:
            raise SignOnError("refused_there")
        fetched = self._known(now)
        if answer.get("iss", fetched.provider.issuer) != fetched.provider.issuer:  # RFC 9207
            raise SignOnError("issuer")
        if not answer.get("code"):
            raise SignOnError("no_code")
        id_token = self._exchange(fetched.provider, answer["code"], callback, trip.verifier)
        return self._believed(self._claims(id_token, trip.nonce, now), trip.goal)

    def _exchange(self, provider: _Provider, code: str, callback: str, verifier: str) -> str:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": verifier,
            "client_id": self.options.client_id,
        }
        auth = (self.options.client_id, self.options.client_secret) if self.options.client_secret else None
        try:
            said = self._http.post(provider.token_endpoint, fields, auth)
        except HttpProblem as error:
            raise SignOnError(error.reason) from error
        id_token = said.get("id_token")
        if not isinstance(id_token, str):
            raise SignOnError("no_id_token")
        return id_token

    def _claims(self, id_token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        try:
            token = self._decoded(id_token, now)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {"iss": {"values": [self._known(now).provider.issuer]}, "aud": {"value": self.options.client_id}},
                {"nonce": nonce, "client_id": self.options.client_id},
            )
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignOnError("id_token") from error
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise SignOnError("id_token")
        return dict(claims)

    def _decoded(self, id_token: str, now: datetime) -> jwt.Token:
        fetched = self._known(now)
        try:
            return jwt.decode(id_token, fetched.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            if now - fetched.at < timedelta(seconds=30):
                raise
        return jwt.decode(id_token, self._known(now, anew=True).keys, algorithms=ALGORITHMS)  # keys were changed

    def _believed(self, claims: Mapping[str, Any], goal: str) -> Found:
        options = self.options
        mail = claims.get("email") if claims.get("email_verified") is True else None
        if options.allowed_domains:
            domain = str(mail or "").rpartition("@")[2].lower()
            if domain not in {one.lower() for one in options.allowed_domains}:
                raise SignOnError("domain")
        theirs = claims.get(options.role_claim) if options.role_claim else None
        held = theirs if isinstance(theirs, list) else [theirs]
        named = [options.roles[one] for one in held if isinstance(one, str) and one in options.roles]
        role = max(named, key=ROLES.index) if named else options.default_role
        if role is None:
            raise SignOnError("no_role")
        name = claims.get(options.name_claim) or mail or claims["sub"]
        is_theirs = bool(options.role_claim)
        return Found(Vouched(options.issuer, claims["sub"]), str(name), role, is_theirs, goal)

    def _known(self, now: datetime, *, anew: bool = False) -> _Fetched:
        """The provider's addresses and keys, fetched now and then."""
        with self._lock:
            if self._fetched and not anew and now - self._fetched.at < KEYS_LAST:
                return self._fetched
            issuer = self.options.issuer
            try:
                said = self._http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                provider = msgspec.convert(said, _Provider)
                if provider.issuer != issuer:  # OpenID Connect Discovery 1.0, section 4.3
                    raise SignOnError("issuer")
                keys = KeySet.import_key_set(self._http.get(provider.jwks_uri))  # type: ignore[arg-type]
            except HttpProblem as error:
                raise SignOnError(error.reason) from error
            except (msgspec.ValidationError, JoseError, ValueError, TypeError, KeyError) as error:
                raise SignOnError("provider") from error
            self._fetched = _Fetched(provider, keys, now)
            return self._fetched


def _opened(cookie: str, secret: bytes, now: datetime) -> _Trip:
    packed, _, seal = cookie.partition(".")
    if not signed_links.verify(secret, PURPOSE, packed, seal, now):
        raise SignOnError("state")
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(packed), type=_Trip)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise SignOnError("state") from error
