"""The editors without JavaScript: plain forms that preview, refuse beside the field, save, and answer by 303."""

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape

import httpx
import pytest
from sqlalchemy import Engine, text
from starlette.types import ASGIApp, Receive, Scope, Send

from core.clock import MovableClock
from core.watchlists import Watchlist
from storage import human_labels, rules, silences, subscriptions, watchlist_backfills, watchlists
from storage.engine import connect
from storage.stored_documents import Place
from storage.watchlist_backfills import BackfillState
from tests.support.consoles import serving
from tests.support.editing import NOW, prepare
from web.app import create_app
from web.backfills import BackfillRun
from web.roles import Person

RECEIVERS = (("webhook", "desk"), ("apprise", "chat"))


class Backfills:
    """Remembers what was asked for."""

    def __init__(self) -> None:
        self.runs: dict[str, BackfillRun] = {}

    def start(self, name: str, since: datetime | None) -> None:
        self.runs[name] = BackfillRun("runs", since)

    def of(self, name: str) -> BackfillRun | None:
        return self.runs.get(name)


@pytest.fixture(scope="module")
def engine(module_database_url: str) -> Iterator[Engine]:
    """Each test changes something of its own."""
    engine = connect(module_database_url)
    prepare(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def backfills() -> Backfills:
    return Backfills()


@pytest.fixture(scope="module")
def console(engine: Engine, backfills: Backfills) -> Iterator[str]:
    app = create_app(engine, clock=MovableClock(NOW), receivers=RECEIVERS, backfills=backfills)  # type: ignore[arg-type]
    with serving(app) as url:
        yield url


@pytest.fixture
def client(console: str) -> Iterator[httpx.Client]:
    headers = {"accept": "text/html", "accept-language": "en"}
    with httpx.Client(base_url=console, headers=headers, timeout=60) as client:
        yield client


class Viewed:
    """Everybody is this person."""

    def __init__(self, app: ASGIApp, person: Person) -> None:
        self._app = app
        self._person = person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["person"] = self._person
        await self._app(scope, receive, send)


def words(page: httpx.Response, part: str = "") -> str:
    """What a page says, from the element with this id on."""
    found = page.text[page.text.index(f'id="{part}"') :] if part else page.text
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", found).split()))


def saved(client: httpx.Client, path: str, form: dict[str, str]) -> str:
    """Send a form that is taken; what the page says that it leads to."""
    answer = client.post(path, data=form)
    assert answer.status_code == 303, words(answer)
    return words(client.get(answer.headers["location"]))


def test_watchlists_by_plain_forms(client: httpx.Client, engine: Engine, backfills: Backfills) -> None:
    """Made, tried, changed, backfilled and removed; a file's is shown and not changed."""
    assert "marathon" in words(client.get("/watchlists"))
    assert "marathon" not in words(client.get("/watchlists", params={"find": "苹"}))
    assert "No watchlist is called so" in words(client.get("/watchlists", params={"find": "nobody"}))
    wrong = client.post("/watchlists/save", data={"name": "x", "any": "手机\n\n\u3000\n", "query": "a AND"})
    assert (wrong.status_code, "not understood" in words(wrong, "fault-query")) == (422, True)
    assert "手机" in wrong.text
    assert "to correct" in words(wrong)
    taken = client.post("/watchlists/save", data={"name": "苹果", "any": "x"})
    assert (taken.status_code, "There is one of this name" in words(taken)) == (422, True)

    tried = client.post("/watchlists/preview", data={"was": "苹果", "any": "苹果", "exclude": "苹果手机"})
    shown = words(tried, "preview")
    assert "<mark>苹果</mark>" in tried.text
    assert "<mark>蘋果</mark>" in tried.text
    assert "The saved version matches 40" in shown
    assert "+ 16 new" in shown.replace("+16", "+ 16")
    assert "kept out by the phrase “苹果手机”" in shown
    assert "<script>window" not in tried.text

    assert "Saved" in saved(client, "/watchlists/save", {"was": "苹果", "name": "other", "any": "苹果\nVision Pro"})
    with engine.connect() as connection:
        row = watchlists.one(connection, "苹果")
        assert (row.definition, row.updated_by) == ({"any": ["苹果", "Vision Pro"]}, "console")
    assert "has been started" in saved(client, "/watchlists/backfill", {"was": "苹果", "days": "7"})
    assert backfills.runs["苹果"].state == "runs"
    assert client.post("/watchlists/backfill", data={"was": "苹果", "days": "8"}).status_code == 422

    own = words(client.get("/watchlists/edit", params={"name": "马拉松 <b>"}))
    assert "The file /etc/opinion/watch.yaml owns this one" in own
    owned = {"was": "马拉松 <b>", "any": "x"}
    assert client.post("/watchlists/save", data=owned).status_code == 422
    assert client.post("/watchlists/remove", data=owned).status_code == 409
    assert "No longer watched" in saved(client, "/watchlists/remove", {"was": "苹果"})
    assert client.get("/watchlists/edit", params={"name": "苹果"}).status_code == 404


def test_a_backfill_shows_how_far_it_has_come(client: httpx.Client, engine: Engine, backfills: Backfills) -> None:
    """Also one that a command started; one that was broken off is told from one at work; the list says it, too."""
    with engine.begin() as connection:
        watchlists.put(connection, [Watchlist("小米", any=("小米",))], by="li")
        watchlist_backfills.begin(connection, b"key", ["小米"], None)
        state = BackfillState(NOW, Place(NOW, "d"), {"documents": 36, "added": 1, "removed": 0})
        watchlist_backfills.save(connection, b"key", state)
        connection.execute(text("UPDATE watchlist_backfill SET updated_at = :now"), {"now": NOW})
    at = {"name": "小米"}
    assert "at work 36 of about" in words(client.get("/watchlists/edit", params=at), "backfill")
    assert "at work 36 /" in words(client.get("/watchlists"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE watchlist_backfill SET updated_at = :now - interval '1 hour'"), {"now": NOW})
    assert "broken off" in words(client.get("/watchlists/edit", params=at), "backfill")
    backfills.runs["小米"] = BackfillRun("failed", None, "another backfill is at work")
    assert "another backfill is at work" in words(client.get("/watchlists/edit", params=at), "backfill")


def test_rules_by_plain_forms(client: httpx.Client, engine: Engine) -> None:
    """Tried beside the rule that holds, a threshold found for a budget, saved, switched, and every change shown."""
    listed = words(client.get("/rules"))
    assert "overall negative documents · all together" in listed
    form = {"was": "desk", "group_by.topic": "1", "counted": "negative", "days": "7", "enabled": "1"}
    both = client.post("/rules/save", data={**form, "threshold": "6", "sensitivity": "low"})
    assert (both.status_code, "leave one of them empty" in words(both, "fault-threshold")) == (422, True)
    assert "Not a number" in words(
        client.post("/rules/preview", data={**form, "threshold": "six"}), "fault-threshold"
    )

    found = client.post("/rules/preview", data={**form, "find": "1", "messages_per_week": "100"})
    assert "3 is the least threshold that keeps this budget" in words(found, "preview")
    assert re.search(r'id="field-threshold"[^>]*value="3"', found.text)
    tried = words(client.post("/rules/preview", data={**form, "threshold": "100"}), "preview")
    assert "Incidents: 0" in tried
    assert "The rule that holds: incidents 1" in tried
    assert "only the present one" in tried

    assert "Saved" in saved(client, "/rules/save", {**form, "threshold": "6.5"})
    assert "Switched" in saved(client, "/rules/switch", {"was": "desk"})
    history = words(client.get("/rules/edit", params={"name": "desk"}))
    assert "threshold: 7.5 → 6.5" in history
    assert "state: – → off" in history
    assert "Saved" in saved(client, "/rules/save", {"was": "overall", "sensitivity": "high", "enabled": "1"})
    assert "Back to how it came" in words(client.get("/rules/edit", params={"name": "overall"}))
    assert "Removed" in saved(client, "/rules/remove", {"was": "overall"})
    assert client.post("/rules/switch", data={"was": "from file"}).status_code == 409
    with engine.connect() as connection:
        held = {row.name: row.definition for row in rules.active(connection)}
    assert held["desk"] == {"group_by": ["topic"], "threshold": 6.5, "enabled": False}
    assert "overall" not in held


def test_silences_by_plain_forms(client: httpx.Client, engine: Engine) -> None:
    """An incident's labels are taken over, what would be muted is shown, and nothing too wide is silenced."""
    taken = client.get("/silences", params={"incident": 1})
    assert 'topic="automobile"' in unescape(taken.text)
    wide = client.post("/silences/save", data={"match": 'topic!="x"', "hours": "4"})
    assert (wide.status_code, "mute nearly everything" in words(wide, "fault-match")) == (422, True)
    wrong = client.post("/silences/preview", data={"match": 'topic="x"\nnonsense', "hours": "4"})
    assert "line 2: not a matcher" in words(wrong, "fault-match")
    past = {"match": 'topic="automobile"', "hours": "4", "until": "2020-01-01T00:00"}
    assert "has to lie ahead" in words(client.post("/silences/save", data=past), "fault-until")
    form = {"match": 'topic="automobile"', "hours": "4", "comment": "fire drill", "back": "/incidents/1"}
    assert "Open incidents that it mutes: 1" in words(client.post("/silences/preview", data=form), "preview")
    assert client.post("/silences/save", data=form).headers["location"] == "/incidents/1"
    elsewhere = client.post("/silences/save", data={**form, "back": "//evil.example"})
    assert elsewhere.headers["location"] == "/silences?note=saved"
    with engine.connect() as connection:
        [first, second] = silences.active(connection, NOW)[-2:]
    assert "Ended" in saved(client, f"/silences/{first.id}/expire", {})
    assert "ended by console" in words(client.get("/silences", params={"all": "true"}))
    assert second.comment == "fire drill"


def test_subscriptions_by_plain_forms(client: httpx.Client, engine: Engine) -> None:
    """Who would have heard of the incidents there were is said with the reason, before it is saved."""
    form = {"name": "report", "who.desk": "1", "quiet-zone": "Asia/Shanghai"}
    nothing = client.post("/subscriptions/save", data=form)
    assert (nothing.status_code, "It would tell nothing" in words(nothing, "fault-instant")) == (422, True)
    bad = {**form, "instant": "1", "quiet-hours": "late", "escalate": "soon: chat", "match": "x"}
    refused = client.post("/subscriptions/save", data=bad)
    for field, said in (("quiet-hours", "22:30-07:00"), ("escalate", "line 1:"), ("match", "not a matcher")):
        assert said in words(refused, f"fault-{field}")
    good = {**form, "instant": "1", "quiet-hours": "22:30-07:00", "escalate": "15m: chat", "min_severity": "warning"}
    tried = words(client.post("/subscriptions/preview", data=good), "preview")
    assert "It tells of 2 of the newest 3 incidents" in tried
    assert "desk not told info is below warning" in tried
    assert "chat told later" in tried
    assert "Saved" in saved(client, "/subscriptions/save", good)
    assert client.post("/subscriptions/save", data=good).status_code == 422
    with engine.connect() as connection:
        definition = subscriptions.one(connection, "report").definition
    assert definition["escalate"] == [{"after": "15m", "to": ["chat"]}]
    assert definition["quiet"]["hours"] == "22:30-07:00"
    shown = client.get("/subscriptions/edit", params={"name": "report"}).text
    assert "15m: chat" in shown
    assert "Removed" in saved(client, "/subscriptions/remove", {"was": "report"})


def test_a_conflict_is_settled_once(client: httpx.Client, engine: Engine) -> None:
    """Who said what is shown; the ruling counts, and sending it again changes nothing."""
    page = client.get("/label/conflicts")
    name = unescape(re.findall(r'name="text" value="([^"]+)"', page.text)[0])
    assert "negative li" in words(page)
    assert "<script>window" not in page.text
    client.cookies.set("opinion_annotator", "Mei")
    assert "Nothing is chosen" in saved(client, "/label/conflicts", {"text": name})
    assert client.post("/label/conflicts", data={"text": name, "sentiment": "angry"}).status_code == 422
    assert "Settled" in saved(client, "/label/conflicts", {"text": name, "sentiment": "positive"})
    assert "settled already" in saved(client, "/label/conflicts", {"text": name, "sentiment": "neutral"})
    with engine.connect() as connection:
        rulings = [row for row in human_labels.rows(connection) if row.is_adjudication]
    assert [(row.answer, row.annotator, row.intake) for row in rulings] == [("positive", "Mei", "console")]
    agreement = words(client.get("/label/agreement"))
    assert "li · wang <b> 3 0.0 %" in agreement
    assert "Conflicts (2)" in agreement


def test_viewers_see_and_change_nothing(engine: Engine) -> None:
    """Every page but those of annotators is there for them, without a form that saves; every change is refused."""
    app = create_app(engine, clock=MovableClock(NOW))
    app.add_middleware(Viewed, person=Person("gast", "viewer"))
    pages = (
        "/watchlists/edit?name=马拉松 <b>",
        "/rules/edit?name=desk",
        "/silences",
        "/subscriptions/edit?name=night",
    )
    changes = ("/watchlists/save", "/watchlists/preview", "/watchlists/backfill", "/rules/save", "/rules/preview")
    changes += ("/rules/switch", "/silences/save", "/silences/1/expire", "/subscriptions/save", "/label/conflicts")
    with serving(app) as url, httpx.Client(base_url=url) as client:
        for path in pages:
            answer = client.get(path)
            assert answer.status_code == 200
            assert ">Save<" not in answer.text
        assert client.get("/label/conflicts").status_code == 403
        assert {client.post(path, data={"was": "desk"}).status_code for path in changes} == {403}
