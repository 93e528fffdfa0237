"""The light page behind a signed link: it opens one incident to one receiver for a while, and does one thing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from lxml import html
from sqlalchemy import Engine, select

from alerts.rendering.phone_links import PhoneLinks
from alerts.telling import Receiver
from core.clock import MovableClock
from core.settings import Settings
from opinion.detection import phone_links
from storage import app_secrets, incident_care
from storage.engine import connect
from storage.tables import notification
from tests.support.consoles import serving
from tests.support.rows import add_incident, store_rows
from tests.support.surges import NOW, campaign, judge, usual_hours
from web.app import create_app
from web.phone_links import path_of

SECRET = b"s" * 32
MOST_BYTES = 30_000


@dataclass
class Desk:
    """A console whose clock can be moved, and how it is reached."""

    client: httpx.Client
    clock: MovableClock


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    clock = MovableClock(NOW)
    with (
        serving(create_app(engine, clock=clock, signing_secret=SECRET)) as url,
        httpx.Client(base_url=url, headers={"accept-language": "en"}) as client,
    ):
        yield Desk(client, clock)


def test_the_link_shows_and_the_button_takes_over(desk: Desk, engine: Engine) -> None:
    """What, how much, drivers, three quotes and the picture in one small page; reading it ten times changes nothing,
    and the button leaves the receiver's name, once."""
    usual_hours(engine)
    store_rows(engine, campaign())
    number = judge(engine).id
    link = path_of(SECRET, number, "desk & co", NOW + timedelta(days=7))
    for _ in range(10):
        answer = desk.client.get(link)
    page = html.fromstring(answer.text)
    assert answer.status_code == 200
    assert page.xpath("//script | //*[@onclick] | //*[@style]") == []
    assert len(page.xpath("//blockquote")) == 3
    assert {"Story", "Source"} <= {one.text_content() for one in page.xpath("//h3")}
    sheet = desk.client.get("/static/phone.css")
    [picture] = page.xpath("//img/@src")
    drawn = desk.client.get(picture)
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert len(answer.content) + len(sheet.content) + len(drawn.content) < MOST_BYTES
    with engine.connect() as connection:
        assert "acknowledged" not in {one.transition for one in incident_care.history(connection, number)}
    [form] = page.xpath("//form")
    fields = {one.get("name"): one.get("value") for one in form.xpath(".//input")}
    for _ in range(2):
        done = desk.client.post(form.get("action"), data=fields)
        assert (done.status_code, done.headers["location"]) == (303, link)
    assert "Acknowledged by desk &amp; co" in desk.client.get(link).text
    with engine.connect() as connection:
        taken = [one for one in incident_care.history(connection, number) if one.transition == "acknowledged"]
    assert [one.actor for one in taken] == ["desk & co"]


def test_no_other_link_lets_in(desk: Desk, engine: Engine) -> None:
    """Of another incident, receiver, purpose or secret, changed, missing or over: 403, by GET and by POST."""
    with engine.begin() as connection:
        number, other = add_incident(connection), add_incident(connection, starts_at=NOW)
    until = NOW + timedelta(days=7)
    good = parse_qs(urlsplit(path_of(SECRET, number, "desk", until)).query)["t"][0]
    foreign = parse_qs(urlsplit(path_of(b"x" * 32, number, "desk", until)).query)["t"][0]
    for path, fields in (
        (f"/i/{number}", {}),
        (f"/i/{number}", {"t": "", "r": "desk"}),
        (f"/i/{number}", {"t": good, "r": "boss"}),
        (f"/i/{number}", {"t": foreign, "r": "desk"}),
        (f"/i/{number}", {"t": good[:-1] + ("A" if good[-1] != "A" else "B"), "r": "desk"}),
        (f"/i/{number}", {"t": f"9{good}", "r": "desk"}),
        (f"/i/{other}", {"t": good, "r": "desk"}),
    ):
        assert desk.client.get(path, params=fields).status_code == 403
        assert desk.client.get(f"{path}/chart.svg", params=fields).status_code == 403
        assert desk.client.post(f"{path}/acknowledge", data=fields or {"t": ""}).status_code == 403
    asked = {"t": good, "r": "desk"}
    assert desk.client.get(f"/i/{number}", params=asked).status_code == 200
    desk.clock.advance(timedelta(days=7))
    assert desk.client.get(f"/i/{number}", params=asked).status_code == 403
    assert desk.client.post(f"/i/{number}/acknowledge", data=asked).status_code == 403
    with engine.connect() as connection:
        assert len(incident_care.history(connection, number)) == 1


def test_messages_to_people_carry_a_link_that_opens(engine: Engine) -> None:
    """A card leads to the light page; a webhook and a receiver of links only keep the console's own address."""
    links = PhoneLinks(path_of, timedelta(days=7))
    receivers = [
        Receiver("feishu", "值班群", phone_links=links),
        Receiver("slack", "outside", link_only=True, phone_links=links),
        Receiver("webhook", "hook"),
    ]
    usual_hours(engine)
    store_rows(engine, campaign())
    number = judge(engine, receivers=receivers).id
    with engine.begin() as connection:
        told = dict(connection.execute(select(notification.c.receiver, notification.c.payload)).all())
        secret = app_secrets.secret(connection)
    link = told["值班群"]["card"]["elements"][-1]["actions"][0]["url"]
    assert link.startswith(f"http://console/i/{number}?t=")
    assert f"http://console/incidents/{number}|" in told["outside"]["blocks"][-1]["text"]["text"]
    assert told["hook"]["alerts"][0]["generatorURL"] == f"http://console/incidents/{number}"
    app = create_app(engine, clock=MovableClock(NOW), signing_secret=secret)
    with serving(app) as url:
        assert httpx.get(link.replace("http://console", url)).status_code == 200


@pytest.mark.parametrize(
    ("address", "days", "is_made"),
    [
        ("https://opinion.example", 7, True),
        ("https://opinion.example", 0, False),
        ("http://127.0.0.1:8080", 7, False),
        ("http://localhost:8080", 7, False),
    ],
)
def test_links_are_made_where_a_phone_can_follow_them(address: str, days: int, is_made: bool) -> None:
    """With a public address of the console, and unless the setting switches them off."""
    settings = Settings(alerts={"console_url": address, "phone_links": timedelta(days=days)})  # type: ignore[arg-type]
    assert (phone_links(settings) is not None) == is_made
