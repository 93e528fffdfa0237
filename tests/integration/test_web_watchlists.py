"""Watchlists over HTTP: the same rules and owners as by command, refused in words, and never by another site."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from core.watchlists import Watchlist
from storage import watchlists
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.records import row
from tests.support.rows import store_rows
from web.app import create_app

URL = "/api/v1/watchlists"
APPLE = {"any": ["苹果"], "exclude": ["苹果汁"]}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    with serving(create_app(engine)) as url, httpx.Client(base_url=url) as client:
        yield client


def test_put_get_list_and_delete(client: httpx.Client) -> None:
    """What is put is what is read; a second put of the same takes no revision; deleted is gone."""
    made = client.put(f"{URL}/苹果/公司", json=APPLE)
    assert (made.status_code, made.json()["definition"], made.json()["updated_by"]) == (200, APPLE, "console")
    assert client.put(f"{URL}/苹果/公司", json=APPLE).json() == made.json()
    assert client.get(f"{URL}/苹果/公司").json() == made.json()
    assert client.get(URL).json() == [made.json()]
    assert client.delete(f"{URL}/苹果/公司").status_code == 204
    assert client.delete(f"{URL}/苹果/公司").status_code == 404
    assert client.get(f"{URL}/苹果/公司").json()["error"]["code"] == "not_found"
    assert client.get(URL).json() == []


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("a", {"any": []}, "there is nothing to look for"),
        ("a", {"any": [" "]}, "any.0"),
        ("a", {"any": [1]}, "any.0"),
        ("a", {"any": ["x\u0000"]}, "control characters"),
        ("a", {"any": ["x"], "words": ["y"]}, "words"),
        ("a", {"query": "NOT x"}, "holds where nothing occurs"),
        ("a", {"query": "x AND"}, "not understood"),
        ("a", [], "valid dictionary"),
        ("%00", {"any": ["x"]}, "control characters"),
        ("%20", {"any": ["x"]}, "name"),
        ("x" * 201, {"any": ["x"]}, "at most 200"),
    ],
)
def test_what_cannot_be_used_is_named(client: httpx.Client, name: str, body: object, says: str) -> None:
    """422 with field and cause, and nothing is stored."""
    answer = client.put(f"{URL}/{name}", json=body)
    assert answer.status_code == 422
    assert says in answer.json()["error"]["message"]
    assert client.get(URL).json() == []


def test_a_files_watchlist_is_not_changed_here(client: httpx.Client, engine: Engine) -> None:
    """409 names the file that owns it."""
    with engine.begin() as connection:
        watchlists.sync_file(connection, Path("/etc/watch.yaml"), [Watchlist("acme", ("Acme",))])
    for answer in (client.put(f"{URL}/acme", json=APPLE), client.delete(f"{URL}/acme")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "owned_by_file")
        assert "/etc/watch.yaml" in answer.json()["error"]["message"]
    assert client.get(f"{URL}/acme").json()["file"] == "/etc/watch.yaml"


def test_another_site_cannot_change_what_is_watched(client: httpx.Client) -> None:
    """Neither put nor delete nor a trial is taken from a foreign page."""
    headers = {"sec-fetch-site": "cross-site"}
    trial = {"watchlist": APPLE}
    answers = [
        client.put(f"{URL}/a", json=APPLE, headers=headers),
        client.delete(f"{URL}/a", headers=headers),
        client.post(f"{URL}/test", json=trial, headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert client.get(URL).json() == []


def test_a_trial_shows_what_would_have_matched(client: httpx.Client, engine: Engine) -> None:
    """Among stored documents, the newest first, with the places of the mentions; nothing is stored."""
    texts = ["苹果汁好喝", "苹果发布会", "nothing", "蘋果"]
    store_rows(engine, [row(f"d{n}", n, text=text) for n, text in enumerate(texts)])
    answer = client.post(f"{URL}/test", json={"watchlist": APPLE, "limit": 1}).json()
    assert (answer["read"], answer["matched"], len(answer["documents"])) == (4, 2, 1)
    everything = client.post(f"{URL}/test", json={"watchlist": APPLE}).json()["documents"]
    assert {one["id"]: one["mentions"] for one in everything} == {"d1": [[0, 2]], "d3": [[0, 2]]}
    assert client.post(f"{URL}/test", json={"watchlist": {"query": "NOT x"}}).status_code == 422
    assert client.get(URL).json() == []


def test_no_request_breaks_the_api(engine: Engine) -> None:
    """What fits the API's own description is answered as described; what does not is refused, and never a 500."""
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", create_app(engine, allowed_hosts=("*",)))
    operations = [found.ok() for found in schema.include(path_regex=URL).get_all_operations()]
    assert len(operations) == 5
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            if mode.is_negative and operation.label == f"GET {URL}":
                continue  # it takes nothing that could be wrong

            @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            @given(operation.as_strategy(generation_mode=mode))
            def answered(case: schemathesis.Case) -> None:
                answer = case.call()
                assert answer.status_code < 500, answer.text
                if answer.status_code in (200, 204):
                    case.validate_response(answer)
                else:
                    assert answer.json()["error"]["remedy"]

            answered()
