"""`opinion channels` and `opinion alerts outbox` on a real database and receivers on loopback."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from alerts.delivery.notifiers.contract import Delivery
from alerts.delivery.pipeline import Deliverer
from alerts.telling import Receiver
from core.clock import MovableClock
from opinion.cli import app
from storage import notifications
from storage.engine import connect
from storage.notifications import NotificationRow
from tests.support.inbox import Inbox, open_inbox, reply
from tests.support.rows import add_incident

NOW = datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
run = CliRunner()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as made:
        yield made


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    yield engine
    engine.dispose()


def channels(monkeypatch: pytest.MonkeyPatch, *wanted: dict[str, Any]) -> None:
    every = [{"allow_private_addresses": True} | one for one in wanted]
    monkeypatch.setenv("OPINION_ALERTS__CHANNELS", json.dumps(every))


def fail(engine: Engine, to: Receiver, *deliveries: str) -> None:
    """Messages that their receiver refused for good."""

    class Refuses:
        def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
            return Delivery("permanent", "HTTP 404")

        def close(self) -> None: ...

    with engine.begin() as connection:
        for delivery in deliveries:
            number = add_incident(connection, fingerprint=delivery.rjust(16, "0"))
            row = NotificationRow(delivery, number, to.channel, to.name, {"text": "geheim"})
            notifications.enqueue(connection, [row], due_at=NOW)
    Deliverer(engine, {to: Refuses()}, attempts=3, clock=MovableClock(NOW)).run()


def test_channels_are_listed_with_their_health_and_without_their_secrets(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the settings say and how each is doing; keys in URLs do not show."""
    robot = {"name": "值班", "type": "wecom", "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=geheim"}
    key = {"name": "page", "type": "pagerduty", "secret": "geheim"}
    channels(monkeypatch, robot, key)
    fail(engine, Receiver("wecom", "值班"), "d1")
    result = run.invoke(app, ["channels", "list", "--json"], catch_exceptions=False)
    found = {one["name"]: one for one in json.loads(result.stdout)["channels"]}
    assert found["值班"]["last_error"] == "HTTP 404"
    assert found["值班"]["per_minute"] == 20
    assert found["值班"]["place"].startswith("https://qyapi.weixin.qq.com…")
    assert found["page"]["last_error"] is None
    assert "opinion.alert.v1" in found
    shown = run.invoke(app, ["channels", "list"], env={"COLUMNS": "250"}, catch_exceptions=False).stdout
    assert "值班" in shown
    assert "geheim" not in result.stdout + shown


@pytest.mark.parametrize("kind", ["webhook", "feishu", "wecom", "dingtalk", "slack", "alertmanager", "pagerduty"])
def test_a_test_message_says_that_it_is_one(kind: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """It arrives in the form of the channel, opens nothing that stays open, and needs no server of ours."""
    codes = {"feishu": b'{"code": 0}', "wecom": b'{"errcode": 0}', "dingtalk": b'{"errcode": 0}'}
    inbox.answers = [reply(codes.get(kind, b"ok"))] * 2
    secret = {"secret": "s"} if kind in ("pagerduty", "feishu", "dingtalk") else {}
    channels(monkeypatch, {"name": "ops", "type": kind, "url": inbox.url} | secret)
    result = run.invoke(app, ["channels", "test", "ops", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {"channel": kind, "name": "ops", "delivered": True}
    said = "".join(json.dumps(json.loads(body), ensure_ascii=False) for _, body in inbox.requests)
    assert any(word in said for word in ("测试消息", "ChannelTest"))
    assert len(inbox.requests) == (2 if kind in ("alertmanager", "pagerduty") else 1)
    if kind == "dingtalk":
        assert "sign=" in inbox.paths[0]
    if kind == "feishu":
        assert json.loads(inbox.requests[0][1])["sign"]


def test_a_test_that_fails_names_channel_cause_and_next_step(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and no word of the service's answer, which may repeat the token."""
    inbox.answers = [reply(b'{"code": 19021, "msg": "geheim"}')]
    channels(monkeypatch, {"name": "ops", "type": "feishu", "url": inbox.url, "secret": "geheim"})
    error: Any = run.invoke(app, ["channels", "test", "ops"]).exception
    assert error.exit_code == 1
    assert "ops (feishu) did not take it: code 19021: the signature does not match" in error.message
    assert "alerts.channels" in error.remedy
    assert "geheim" not in error.message


def test_an_unknown_channel_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4 and where to look; the alert topic is nobody's to test with."""
    channels(monkeypatch)
    for name in ("nobody", "opinion.alert.v1"):
        assert getattr(run.invoke(app, ["channels", "test", name]).exception, "exit_code", None) == 4


def test_a_private_address_is_refused_with_the_way_out(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL in the settings is no way into the private network, for any kind that speaks HTTP."""
    codes = []
    for kind in ("webhook", "feishu", "wecom", "dingtalk", "slack", "alertmanager"):
        channels(monkeypatch, {"name": "ops", "type": kind, "url": inbox.url, "allow_private_addresses": False})
        error: Any = run.invoke(app, ["channels", "test", "ops"]).exception
        assert "not a public address; set allow_private_addresses" in error.message
        codes.append(error.exit_code)
    assert codes == [1] * 6
    assert inbox.requests == []


def test_dead_messages_are_listed_and_tried_again(engine: Engine) -> None:
    """Why each died, without what it says; `retry` gives one or all of them new attempts."""
    fail(engine, Receiver("slack", "chat"), "d1", "d2")
    listed = run.invoke(app, ["alerts", "outbox", "list", "--status", "dead", "--json"], catch_exceptions=False)
    body = json.loads(listed.stdout)
    assert (body["dead"], body["pending"]) == (2, 0)
    assert [(one["delivery_id"], one["last_error"]) for one in body["messages"]] == [
        ("d2", "HTTP 404"),
        ("d1", "HTTP 404"),
    ]
    assert "geheim" not in listed.stdout
    assert "2 dead" in run.invoke(app, ["alerts", "outbox", "list"], env={"COLUMNS": "200"}).stdout
    one = run.invoke(app, ["alerts", "outbox", "retry", "d1", "--json"], catch_exceptions=False)
    assert json.loads(one.stdout) == {"retried": ["d1"]}
    assert run.invoke(app, ["alerts", "outbox", "retry", "--all"], catch_exceptions=False).exit_code == 0
    with engine.connect() as connection:
        assert notifications.backlog(connection) == {"pending": 2, "dead": 0}


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["d1", "--all"], 2), (["nobody"], 4)])
def test_a_wrong_retry_says_what_to_do(engine: Engine, arguments: list[str], code: int) -> None:
    """Usage errors before anything is changed; an unknown message changes nothing."""
    fail(engine, Receiver("slack", "chat"), "d1")
    error: Any = run.invoke(app, ["alerts", "outbox", "retry", *arguments]).exception
    assert error.exit_code == code
    assert "opinion alerts outbox list" in error.remedy
    with engine.connect() as connection:
        assert notifications.backlog(connection)["dead"] == 1
