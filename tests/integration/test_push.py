"""`POST /api/v1/documents` of the real console: over HTTP, with real tokens in PostgreSQL, onto a real topic."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer
from sqlalchemy import Engine

from core.clock import SystemClock
from storage import api_tokens
from storage.engine import connect
from streams.sources.push import BrokerSink
from tests.support.consoles import serving
from tests.support.records import LIMITS
from tests.support.servers import database_away
from web.app import create_app
from web.pushing import PushLimits

PATH = "/api/v1/documents"
SMALL = PushLimits(max_body_bytes=5000, max_documents=20, in_flight_bytes=6000)
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def token(engine: Engine) -> str:
    with engine.begin() as connection:
        return api_tokens.create(connection, "crawler", ["documents:write"])[1]


@pytest.fixture
def topic(new_topic: Callable[..., str]) -> str:
    return new_topic("raw", partitions=2)


class Client:
    """A program that pushes."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self.token = token

    def push(self, body: bytes | str | object, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = {name: value.encode("latin-1") for name, value in sent.items()}
        return self.http.post(PATH, content=content, headers={name.encode(): value for name, value in raw.items()})


@pytest.fixture
def client(engine: Engine, kafka_bootstrap: str, topic: str, token: str) -> Iterator[Client]:
    with console(engine, kafka_bootstrap, topic, token) as made:
        yield made


@contextmanager
def console(engine: Engine, bootstrap: str | None, topic: str, token: str, seconds: float = 10) -> Iterator[Client]:
    sink = BrokerSink(lambda: bootstrap, topic, LIMITS, SystemClock(), answer_seconds=seconds)
    with serving(create_app(engine, sink=sink, push_limits=SMALL)) as url:
        client = Client(url, token)
        with client.http:
            yield client


def records(bootstrap: str, topic: str) -> dict[str, Any]:
    """What is on the topic, by key."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=1500
    )
    found = {record.key.decode(): json.loads(record.value) for record in consumer}
    consumer.close()
    return found


def test_every_form_of_a_body_arrives_as_it_was_written(client: Client, kafka_bootstrap: str, topic: str) -> None:
    """An object, an array, NDJSON and gzip: 202, and the sender's own fields are on the topic under the id."""
    one = client.push({"id": "a", "text": "很好 &amp; fine", "own": [1]})
    assert (one.status_code, one.json()["documents"]) == (
        202, [{"place": 0, "id": "a", "reason": None, "detail": None}],
    )  # fmt: skip
    assert client.push([{"id": "b", "text": "x"}, {"text": "no id", "source": "s"}]).status_code == 202
    lines = '{"id": "c", "text": "x"}\n\n{"id": "d", "text": "x"}\n'
    answer = client.push(lines, Content_Type="application/x-ndjson; charset=UTF-8")
    assert [one["place"] for one in answer.json()["documents"]] == [1, 3]
    packed = gzip.compress(b'[{"id": "e", "text": "x", "metrics": NaN}]')
    assert client.push(packed, Content_Encoding="gzip").status_code == 202
    found = records(kafka_bootstrap, topic)
    assert found["a"] == {"id": "a", "text": "很好 &amp; fine", "own": [1]}
    [derived] = [key for key in found if key.startswith("s:")]
    assert found[derived] == {"text": "no id", "source": "s"}
    assert {"b", "c", "d", "e"} < found.keys()


def test_bad_documents_are_named_and_good_ones_are_taken(client: Client, kafka_bootstrap: str, topic: str) -> None:
    """207 tells which of many were refused and why, in the worker's own words; 422 that none was taken."""
    lines = [
        '{"id": "good", "text": "x"}',
        "{oops",
        '{"id": "empty", "text": " "}',
        '{"id": "kind", "text": "x", "kind": "\\ud800"}',
        '{"id": "future", "text": "x", "published_at": "2999-01-01"}',
        "7",
        json.dumps({"text": "x" * 2000}),
    ]
    answer = client.push("\n".join(lines), Content_Type="application/x-ndjson")
    assert answer.status_code == 207
    body = answer.json()
    assert (body["accepted"], body["refused"]) == (1, 6)
    assert [(one["place"], one["reason"]) for one in body["documents"]] == [
        (1, None), (2, "bad_json"), (3, "empty_text"), (4, "bad_record"), (5, "published_in_future"),
        (6, "bad_record"), (7, "too_large"),
    ]  # fmt: skip
    assert records(kafka_bootstrap, topic).keys() == {"good"}
    none = client.push({"id": "x"})
    assert (none.status_code, none.json()["documents"][0]["reason"]) == (422, "bad_record")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("[", {}, 400),
        ("", {}, 400),
        ("[]", {}, 400),
        ("[" * 1000, {}, 400),
        (b"\xff\xfe", {}, 422),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b'{"id": "a"}', mtime=0)[:-9], {"Content-Encoding": "gzip"}, 400),
        ('{"text": "x"}', {"Content-Encoding": "br"}, 415),
        ('{"text": "x"}', {"Content-Type": "text/plain"}, 415),
        ('{"text": "x"}', {"Content-Type": "application/json; charset=gb18030"}, 415),
        ("x" * 5001, {}, 413),
        ("[" + ",".join(["1"] * 21) + "]", {}, 413),
        ("1\n" * 21, {"Content-Type": "application/x-ndjson"}, 413),
        (gzip.compress(b" " * 50_000_000, mtime=0), {"Content-Encoding": "gzip"}, 413),
    ],
)
def test_bodies_that_cannot_be_read_are_refused_whole(
    client: Client, body: str | bytes, headers: dict[str, str], status: int
) -> None:
    """What is malformed, too large or a bomb is answered with its status, and the console goes on."""
    answer = client.push(body, **headers)
    assert answer.status_code == status, answer.text
    if status != 422:
        assert answer.json()["error"]["remedy"]
    assert client.push({"id": "after", "text": "x"}).status_code == 202


