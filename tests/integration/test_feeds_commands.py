"""`opinion feeds`, as docs/how-to/read-feeds.md shows it."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from core.errors import ConfigError, GateRefusedError, NotFoundError, UsageError
from core.metrics import FETCH_REASONS
from core.settings import FeedSettings
from opinion.cli import app
from tests.support.misbehaving_server import Site, item, page, rss, serving_site

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "read-feeds.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    opinion (feeds .*)$", PAGE, re.MULTILINE)
[YAML] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_site() as site:
        site.pages["/rss.xml"] = page(
            rss(item(1, pubDate="Mon, 02 Mar 2026 12:00:00", link="/1"), item(2, "二", link="/2"))
        )
        site.pages["/latest.atom"] = page(rss(item(3, link="/3")))
        yield site


@pytest.fixture
def opinion(
    database_url: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Result]:
    """Runs a command of the page, with its hosts replaced by the test's server."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "OPINION_DATABASE_URL": database_url,
        "OPINION_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPINION_KAFKA__TOPIC_PREFIX": f"{topic_prefix}.",
        "OPINION_KAFKA__PARTITIONS": "1",
        "OPINION_FEEDS__ALLOWED_NETWORKS": '["127.0.0.1/32"]',
        "OPINION_FEEDS__HOST_INTERVAL_SECONDS": "0",
        "COLUMNS": "250",
    }.items():
        monkeypatch.setenv(name, value)

    def run(command: str) -> Result:
        return CliRunner().invoke(app, shlex.split(here(command, site)))

    return run


def here(text: str, site: Site) -> str:
    return re.sub(r"https://\w+\.example\.com", site.address, text)


def body(result: Result) -> Any:
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def test_every_example_of_the_page_works(opinion: Callable[..., Result], site: Site, tmp_path: Path) -> None:
    """Try, add, import, list, run, remove: in the order of the page."""
    (tmp_path / "feeds.yaml").write_text(here(YAML, site), encoding="utf-8")
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        result = opinion(command)
        assert result.exit_code == 0, (command, result.output, result.exception)
    listed = body(opinion("feeds list --json"))["feeds"]
    assert [(feed["url"], feed["source"], feed["every_seconds"], feed["article"]) for feed in listed] == [
        (f"{site.address}/latest.atom", "127.0.0.1", 900, False),
        (f"{site.address}/rss.xml", "example", 600, True),
    ]
    assert {feed["failures"] for feed in listed} == {0}
    assert all(feed["last_ok_at"] for feed in listed)


def test_trying_a_feed_shows_documents_and_writes_nothing(opinion: Callable[..., Result], site: Site) -> None:
    """As the worker would have them; no server is asked."""
    found = body(opinion(f"feeds test {site.address}/rss.xml --source x --json"))
    assert found["total"] == 2
    by_id = {document["id"]: document for document in found["documents"]}
    assert by_id["x:https://example.com/1"]["published_at"] == "2026-03-02T04:00:00Z"
    assert by_id["x:https://example.com/2"]["lang"] == "zh"
    assert body(opinion("feeds list --json"))["feeds"] == []


def test_a_run_says_what_it_did(opinion: Callable[..., Result], site: Site) -> None:
    """Documents on the topic, feeds that failed with their reason; a second one has nothing to do, `--all` has."""
    opinion(f"feeds add {site.address}/rss.xml --source a")
    opinion(f"feeds add {site.address}/missing --source b")
    first = body(opinion("feeds run --json"))
    assert (first["polls"], first["documents"], first["failed"]) == (2, 2, 1)
    assert "status" in first["errors"][f"{site.address}/missing"]
    assert body(opinion("feeds run --json"))["polls"] == 0
    again = body(opinion("feeds run --all --json"))
    assert (again["polls"], again["unchanged"], again["documents"]) == (2, 1, 0)


@pytest.mark.parametrize(
    ("command", "error", "names"),
    [
        ("feeds add ftp://x.example/", UsageError, "url"),
        ("feeds add https://x.example/ --every soon", UsageError, "every"),
        ("feeds add https://x.example/ --every 5s", UsageError, "every"),
        ("feeds add https://x.example/ --lang 中文", UsageError, "lang"),
        ("feeds remove https://x.example/", NotFoundError, "x.example"),
        ("feeds import nothing.yaml", NotFoundError, "nothing.yaml"),
        ("feeds test http://10.0.0.1/", GateRefusedError, "address"),
    ],
)
def test_mistakes_are_told_with_the_field(
    opinion: Callable[..., Result], command: str, error: type[Exception], names: str
) -> None:
    """Exit codes 2, 4 and 5, and no traceback."""
    result = opinion(command)
    assert isinstance(result.exception, error), result.exception
    assert names in str(result.exception)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("feeds:\n- url: https://a.example/\n- url: https://b.example/\n  every: x\n", "feeds.yaml:4 feeds.1.every"),
        ("feeds:\n  - url: https://a.example/\n    colour: red\n", "feeds.yaml:3 feeds.0.colour"),
        ("feeds:\n  - source: a\n", "feeds.yaml:2 feeds.0.url"),
        ('feeds:\n- url: https://a.example/\n  source: "a\\0b"\n', "feeds.yaml:3 feeds.0.source"),
        ("- https://a.example/\n", "feeds.yaml:1"),
        ("", "feeds.yaml:1"),
        ("feeds: [", "feeds.yaml"),
        ("\x00", "feeds.yaml"),
    ],
)  # fmt: skip
def test_a_wrong_file_changes_nothing(
    opinion: Callable[..., Result], tmp_path: Path, content: str, place: str
) -> None:
    """The message names file, line, entry and field."""
    (tmp_path / "feeds.yaml").write_text(content, encoding="utf-8")
    result = opinion("feeds import feeds.yaml")
    assert isinstance(result.exception, ConfigError)
    assert place in str(result.exception)
    assert body(opinion("feeds list --json"))["feeds"] == []


def test_passwords_of_addresses_are_not_shown(opinion: Callable[..., Result], site: Site) -> None:
    """Neither in the list nor in what a run says."""
    opinion(f"feeds add {site.address.replace('//', '//user:geheim@')}/missing --source a")
    for command in ("feeds list", "feeds list --json", "feeds run", "feeds run --all --json"):
        result = opinion(command)
        assert result.exit_code == 0
        assert "geheim" not in result.output


def test_every_reason_is_explained() -> None:
    """The table of the page and the closed list of the code are the same."""
    named = re.findall(r"^\| (`.+?`) \|", PAGE.split("## When a feed does not come")[1], re.MULTILINE)
    assert {reason for cell in named for reason in re.findall(r"`(\w+)`", cell)} == set(FETCH_REASONS)


def test_the_settings_of_the_page_are_taken() -> None:
    """The way to introduce ourselves, and the network that may be reached; a line break in a header is refused."""
    [agent] = re.findall(r"OPINION_FEEDS__USER_AGENT='(.*?)'", PAGE)
    [networks] = re.findall(r"OPINION_FEEDS__ALLOWED_NETWORKS='(.*?)'", PAGE)
    taken = FeedSettings(user_agent=agent, allowed_networks=json.loads(networks))
    assert str(taken.allowed_networks[0]) == "10.1.0.0/16"
    with pytest.raises(ValueError, match="user_agent"):
        FeedSettings(user_agent="a/1\r\nX: y")
