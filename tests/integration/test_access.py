"""Who comes in, who does not, what each may do, and what is written down: one console, many hostile requests."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError
from sse_starlette import EventSourceResponse
from starlette.testclient import TestClient

from core.clock import MovableClock
from storage import api_tokens, app_secrets, audit_log, people
from storage.engine import connect
from storage.login_limits import Limit
from tests.support import servers
from tests.support.accounts import PASSWORD, browser, cheap, log_in, settle
from tests.support.consoles import serving
from tests.support.rows import add_incident
from web import gate
from web.access import Access, Limits
from web.app import create_app
from web.auditing import leave_out
from web.gate import OPEN, OPEN_UNDER, UNASKED

START = datetime(2026, 3, 10, 15, tzinfo=UTC)
ACCESS = Access(passwords=cheap(), limits=Limits(address=Limit(12, timedelta(seconds=15))))
SAFE = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture(scope="module")
def url_of_database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    yield from servers._database(postgres_url, "CREATE DATABASE {} TEMPLATE {}", migrated_template)


@pytest.fixture(scope="module")
def engine(url_of_database: str) -> Iterator[Engine]:
    """A person of each role, and an incident."""
    engine = connect(url_of_database)
    for role in ("viewer", "annotator", "analyst", "admin"):
        settle(engine, role, role)  # type: ignore[arg-type]
    with engine.begin() as connection:
        add_incident(connection, severity="warning")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def app(engine: Engine) -> FastAPI:
    with engine.begin() as connection:
        secret = app_secrets.secret(connection)
    return create_app(engine, clock=MovableClock(START), access=ACCESS, signing_secret=secret)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    with serving(app) as url:
        yield url


@pytest.fixture
def clock(app: FastAPI) -> MovableClock:
    """An hour later, so that nothing another test has tried counts any more."""
    clock: MovableClock = app.state.console.clock
    clock.advance(timedelta(hours=1))
    return clock


@pytest.fixture
def client(url: str, clock: MovableClock) -> Iterator[httpx.Client]:
    with browser(url) as client:
        yield client


def lines(engine: Engine, most: int = 100) -> list[tuple[str, str, str, str]]:
    with engine.connect() as connection:
        return [(one.who, one.what, one.subject, one.outcome) for one in audit_log.page(connection, limit=most)]


def routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in flat(app.routes) if isinstance(route, APIRoute)]


def flat(found: Any) -> Iterator[Any]:
    """Routes, also those that FastAPI keeps within a router that was included."""
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from flat(inner.routes)
        else:
            yield route


def test_whatever_is_not_named_open_is_closed(app: FastAPI, client: httpx.Client) -> None:
    """Without a login every page leads to the login and every API call is 401, for each route that there is."""
    assert len(routes(app)) > 50
    for route in routes(app):
        path = re.sub(r"\{[^}]*\}", "7", route.path)
        if path in OPEN | UNASKED or path.startswith(OPEN_UNDER):
            continue
        for method in route.methods:
            answer = client.request(method, path, json={})
            if path.startswith("/api/"):
                assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer"), path
                assert answer.json()["error"]["code"] == "login_needed"
            else:
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith("/login"), path
    for path in ("/api/openapi.json", "/nowhere", "/api/v1/nowhere"):
        assert client.get(path).status_code in {303, 401}
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics", "/login")] == [200] * 4
    assert client.get("/static/access.css").status_code == 200
    for host in ("localhost/login?", "localhost/i/", "localhost/static/x?"):
        answer = client.get("/documents", headers={"host": host})
        assert (answer.status_code, "document" in answer.text) == (400, False)
    part = client.get("/", headers={"hx-request": "true", "hx-current-url": f"{client.base_url}/?range=7d"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login?next=/%3Frange%3D7d")


def test_every_changing_route_asks_for_a_role(app: FastAPI) -> None:
    """A route that somebody adds without a guard is found here; what only tries something says that it does."""
    own = {"/login", "/logout", "/account/password", "/account/sessions/end", "/i/{incident_id}/acknowledge"}
    for route in routes(app):
        if route.path in own or not route.methods - SAFE:
            continue
        calls = [one.call for one in dependencies(route.dependant)]  # codespell:ignore dependant
        called = {getattr(one, "__qualname__", "") for one in calls}
        assert leave_out in calls or any(name.startswith(("needs_role.", "needs.")) for name in called), route.path


def dependencies(of: Any) -> Iterator[Any]:
    for one in of.dependencies:
        yield one
        yield from dependencies(one)


def test_a_login_begins_a_session_that_sql_cannot_betray(client: httpx.Client, engine: Engine) -> None:
    """The page that was asked for follows; the cookie is out of scripts' reach, and SQL holds no part of it."""
    asked = client.get("/documents?q=a")
    assert asked.headers["location"] == "/login?next=/documents%3Fq%3Da"
    assert 'value="/documents?q=a"' in client.get(asked.headers["location"]).text
    answer = log_in(client, " VIEWER ", next="/documents?q=a")
    assert (answer.status_code, answer.headers["location"]) == (303, "/documents?q=a")
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if one.startswith("opinion_session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # over https it has, and another name: test_a_session_over_https
    assert "Max-Age" not in cookie
    session_id = client.cookies["opinion_session"]
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT session::text, person::text FROM session, person")).all()
    assert session_id not in str(stored)
    assert PASSWORD not in str(stored)
    page = client.get("/documents").text
    assert "viewer" in page
    assert '/logout"' in page
    assert client.get("/login?next=//evil.example").headers["location"] == "/"


@pytest.mark.parametrize("goal", ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\na: b"])
def test_a_login_does_not_lead_away(client: httpx.Client, goal: str) -> None:
    """No open redirect."""
    assert log_in(client, "viewer", next=goal).headers["location"] == "/"


def test_wrong_name_and_wrong_password_read_the_same(client: httpx.Client, engine: Engine) -> None:
    """Nobody learns who has an account; and what was typed as a name is not written down, since it may be a
    password."""
    answers = [log_in(client, name, password) for name, password in (("viewer", "x" * 20), ("hunter2-secret", "y"))]
    assert [one.status_code for one in answers] == [401, 401]
    bodies = [re.sub(r'value="[^"]*"', "", one.text) for one in answers]
    assert bodies[0] == bodies[1]
    assert lines(engine, 2) == [("", "login", "", "refused"), ("", "login", "viewer", "refused")]
    with engine.connect() as connection:
        assert "hunter2" not in str(connection.execute(text("SELECT audit_log::text FROM audit_log")).all())
    for odd in ("", "\udcff", "x" * 5000, "<script>alert(1)</script>", "' OR 1=1 --"):
        answer = client.post(
            "/login",
            content=httpx.QueryParams({"name": odd.encode("utf-8", "replace")}).__str__(),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 401
        assert "<script>alert" not in answer.text


def test_a_one_time_password_opens_nothing_but_its_change(client: httpx.Client, engine: Engine) -> None:
    """Until it is changed every page leads to the account, and the API says why; then the old one is nothing."""
    with engine.begin() as connection:
        people.add(connection, "novice", "admin", cheap().hash("once-once-once-once"), by="test")
    assert log_in(client, "novice", "once-once-once-once", next="/documents").headers["location"] == "/account"
    assert client.get("/documents").headers["location"] == "/account"
    assert client.get("/people").headers["location"] == "/account"
    refused = client.get("/api/v1/overview")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "must_change")

    def change(old: str, new: str, again: str | None = None) -> httpx.Response:
        return client.post("/account/password", data={"old": old, "new": new, "again": again or new})

    once = "once-once-once-once"
    for old, new, again in (
        ("wrong", PASSWORD, None),
        (once, PASSWORD, "differs"),
        (once, once, None),
        (once, "short", None),
        (once, "novice-novice-1", None),
    ):
        assert change(old, new, again).status_code == 422
    before = client.cookies["opinion_session"]
    assert change(once, PASSWORD).headers["location"] == "/account?note=changed"
    assert client.cookies["opinion_session"] != before
    assert client.get("/people").status_code == 200
    assert httpx.get(f"{client.base_url}/people", cookies={"opinion_session": before}).status_code == 303
    assert log_in(client, "novice", once).status_code == 401


def test_guessing_is_slowed_and_its_owner_is_not_kept_out(url: str, clock: MovableClock, engine: Engine) -> None:
    """Eight tries, then one a minute for strangers, wherever they come from and whichever console they ask; the
    browser in which the owner was logged in before is counted by itself."""
    settle(engine, "target")
    with browser(url) as known, browser(url) as stranger, browser(url, address="127.0.0.2") as other:
        log_in(known, "target")
        known.post("/logout")
        assert [log_in(stranger, "target", "guess").status_code for _ in range(8)] == [401] * 8
        for one in (stranger, other):
            answer = log_in(one, "TARGET", PASSWORD)  # even the right one
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
        again = create_app(engine, clock=clock, access=Access(passwords=cheap()))
        with serving(again) as twin, browser(twin) as elsewhere:
            assert log_in(elsewhere, "target").status_code == 429
        assert log_in(known, "target").status_code == 303
        assert log_in(stranger, "viewer").status_code == 303  # only that name is slow
        clock.advance(timedelta(seconds=61))
        assert log_in(other, "target").status_code == 303


def test_one_address_cannot_try_many_names(url: str, clock: MovableClock, engine: Engine) -> None:
    """After a dozen it waits; other addresses do not, and floods do not fill the audit log."""
    before = len(lines(engine, 10_000))
    with browser(url, address="127.0.0.9") as flood, browser(url, address="127.0.0.8") as calm:
        answers = [log_in(flood, f"name{nth}", "guess").status_code for nth in range(15)]
        assert answers == [401] * 12 + [429] * 3
        assert log_in(calm, "viewer").status_code == 303
    assert len(lines(engine, 10_000)) == before + 13


def test_sessions_end(url: str, clock: MovableClock, engine: Engine) -> None:
    """By idleness, by age, by logging out here or from elsewhere, and at once when somebody is disabled."""
    settle(engine, "guest", "analyst")
    with browser(url) as client, browser(url) as second:
        log_in(client, "guest")
        for _ in range(3):
            clock.advance(timedelta(hours=7))
            assert client.get("/account").status_code == 200
        clock.advance(timedelta(hours=8))
        assert client.get("/account").status_code == 303
        log_in(client, "guest")
        for _ in range(23):
            clock.advance(timedelta(hours=7))
            assert client.get("/account").status_code == 200
        clock.advance(timedelta(hours=7))
        assert client.get("/account").status_code == 303
        for one in (client, second):
            log_in(one, "guest")
        stolen = second.cookies["opinion_session"]
        second.post("/logout")
        assert "opinion_session" not in second.cookies
        assert httpx.get(f"{url}/account", cookies={"opinion_session": stolen}).status_code == 303
        log_in(second, "guest")
        page = client.get("/account").text
        [key] = re.findall(r'name="key" value="(\w+)"', page)
        client.post("/account/sessions/end", data={"key": key})
        assert second.get("/account").status_code == 303
        with engine.begin() as connection:
            guest = people.named(connection, "guest")
            people.set_role(connection, guest.id, "viewer")
        assert client.post("/incidents/1/acknowledge").status_code == 403
        with engine.begin() as connection:
            people.disable(connection, guest.id, clock.now())
        assert client.get("/account").status_code == 303
        assert log_in(client, "guest").status_code == 401


def test_a_planted_session_is_not_taken_over(url: str, clock: MovableClock) -> None:
    """Whatever id a browser held before the login, it is another one after it."""
    with browser(url) as client:
        client.cookies.set("opinion_session", "planted")
        log_in(client, "viewer")
        assert "planted" not in [one.value for one in client.cookies.jar if one.value and one.domain]
        with browser(url) as attacker:
            attacker.cookies.set("opinion_session", "planted")
            assert attacker.get("/account").status_code == 303


def test_other_sites_can_neither_act_nor_log_in_nor_out(url: str, clock: MovableClock) -> None:
    """Also a sibling on the same domain, a hidden origin, another port, and a browser that states nothing."""
    with browser(url) as client:
        log_in(client, "analyst")
        cookies = dict(client.cookies)
        hostile: list[dict[str, str]] = [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site", "origin": url},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:1"},
        ]
        for headers in hostile:
            for path in ("/incidents/1/acknowledge", "/logout", "/login", "/account/password"):
                form = {"name": "analyst", "password": PASSWORD}
                answer = httpx.post(f"{url}{path}", headers=headers, cookies=cookies, data=form)
                assert (answer.status_code, "set-cookie" in answer.headers) == (403, False), (headers, path)
        assert httpx.post(f"{url}/logout", cookies=cookies).status_code == 403
        assert httpx.get(f"{url}/logout", cookies=cookies).status_code == 405
        assert client.get("/account").status_code == 200
        json = {"matchers": ['a="b"'], "ends_at": "2030-01-01T00:00:00Z"}
        for headers in (*hostile, {}):
            answer = httpx.post(f"{url}/api/v1/silences", headers=headers, cookies=cookies, json=json)
            assert answer.status_code == 403
        assert client.post("/incidents/1/acknowledge").status_code == 303
        assert client.post("/incidents/1/acknowledge", headers={"sec-fetch-site": "same-origin"}).status_code == 303


def test_each_role_does_what_it_may(url: str, clock: MovableClock) -> None:
    """A viewer reads, an annotator labels, an analyst acts, an admin manages people; each sees what is theirs."""
    allowed: dict[str, list[int]] = {}
    for role in ("viewer", "annotator", "analyst", "admin"):
        with browser(url) as client:
            log_in(client, role)
            allowed[role] = [
                client.get("/api/v1/overview").status_code,
                client.get("/label").status_code,
                client.post("/api/v1/incidents/1/comments", json={"text": role}).status_code,
                client.put("/api/v1/watchlists/a", json={"any": ["a"]}).status_code,
                client.delete("/api/v1/subscriptions/none").status_code,
                client.get("/people").status_code,
                client.get("/audit").status_code,
                client.post("/people/tokens", data={"name": "t", "scope": "write"}).status_code,
            ]
    assert allowed == {
        "viewer": [200, 403, 403, 403, 403, 403, 403, 403],
        "annotator": [200, 200, 403, 403, 403, 403, 403, 403],
        "analyst": [200, 200, 200, 200, 404, 403, 403, 403],
        "admin": [200, 200, 200, 200, 404, 200, 200, 200],
    }


def test_the_api_document_says_how_to_come_in(url: str, clock: MovableClock, engine: Engine) -> None:
    """Whoever writes a client learns of tokens, and of what comes without one; it is not for strangers either."""
    assert httpx.get(f"{url}/api/openapi.json").status_code == 401
    with engine.begin() as connection:
        _, token = api_tokens.create(connection, "reader", ["read"])
    said = httpx.get(f"{url}/api/openapi.json", headers={"authorization": f"Bearer {token}"}).json()
    assert said["security"] == [{"HTTPBearer": []}, {"session": []}]
    assert set(said["components"]["securitySchemes"]) == {"HTTPBearer", "session"}
    assert all({"401", "403"} <= set(one["responses"]) for path in said["paths"].values() for one in path.values())
    assert not [path for path in said["paths"] if not path.startswith("/api/v1/")]


def test_people_act_in_their_own_name(url: str, clock: MovableClock, engine: Engine) -> None:
    """`by` of a body is for programs; a person cannot write in another's name, nor label in one."""
    with engine.begin() as connection:
        number = add_incident(connection, fingerprint="own name")
        _, token = api_tokens.create(connection, "chatbot", ["write"])
    with browser(url) as client:
        log_in(client, "analyst")
        client.cookies.set("opinion_annotator", "somebody")
        assert 'name="name"' not in client.get("/label").text
        said = client.post(f"/api/v1/incidents/{number}/acknowledge", json={"by": "the boss"}).json()
        assert said["acknowledged_by"] == "analyst"
    bot = {"authorization": f"Bearer {token}"}
    said = httpx.post(f"{url}/api/v1/incidents/{number}/comments", json={"text": "x", "by": "王芳"}, headers=bot)
    httpx.post(f"{url}/api/v1/incidents/{number}/comments", json={"text": "y"}, headers=bot)
    events = httpx.get(f"{url}/api/v1/incidents/{number}", headers=bot).json()["events"]
    assert [one["actor"] for one in events][-3:] == ["analyst", "王芳", "chatbot"]
    assert lines(engine, 1)[0][:2] == ("token chatbot", "POST /api/v1/incidents/{incident_id}/comments")


def test_a_token_does_what_its_scope_says(url: str, clock: MovableClock, engine: Engine) -> None:
    """Read reads, write changes and reads, documents:write does neither; none opens a page, none manages people."""
    with engine.begin() as connection:
        made = {scope: api_tokens.create(connection, scope, [scope]) for scope in api_tokens.SCOPES}

    def ask(scope: str, method: str, path: str, **given: Any) -> int:
        headers = {"authorization": f"bearer {made[scope][1]}"}  # type: ignore[index]
        return httpx.request(method, f"{url}{path}", headers=headers, **given).status_code

    silence = {"matchers": ['a="b"'], "ends_at": (clock.now() + timedelta(hours=1)).isoformat()}
    answers = {
        scope: [
            ask(scope, "GET", "/api/v1/overview"),
            ask(scope, "POST", "/api/v1/silences", json=silence),
            ask(scope, "GET", "/documents"),
            ask(scope, "POST", "/people", data={"name": "x"}),
        ]
        for scope in api_tokens.SCOPES
    }
    assert answers == {
        "documents:write": [403, 403, 303, 303],
        "read": [200, 403, 303, 303],
        "write": [200, 201, 303, 303],
    }
    with engine.begin() as connection:
        api_tokens.revoke(connection, made["read"][0].id)
    assert ask("read", "GET", "/api/v1/overview") == 401
    for bad in ("Bearer", "Bearer x", "Bearer opinion_1_x", "bearer opinion_9", "Bearer \xff"):
        sent = {b"authorization": bad.encode("latin-1")}
        assert httpx.get(f"{url}/api/v1/overview", headers=sent).status_code == 401  # type: ignore[arg-type]


def test_admins_manage_people_and_somebody_is_always_left(url: str, clock: MovableClock, engine: Engine) -> None:
    """Add, hand over the one-time password once, change the role, reset, disable; names are shown, never obeyed."""
    hostile = '<img src=x onerror=alert(1)>{{7*7}}"\u202e'
    with browser(url) as admin:
        log_in(admin, "admin")
        page = admin.post("/people", data={"name": hostile, "role": "viewer"}).text
        assert "<img src=x" not in page
        [once] = re.findall(r'class="secret"[^>]*>([a-z2-9-]+)<', page)
        assert once not in admin.get("/people").text
        assert admin.post("/people", data={"name": hostile.upper(), "role": "viewer"}).status_code == 422
        assert admin.post("/people", data={"name": "a\nb", "role": "viewer"}).status_code == 422
        assert admin.post("/people", data={"name": "x", "role": "king"}).status_code == 422
        with engine.connect() as connection:
            number = people.named(connection, hostile).id
        with browser(url) as client:
            assert log_in(client, hostile, once).headers["location"] == "/account"
            assert "<img src=x" not in client.get("/account").text
            assert admin.post(f"/people/{number}/role", data={"role": "analyst"}).status_code == 303
            again = admin.post(f"/people/{number}/reset").text
            assert client.get("/account").status_code == 303
            assert once not in again
        assert admin.post(f"/people/{number}/disable").status_code == 303
        assert admin.post(f"/people/{number}/enable").status_code == 303
        assert admin.post("/people/999999/disable").status_code == 404
        with engine.begin() as connection:
            for one in people.known(connection):
                if one.role == "admin" and one.name != "admin":
                    people.set_role(connection, one.id, "viewer")
            own = people.named(connection, "admin").id
        for act, form in (("disable", {}), ("role", {"role": "viewer"})):
            answer = admin.post(f"/people/{own}/{act}", data=form)
            assert (answer.status_code, "last admin" in answer.text) == (409, True)


def test_what_was_changed_is_written_down_for_good(url: str, clock: MovableClock, engine: Engine) -> None:
    """Who, what, from where and what became of it; tries are not, secrets never; nobody alters or sees it by SQL of
    dashboards."""
    with browser(url) as client:
        log_in(client, "analyst")
        client.put("/api/v1/watchlists/刀郎", json={"any": ["刀郎"]})
        client.put("/api/v1/watchlists/bad", json={"any": []})
        client.post("/api/v1/watchlists/test", json={"watchlist": {"any": ["刀郎"]}})
        client.get("/documents")
        client.post("/account/password", data={"old": "hunter2-wrong", "new": "hunter2-new", "again": "hunter2-new"})
        client.post("/logout")
        assert lines(engine, 5) == [
            ("analyst", "logout", "", "done"),
            ("analyst", "password", "analyst", "refused"),
            ("analyst", "PUT /api/v1/watchlists/{name:path}", "/api/v1/watchlists/bad", "refused"),
            ("analyst", "PUT /api/v1/watchlists/{name:path}", "/api/v1/watchlists/刀郎", "done"),
            ("analyst", "login", "analyst", "done"),
        ]
        log_in(client, "admin")
        page = client.get("/audit").text
        assert "刀郎" in page
        assert "127.0.0.1" in page
        oldest = min(int(one) for one in re.findall(r"before=(\d+)", page) or ["2"])
        assert client.get(f"/audit?before={oldest}").status_code == 200
    secret = text("SELECT string_agg(audit_log::text, ' ') FROM audit_log")
    with engine.connect() as connection:
        written = str(connection.scalar(secret))
    assert not any(word in written for word in ("hunter2", PASSWORD, "opinion_1_"))
    for statement in ("UPDATE audit_log SET who = ''", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    for table in ("audit_log", "person", "session", "app_secret", "login_limit"):
        with engine.connect() as connection:
            connection.execute(text("SET ROLE opinion_bi"))
            with pytest.raises(DatabaseError, match="permission denied"):
                connection.execute(text(f"SELECT 1 FROM {table}"))  # noqa: S608


def test_a_stream_ends_with_its_admission(
    engine: Engine, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is disabled, or whose token is revoked, hears nothing more of a stream that was open before."""
    monkeypatch.setattr(gate, "RECHECK_SECONDS", 0.05)
    app = create_app(engine, clock=clock, access=ACCESS)

    async def events() -> AsyncIterator[str]:
        while True:
            yield "x"
            await asyncio.sleep(0.01)

    @app.get("/api/v1/endless")
    def endless() -> EventSourceResponse:
        return EventSourceResponse(events())

    number = settle(engine, "listener")
    with engine.begin() as connection:
        made, token = api_tokens.create(connection, "listener", ["read"])
    bearer = {"authorization": f"Bearer {token}"}
    with serving(app) as url, browser(url) as person, browser(url, **bearer) as program:
        log_in(person, "listener")
        for client in (person, program):
            with client.stream("GET", "/api/v1/endless") as answer:
                heard = answer.iter_bytes()
                next(heard)
                clock.advance(timedelta(minutes=5))
                next(heard)
                with engine.begin() as connection:
                    people.disable(connection, number, clock.now())
                    if client is program:
                        api_tokens.revoke(connection, made.id)
                with contextlib.suppress(httpx.RemoteProtocolError):  # however a stream ends
                    for _ in heard:
                        pass


def test_a_session_over_https_is_bound_to_it(engine: Engine, clock: MovableClock) -> None:
    """Behind a proxy with TLS the cookie is Secure and of a name that no other host can set."""
    app = create_app(engine, clock=clock, access=Access(passwords=cheap()))
    with TestClient(app, base_url="https://localhost", follow_redirects=False) as client:
        answer = client.post("/login", data={"name": "viewer", "password": PASSWORD})
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if "session" in one]
    assert cookie.startswith("__Host-opinion_session=")
    assert "Secure" in cookie


def test_a_lost_database_is_said_and_nobody_comes_in() -> None:
    """Pages and API answer 503 instead of letting anybody in; probes and the look of the page go on."""
    engine = connect("postgresql://nobody@127.0.0.1:1/none")
    with serving(create_app(engine, access=Access(passwords=cheap()))) as url, browser(url) as client:
        client.cookies.set("opinion_session", "x")
        assert client.get("/documents").status_code == 503
        assert client.get("/api/v1/overview", headers={"authorization": "Bearer opinion_1_x"}).status_code == 503
        assert log_in(client, "viewer").status_code == 503
        assert client.get("/healthz").status_code == 200
    engine.dispose()