def test_only_good_tokens_get_in(client: Client, engine: Engine, token: str) -> None:
    """No token, a made-up one, a changed one and a revoked one are 401; one for other things is 403."""
    assert client.http.post(PATH, content="{}").headers["WWW-Authenticate"].startswith("Bearer")
    number = token.split("_")[1]
    for wrong in (
        "x",
        token + "x",
        f"opinion_{number}_",
        f"opinion_99{number}_x",
        "opinion_²_x",
        "opinion_" + "9" * 40,
    ):
        client.token = wrong
        assert client.push({"id": "a", "text": "x"}).status_code == 401, wrong
    with engine.begin() as connection:
        client.token = api_tokens.create(connection, "reader", [])[1]
    assert client.push({"id": "a", "text": "x"}).status_code == 403
    client.token = token
    assert client.push({"id": "a", "text": "x"}).status_code == 202
    with engine.begin() as connection:
        [used, _] = api_tokens.known(connection)
        assert used.last_used_at is not None
        api_tokens.revoke(connection, used.id)
    assert client.push({"id": "a", "text": "x"}).status_code == 401


def test_another_sites_page_cannot_push_with_a_token(client: Client) -> None:
    """The same-origin rule holds for this address too: a lured browser is refused before its token counts."""
    assert client.push({"id": "a", "text": "x"}, Origin="https://evil.example").status_code == 403
    assert client.push({"id": "a", "text": "x"}, Sec_Fetch_Site="cross-site").status_code == 403


def test_what_is_under_way_is_bounded(engine: Engine, topic: str, token: str) -> None:
    """While one body is being worked on, others that do not fit beside it are put off with 429, not queued."""
    with console(engine, NOWHERE, topic, token, seconds=3) as client, httpx.Client(trust_env=False) as other:
        url = str(client.http.base_url) + PATH
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answers: list[httpx.Response] = []

        def slowly() -> Iterator[bytes]:
            yield b'{"id": "a", "text": "' + b"x" * 4000
            answers.append(client.push({"id": "b", "text": "y" * 2500}))
            yield b'"}'

        last = other.post(url, content=slowly(), headers=headers, timeout=30)
    assert (answers[0].status_code, answers[0].headers["Retry-After"]) == (429, "1")
    assert last.status_code == 422  # its text is longer than a document may be, which was told without the broker


def test_a_broker_that_is_away_is_told_in_time(engine: Engine, topic: str, token: str) -> None:
    """503 with Retry-After within the bound, and the room is given back each time."""
    for bootstrap in (NOWHERE, None):
        with console(engine, bootstrap, topic, token, seconds=2) as client:
            for _ in range(7):  # more of them than there is room for at once
                answer = client.push({"id": "a", "text": "y" * 900})
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
                assert answer.elapsed.total_seconds() < 6


def test_a_topic_that_is_missing_takes_nothing(
    engine: Engine, kafka_bootstrap: str, topic_prefix: str, token: str
) -> None:
    """A broker that has no such topic has not acknowledged anything."""
    with console(engine, kafka_bootstrap, f"{topic_prefix}.none", token, seconds=2) as client:
        assert client.push({"id": "a", "text": "x"}).status_code == 503


def test_a_database_that_is_away_is_told(client: Client, postgres_url: str, database_url: str) -> None:
    """Nobody is let in unchecked; 503 with Retry-After, and it heals by itself."""
    with database_away(postgres_url, database_url):
        answer = client.push({"id": "a", "text": "x"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert client.push({"id": "a", "text": "x"}).status_code == 202


def test_the_topic_gets_nothing_that_is_not_answered_for(client: Client, kafka_bootstrap: str, topic: str) -> None:
    """Pushing the same again answers the same, with the same keys on the topic; the worker takes them for repeats."""
    body = [{"source": "s", "url": f"https://example.org/{n}", "text": "x"} for n in range(20)]
    first, second = (client.push(body).json()["documents"] for _ in range(2))
    assert first == second
    assert len(records(kafka_bootstrap, topic)) == 20
