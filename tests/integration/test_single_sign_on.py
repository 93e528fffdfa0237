"""Logging in by another server: the whole way with a real provider on loopback, and what it may not do to us."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import Engine
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from core.clock import MovableClock
from core.settings import load_settings
from opinion.console_access import access
from storage import audit_log, people
from storage.engine import connect
from tests.support import servers
from tests.support.accounts import browser, cheap, settle
from tests.support.consoles import serving
from tests.support.openid_provider import CLIENT, Provider, running
from web.access import Access
from web.app import create_app
from web.bounded_http import BoundedHttp, HttpProblem
from web.single_sign_on import Options, SingleSignOn

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
WANG = {
    "sub": "248289761001",
    "preferred_username": "王芳",
    "email": "wang@example.org",
    "email_verified": True,
    "groups": ["staff", "desk"],
}


@pytest.fixture(scope="module")
def engine(postgres_url: str, migrated_template: str) -> Iterator[Engine]:
    for url in servers._database(postgres_url, "CREATE DATABASE {} TEMPLATE {}", migrated_template):
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    with running(Provider({}, now=NOW.timestamp())) as provider:
        yield provider


@pytest.fixture
def provider(served: Provider) -> Provider:
    """Honest, with Wang Fang logged in."""
    served.person, served.lies, served.answers, served.signs_with = dict(WANG), {}, {}, None
    return served


@pytest.fixture(scope="module")
def urls(engine: Engine, served: Provider) -> Iterator[dict[str, str]]:
    """Three consoles of one installation: roles given here, roles given there, and one of another domain."""
    roles = {"desk": "analyst", "chiefs": "admin"}
    common = {"issuer": served.url, "client_id": CLIENT[0], "client_secret": CLIENT[1]}
    kinds = {
        "plain": Options(**common),
        "groups": Options(**common, role_claim="groups", roles=roles, default_role=None),  # type: ignore[arg-type]
        "domain": Options(**common, allowed_domains=("example.com",)),
    }
    with (
        serving(console(engine, kinds["plain"])) as plain,
        serving(console(engine, kinds["groups"])) as groups,
        serving(console(engine, kinds["domain"])) as domain,
    ):
        yield {"plain": plain, "groups": groups, "domain": domain}


def console(engine: Engine, options: Options):  # type: ignore[no-untyped-def]
    sign_on = SingleSignOn(options, BoundedHttp(seconds=1, most_bytes=20_000))
    by_it = Access(passwords=cheap(), sign_on=sign_on)
    return create_app(engine, clock=MovableClock(NOW), access=by_it, signing_secret=b"s" * 32)


def sign_on(client: httpx.Client, goal: str = "/documents?q=a") -> httpx.Response:
    """What the browser does: to the provider, and back with what it says."""
    away = client.get("/login/sso", params={"next": goal})
    assert away.status_code == 303, away.text
    back = httpx.get(away.headers["location"])
    return client.get(back.headers["location"])


def test_somebody_comes_in_by_another_server(urls: dict[str, str], provider: Provider, engine: Engine) -> None:
    """Code, PKCE, state and nonce; an account under their name, the page that was asked for, and the same account
    next time, under whatever name they have there by then."""
    with browser(urls["plain"]) as client:
        assert "127.0.0.1" in client.get("/login").text
        answer = sign_on(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/documents?q=a")
        assert "王芳" in client.get("/documents").text
        assert "password" not in client.get("/account").text.partition("<main")[2].replace("password-title", "")
    asked = provider.asked[-1]
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", "opinion")
    assert len(asked["state"]) >= 43
    assert asked["nonce"] != asked["state"]
    provider.person["preferred_username"] = "王芳芳"
    with browser(urls["plain"]) as client:
        sign_on(client)
        assert "王芳芳" not in client.get("/documents").text
    with engine.connect() as connection:
        [wang] = [one for one in people.known(connection) if one.name.startswith("王芳")]
        assert (wang.name, wang.role, wang.has_password) == ("王芳", "viewer", False)
        assert audit_log.page(connection, limit=1)[0].who == "王芳"


def test_a_name_alone_is_nobody(urls: dict[str, str], provider: Provider, engine: Engine) -> None:
    """Somebody there with the name of an admin here gets an account of their own."""
    settle(engine, "boss", "admin")
    provider.person |= {"sub": "other", "preferred_username": "BOSS"}
    with browser(urls["plain"]) as client:
        sign_on(client)
        assert client.get("/people").status_code == 403
    with engine.connect() as connection:
        assert people.named(connection, "boss").issuer is None
        assert sum(one.name.startswith("BOSS (") for one in people.known(connection)) == 1


def test_roles_follow_groups_at_each_login(urls: dict[str, str], provider: Provider, engine: Engine) -> None:
    """The highest of them, also down from the only admin; without any nobody comes in, and a disabled account stays
    out."""
    provider.person |= {"sub": "grouped", "preferred_username": "grouped"}
    for groups, role in ((["staff", "desk"], "analyst"), (["chiefs", "desk"], "admin"), ("desk", "analyst")):
        provider.person["groups"] = groups
        with browser(urls["groups"]) as client:
            assert sign_on(client).status_code == 303
        with engine.connect() as connection:
            assert people.named(connection, "grouped").role == role
    provider.person["groups"] = ["staff", 7, None]
    with browser(urls["groups"]) as client:
        assert sign_on(client).status_code == 401
    provider.person["groups"] = "desk"
    with engine.begin() as connection:
        people.disable(connection, people.named(connection, "grouped").id, NOW)
    with browser(urls["groups"]) as client:
        assert sign_on(client).status_code == 401
        assert client.get("/account").status_code == 303


@pytest.mark.parametrize(
    "mail",
    [
        {"email": "wang@example.org"},
        {"email": "wang@example.com", "email_verified": False},
        {"email": "wang@example.com", "email_verified": "true"},
        {"email": "wang@example.com.evil.org"},
        {"email": None},
    ],
)
def test_only_verified_addresses_of_a_domain_come_in(
    urls: dict[str, str], provider: Provider, mail: dict[str, object]
) -> None:
    """What the provider has not verified says nothing."""
    provider.person |= mail
    with browser(urls["domain"]) as client:
        assert sign_on(client).status_code == 401


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "another"},
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["opinion", "another"], "azp": "another"},
        {"exp": int(NOW.timestamp()) - 3600},
        {"iat": int(NOW.timestamp()) + 3600},
        {"sub": ""},
        {"sub": 7},
    ],
)
def test_a_word_that_is_not_for_us_is_not_believed(
    urls: dict[str, str], provider: Provider, lies: dict[str, object]
) -> None:
    """Another nonce, issuer, audience, time, or nobody's name."""
    provider.lies = lies
    with browser(urls["plain"]) as client:
        assert sign_on(client).status_code == 401
        assert "opinion_session" not in client.cookies


