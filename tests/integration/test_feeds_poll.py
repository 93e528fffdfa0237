"""One poll of one feed: what comes out of it, and what the next poll will know."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.clock import MovableClock
from storage.feeds import FeedRow
from streams.intake import IntakeLimits
from streams.sources.feeds import LONGEST_WAIT, FeedReader, Poll, wait_after
from streams.sources.fetching import Fetcher
from tests.support.misbehaving_server import (
    QUICK,
    Site,
    conditional,
    cut_off,
    item,
    packed,
    page,
    redirect,
    rss,
    serving_site,
)

NOW = datetime(2026, 3, 3, tzinfo=UTC)
LIMITS = IntakeLimits(50_000, 1_000_000, timedelta(hours=24), ZoneInfo("Asia/Shanghai"))
EVERY = timedelta(minutes=15)
ARTICLE = (
    "<html><head><title>t</title></head><body><nav>Home | Sport</nav><article><h1>Acme recalls phones</h1>"
    + "<p>Acme said on Monday that it would recall two million phones because their batteries may catch fire.</p>" * 4
    + "</article><footer>Imprint</footer></body></html>"
)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_site() as site:
        yield site


@pytest.fixture
async def reader() -> AsyncIterator[FeedReader]:
    clock = MovableClock(NOW)
    async with Fetcher(QUICK, clock=clock) as fetcher:
        yield FeedReader(fetcher, LIMITS, clock, max_articles=2, chance=lambda: 0.5)


def feed(site: Site, *, article: bool = False, path: str = "/feed") -> FeedRow:
    return FeedRow(url=f"{site.address}{path}", host="127.0.0.1", source="news", every=EVERY, article=article, id=1)


def after(poll: Poll) -> FeedRow:
    """The feed as the next poll finds it."""
    state = poll.state
    return replace(
        poll.feed, etag=state.etag, last_modified=state.last_modified, seen=state.seen, failures=state.failures
    )


async def test_entries_become_documents_once(site: Site, reader: FeedReader) -> None:
    """Oldest first, as the worker would make them; in the next poll only what has changed."""
    site.pages["/feed"] = packed(rss(item(2, pubDate="Mon, 02 Mar 2026 12:00:00 +0800"), item(1)).encode())
    first = await reader.poll(feed(site))
    assert first.outcome == "changed"
    assert [document.id for document in first.documents] == [f"news:https://example.com/{n}" for n in (1, 2)]
    assert first.documents[0].published_at is None  # the record's own time will do
    assert first.documents[1].published_at == datetime(2026, 3, 2, 4, tzinfo=UTC)
    assert {document.crawled_at for document in first.documents} == {NOW}
    assert first.state.next_at == NOW + EVERY
    site.pages["/feed"] = page(rss(item(3), item(2, "edited", pubDate="Mon, 02 Mar 2026 12:00:00 +0800")))
    second = await reader.poll(after(first))
    assert [document.title for document in second.documents] == ["edited", "headline 3"]
    third = await reader.poll(after(second))
    assert (third.outcome, third.known) == ("unchanged", 2)


async def test_304_costs_nothing_and_forgets_nothing(site: Site, reader: FeedReader) -> None:
    """The validators and what was seen are kept."""
    site.pages["/feed"] = conditional(rss(item(1)), '"v1"')
    first = await reader.poll(feed(site))
    second = await reader.poll(after(first))
    assert (second.outcome, second.state.etag, second.state.seen) == ("unchanged", '"v1"', first.state.seen)
    assert second.state.failures == 0


async def test_the_article_is_read_where_it_says_more(site: Site, reader: FeedReader) -> None:
    """Without menus; a page that fails, says less or is no page leaves the summary."""
    site.pages |= {
        "/good": page(ARTICLE, "text/html"),
        "/wall": page("<html><body>Please enable JavaScript</body></html>", "text/html"),
        "/pdf": page("%PDF", "application/pdf"),
    }
    for path in ("good", "wall", "pdf", "missing"):
        entry = item(1, link=f"{site.address}/{path}", description="a summary of some length, more than a wall has")
        site.pages["/feed"] = page(rss(entry))
        [document] = (await reader.poll(feed(site, article=True))).documents
        if path == "good":
            assert "two million phones" in document.text
            assert "Imprint" not in document.text
        else:
            assert document.text == "a summary of some length, more than a wall has"


async def test_articles_that_do_not_fit_come_with_the_next_poll(site: Site, reader: FeedReader) -> None:
    """Two pages a poll here; until all are read the server is asked for the whole feed again, soon."""
    site.pages |= {f"/{n}": page(ARTICLE, "text/html") for n in range(5)}
    entries = (item(n, link=f"{site.address}/{n}") for n in reversed(range(5)))
    site.pages["/feed"] = conditional(rss(*entries), '"v"')
    row, sizes = feed(site, article=True), []
    for _ in range(4):
        poll = await reader.poll(row)
        sizes.append((len(poll.documents), poll.state.etag))
        row = after(poll)
    assert sizes == [(2, None), (2, None), (1, '"v"'), (0, '"v"')]


async def test_an_entry_that_cannot_be_stored_harms_no_other(site: Site, reader: FeedReader) -> None:
    """It is reported once, and not tried again until it changes."""
    site.pages["/feed"] = page(rss(item(1), item(2, description="x" * 60_000)))
    poll = await reader.poll(feed(site))
    assert len(poll.documents) == 1
    [reason] = poll.rejected
    assert "too_large" in reason
    assert (await reader.poll(after(poll))).rejected == []


async def test_broken_xml_is_read_as_far_as_it_goes(site: Site, reader: FeedReader) -> None:
    """The entries come, and the list of feeds says that something is wrong."""
    site.pages["/feed"] = page(rss(item(1, "R&D"), item(2))[:-20])
    poll = await reader.poll(feed(site))
    assert len(poll.documents) == 2
    assert "read in part" in (poll.state.last_error or "")
    assert poll.state.failures == 0


@pytest.mark.parametrize("status", [500, 404, 429, 503])
async def test_a_failing_feed_is_asked_less_and_less(site: Site, reader: FeedReader, status: int) -> None:
    """The wait doubles, is never shorter than the server asks for, and what was known is kept."""
    site.pages["/feed"] = page("", "", status)
    row = replace(feed(site), etag='"v"', seen={"a": "b"}, failures=2)
    poll = await reader.poll(row)
    assert poll.outcome == "failed"
    assert poll.state.next_at == NOW + 4 * EVERY
    assert (poll.state.failures, poll.state.etag, poll.state.seen) == (3, '"v"', {"a": "b"})
    assert str(status) in (poll.state.last_error or "")


async def test_retry_after_is_waited_for(site: Site, reader: FeedReader) -> None:
    """Longer than our own back-off."""
    site.pages["/feed"] = page("", "", 429, retry_after="7200")
    assert (await reader.poll(feed(site))).state.next_at == NOW + timedelta(hours=2)


async def test_a_feed_that_is_gone_is_polled_no_more(site: Site, reader: FeedReader) -> None:
    """410 is the one status that says so."""
    site.pages["/feed"] = page("", "", 410)
    assert not (await reader.poll(feed(site))).state.is_active


@pytest.mark.parametrize("reason", ["broken", "not_a_feed", "content_type", "redirects", "robots"])
async def test_every_failure_is_told_by_its_reason(site: Site, reader: FeedReader, reason: str) -> None:
    """Reset in the middle, an HTML page, a picture (also one that says it is RSS), a loop, a forbidden page."""
    pages = {
        "broken": cut_off(b"<rss>"),
        "not_a_feed": page(b"\x89PNG", "application/rss+xml"),
        "content_type": page(b"\x89PNG", "image/png"),
        "redirects": redirect("/feed"),
        "robots": page(rss(item(1))),
    }
    if reason == "robots":
        site.pages["/robots.txt"] = page("User-agent: *\nDisallow: /", "text/plain")
    site.pages["/feed"] = pages[reason]
    poll = await reader.poll(feed(site))
    assert poll.error
    assert poll.error.reason == reason


def test_waits_double_up_to_half_a_day() -> None:
    """A feed of every week stays at a week."""
    assert [wait_after(n, EVERY) / EVERY for n in (1, 2, 3)] == [1, 2, 4]
    assert wait_after(10**6, EVERY) == LONGEST_WAIT
    assert wait_after(3, timedelta(days=7)) == timedelta(days=7)


async def test_waits_are_spread(site: Site) -> None:
    """Feeds that were added together drift apart, by a tenth at most."""
    site.pages["/feed"] = page(rss())
    waits = []
    for chance in (0.0, 0.999):
        async with Fetcher(QUICK) as fetcher:
            reader = FeedReader(fetcher, LIMITS, MovableClock(NOW), max_articles=1, chance=lambda c=chance: c)  # type: ignore[misc]
            waits.append((await reader.poll(feed(site))).state.next_at - NOW)
    assert waits[0] == EVERY * 0.9
    assert EVERY * 1.09 < waits[1] < EVERY * 1.1


async def test_a_feed_that_brings_out_a_bug_fails_alone(
    site: Site, reader: FeedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as a failure of this feed, with what happened, and is asked less and less."""

    def breaks(*_: object, **__: object) -> None:
        raise RecursionError("too\x00 deep\ud800")

    monkeypatch.setattr("streams.sources.feeds.parse_feed", breaks)
    site.pages["/feed"] = page(rss(item(1)))
    poll = await reader.poll(feed(site))
    assert poll.state.failures == 1
    assert "RecursionError: too deep" in (poll.state.last_error or "")
