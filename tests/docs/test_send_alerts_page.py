"""Every example of docs/how-to/send-alerts.md works as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from sqlalchemy import Engine
from typer.testing import CliRunner

from alerts.delivery.notifiers.webhook import EVENT_TYPE, sign
from alerts.delivery.receivers import notifiers
from alerts.rendering import apprise, dingtalk, feishu, pagerduty, slack, webhook, wecom
from core.channels import PER_MINUTE, ChannelType
from core.settings import load_settings
from opinion.cli import app
from opinion.detection import receiver_options
from storage import notifications
from storage.engine import connect
from storage.notifications import NotificationRow
from tests.support.inbox import open_inbox
from tests.support.rows import add_incident

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "send-alerts.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def table(first: str) -> dict[str, list[str]]:
    """The cells of the table with this first heading, by the words in code of their first cell."""
    lines = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0].split("\n")[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: cells for cells in rows for name in re.findall(r"`([^`]+)`", cells[0])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPINION_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("example", blocks("yaml"))
def test_every_example_is_a_channel_that_can_be_built(example: str, folder: Path) -> None:
    """The file is read as it stands, and a notifier is made for each entry."""
    (folder / "opinion.yaml").write_text(example, encoding="utf-8")
    settings = load_settings()
    made = notifiers(receiver_options(settings, "localhost:9092"))
    assert [one.name for one in settings.alerts.channels] == [receiver.name for receiver in made][1:]
    for notifier in made.values():
        notifier.close()


def test_every_type_has_an_example_and_a_line_in_the_table() -> None:
    """Limits and paces are those of the code."""
    types = set(get_args(ChannelType))
    assert {one["type"] for text in blocks("yaml") for one in yaml.safe_load(text)["alerts"]["channels"]} == types
    told = table("type")
    assert set(told) == types
    limits = {
        "webhook": f"{webhook.MOST_BYTES // 1000} kB",
        "pagerduty": f"{pagerduty.MOST_BYTES // 1000} kB",
        "feishu": f"{feishu.MOST_BYTES // 1000} kB",
        "wecom": f"{wecom.MOST_BYTES:,} bytes",
        "dingtalk": f"{dingtalk.MOST_BYTES // 1000} kB",
        "slack": f"{slack.SECTION_CHARS:,} characters",
        "apprise": f"{apprise.MOST_BODY_CHARS:,} characters",
    }
    for name, limit in limits.items():
        assert told[name][1].startswith(limit), name
    for name in types:
        assert told[name][2].startswith(str(PER_MINUTE.get(name, "no limit"))), name


def test_headers_and_signature_are_as_told() -> None:
    """The page's own check takes our signature and no other."""
    scope: dict[str, Any] = {}
    exec(blocks("python")[0], scope)  # noqa: S102  # our own page
    body = b'{"version":"4"}'
    assert scope["is_ours"](b"s", body, f"sha256={sign(b's', body)}")
    assert not scope["is_ours"](b"t", body, f"sha256={sign(b's', body)}")
    assert f"`{EVENT_TYPE}`" in table("header")["ce-type"][1]


def test_the_commands_work_in_their_order(folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed, tested, acknowledged, silenced; dead messages are seen and tried again."""
    with engine.begin() as connection:
        number = add_incident(connection)
        for delivery, status in (("d1", "dead"), ("d2", "pending")):
            row = NotificationRow(delivery, number, "slack", "ops", {})
            notifications.enqueue(connection, [row], due_at=datetime(2026, 3, 10, tzinfo=UTC))
            if status == "dead":
                notifications.mark_failed(connection, delivery, "HTTP 404", retry_at=None)
    with open_inbox() as inbox:
        channel = {"name": "ops", "type": "slack", "url": inbox.url, "allow_private_addresses": True}
        monkeypatch.setenv("OPINION_ALERTS__CHANNELS", json.dumps([channel]))
        ran = [shlex.split(line)[1:] for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE)]
        for arguments in ran:
            given = [str(number) if one == "12" else one for one in arguments]
            result = CliRunner().invoke(app, given, catch_exceptions=False)
            assert result.exit_code == 0, (given, result.output)
        assert len(inbox.requests) == 1
    assert [" ".join(one[:2]) for one in ran] == [
        "channels list", "channels test", "alerts outbox", "alerts outbox", "alerts list", "alerts ack",
        "alerts silence",
    ]  # fmt: skip
    with engine.connect() as connection:
        assert notifications.backlog(connection) == {"pending": 2, "dead": 0}