def test_a_foreign_signature_is_not_believed(urls: dict[str, str], provider: Provider) -> None:
    """A key that the provider does not publish, and a token without any signature."""
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "1"})
    with browser(urls["plain"]) as client:
        assert sign_on(client).status_code == 401
    provider.answers["/token"] = JSONResponse({"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."})
    with browser(urls["plain"]) as client:
        assert sign_on(client).status_code == 401


def test_what_did_not_begin_in_this_browser_ends_there(urls: dict[str, str], provider: Provider) -> None:
    """Another's answer (login CSRF), a second use, another state, an altered cookie, an error of the provider."""
    with browser(urls["plain"]) as attacker, browser(urls["plain"]) as victim:
        away = attacker.get("/login/sso").headers["location"]
        back = httpx.get(away).headers["location"]
        assert victim.get(back).status_code == 401
        victim.get("/login/sso")
        assert victim.get(back).status_code == 401
        assert attacker.get(back.replace("iss=", "iss=x")).status_code == 401
        assert attacker.get(back).status_code == 303
        assert attacker.get(back).status_code == 401
        state = httpx.URL(attacker.get("/login/sso").headers["location"]).params["state"]
        refused = attacker.get("/login/sso/callback", params={"state": state, "error": "<script>x</script>"})
        assert (refused.status_code, "<script>x" in refused.text) == (401, False)
        [name] = [one for one in attacker.cookies if one == "opinion_sso"]
        attacker.cookies.set(name, "e30=.1.x", domain="127.0.0.1", path="/login/sso")
        assert attacker.get("/login/sso/callback", params={"state": "x", "code": "x"}).status_code == 401


def test_a_provider_that_misbehaves_is_borne(engine: Engine, provider: Provider) -> None:
    """Slow, endless, no JSON, a redirect, an error, an issuer of another name, addresses without TLS: an answer
    within a bounded time, and nobody in."""

    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(30):  # more than is read
            yield b" " * 10_000

    tells = {"issuer": provider.url, "jwks_uri": f"{provider.url}/keys", "token_endpoint": f"{provider.url}/token"}
    answers: list[Response] = [
        StreamingResponse(endless()),
        Response("<html>", media_type="text/html"),
        Response("[]", media_type="application/json"),
        RedirectResponse("http://127.0.0.1:1/"),
        JSONResponse({}, 500),
        JSONResponse({**tells, "issuer": "https://evil.example", "authorization_endpoint": "https://x"}),
        JSONResponse({**tells, "authorization_endpoint": 7}),
        JSONResponse({**tells, "authorization_endpoint": "https://x", "jwks_uri": "http://evil.example/keys"}),
    ]
    with serving(console(engine, Options(provider.url, *CLIENT))) as url, browser(url) as client:
        for answer in answers:
            provider.answers["/.well-known/openid-configuration"] = answer
            assert client.get("/login/sso").status_code == 502


def test_an_answer_has_to_come_in_time(misbehaving: str) -> None:
    """A server that sends a byte now and then does not hold a login for ever."""
    with pytest.raises(HttpProblem, match="slow"):
        BoundedHttp(seconds=0.5).get(misbehaving)


@pytest.fixture
def misbehaving() -> Iterator[str]:
    """Sends its headers, then a space every tenth of a second."""

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(12):  # longer than is waited for
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.1)

    with serving(app) as url:  # type: ignore[arg-type]
        yield url


def test_settings_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret comes from the environment and is shown nowhere."""
    monkeypatch.setenv("OPINION_WEB__OIDC__ISSUER", "https://id.example.org")
    monkeypatch.setenv("OPINION_WEB__OIDC__CLIENT_ID", "opinion")
    monkeypatch.setenv("OPINION_WEB__OIDC__CLIENT_SECRET", "hunter2")
    monkeypatch.setenv("OPINION_WEB__OIDC__ROLES", json.dumps({"desk": "analyst"}))
    made = access(load_settings())
    assert made is not None
    assert made.sign_on is not None
    assert made.sign_on.options.client_secret == "hunter2"
    assert "hunter2" not in repr(made.sign_on.options) + repr(load_settings())
    assert timedelta(hours=8) == made.lengths.idle
