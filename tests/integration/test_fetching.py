"""The one HTTP GET, against a server that misbehaves in every way we know."""

import asyncio
import gzip
import shutil
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.metrics import FETCHES
from streams.sources.fetching import Fetched, Fetcher, FetchOptions
from streams.sources.refusals import FetchError
from streams.sources.robots import KEPT_BYTES
from tests.support.misbehaving_server import (
    QUICK,
    Site,
    conditional,
    cut_off,
    dripping,
    endless,
    packed,
    page,
    raw,
    redirect,
    serving_site,
)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_site() as site:
        yield site


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    stop = threading.Event()
    yield stop
    stop.set()


async def get(url: str, options: FetchOptions = QUICK, **asked: object) -> Fetched:
    async with Fetcher(options, lookup=asked.pop("lookup", lambda host, port: ["127.0.0.1"])) as fetcher:  # type: ignore[arg-type]
        return await fetcher.get(url, **asked)  # type: ignore[arg-type]


async def refusal(url: str, options: FetchOptions = QUICK, **asked: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await get(url, options, **asked)
    return caught.value


async def test_an_ordinary_page_comes_whole(site: Site) -> None:
    """Body, type, charset and validators; we say who we are, and nothing else goes along."""
    site.pages["/f"] = page("<rss/>", "Application/RSS+XML; charset=GBK", etag='"1"', last_modified="yesterday")
    fetched = await get(f"{site.address}/f#part")
    assert fetched.body == b"<rss/>"
    assert (fetched.content_type, fetched.charset) == ("application/rss+xml", "GBK")
    assert (fetched.etag, fetched.last_modified) == ('"1"', "yesterday")
    [request] = [one for one in site.requests if one.path == "/f"]
    assert request.headers["user-agent"] == "opinion-pipeline"
    assert "cookie" not in request.headers


async def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    """Validators go back exactly as they came, weak ones too."""
    site.pages["/f"] = conditional("<rss/>", 'W/"v1"')
    first = await get(f"{site.address}/f")
    again = await get(f"{site.address}/f", etag=first.etag, last_modified="Mon, 02 Mar 2026 12:00:00 GMT")
    assert not again.is_new
    assert site.requests[-1].headers["if-modified-since"] == "Mon, 02 Mar 2026 12:00:00 GMT"


async def test_304_that_nobody_asked_for_is_a_fault(site: Site) -> None:
    """It would be taken for an empty feed."""
    site.pages["/f"] = page("", "", 304)
    assert (await refusal(f"{site.address}/f")).reason == "status"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "gopher://x/", "http://", "javascript:1", "//x", "http://[::1",
     "x" * 9000, "http://a:99999/", "http://a:0/"],
)  # fmt: skip
async def test_only_http_is_spoken(url: str) -> None:
    """Other schemes, and what is no URL at all, are refused before anything is looked up."""
    assert (await refusal(url)).reason == "bad_url"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.2/", "http://[::1]/", "http://10.0.0.1/", "http://2130706434/", "http://0x7f.2/", "http://127.2/",
     "http://[::ffff:127.0.0.2]/", "http://169.254.169.254/latest/meta-data", "http://[64:ff9b::a9fe:a9fe]/"],
)  # fmt: skip
async def test_the_inside_is_never_reached_however_it_is_written(url: str) -> None:
    """Only the allowed address of loopback is; decimal, hexadecimal, short and wrapped spellings change nothing."""
    from core.addresses import look_up

    assert (await refusal(url, lookup=look_up)).reason == "address"


async def test_each_hop_of_a_redirect_is_checked(site: Site) -> None:
    """A public page must not lead to the metadata of a cloud, to another scheme, or to a file."""
    for number, (location, reason) in enumerate(
        [("http://169.254.169.254/", "address"), ("file:///etc/passwd", "bad_url"), ("ftp://x/", "bad_url")]
    ):
        site.pages[f"/{number}"] = redirect(location)
        refused = await refusal(f"{site.address}/{number}", lookup=lambda host, port: [host])
        assert refused.reason == reason


async def test_redirects_are_followed_five_times(site: Site) -> None:
    """Relative ones too; the sixth is one too many, and the address at the end is known."""
    for number in range(6):
        site.pages[f"/a/{number}"] = redirect(f"{number + 1}", 307)
    site.pages["/a/6"] = page("end")
    assert (await get(f"{site.address}/a/1")).url == f"{site.address}/a/6"
    assert (await refusal(f"{site.address}/a/0")).reason == "redirects"


async def test_a_redirect_loop_ends_at_once(site: Site) -> None:
    """The second visit of an address is enough to know."""
    site.pages["/a"], site.pages["/b"] = redirect("/b"), redirect("/a")
    refused = await refusal(f"{site.address}/a")
    assert refused.reason == "redirects"
    assert site.paths() == ["/a", "/b"]


async def test_a_name_is_resolved_once_and_that_answer_is_used(site: Site) -> None:
    """A name server that answers with another address a moment later (DNS rebinding) leads nowhere."""
    site.pages["/f"] = page("public")
    answers = iter([["127.0.0.1"], ["127.0.0.1"]])  # robots.txt, then the page; a third would raise
    fetched = await get(f"http://rebinding.example:{site.port}/f", lookup=lambda host, port: next(answers))
    assert fetched.body == b"public"
    assert {request.headers["host"] for request in site.requests} == {f"rebinding.example:{site.port}"}
    inside = iter([["127.0.0.1"], ["127.0.0.9"]])
    refused = await refusal(f"http://rebinding.example:{site.port}/f", lookup=lambda host, port: next(inside))
    assert refused.reason == "address"
    assert site.paths() == ["/f"]


async def test_a_name_that_is_not_there_is_a_failure_of_its_own(site: Site) -> None:
    """An outage of the name server is told from one of the host."""

    def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    assert (await refusal("http://nowhere.example/", lookup=unknown)).reason == "dns"
    with serving_site() as gone:
        pass
    assert (await refusal(f"{gone.address}/")).reason == "connect"


async def test_the_next_address_is_tried_when_one_is_dead(site: Site) -> None:
    """A host with a broken IPv6 route is still reached."""
    site.pages["/f"] = page("here")
    options = replace(QUICK, allowed_networks=(*QUICK.allowed_networks, *QUICK.allowed_networks))
    fetched = await get(f"http://two.example:{site.port}/f", options, lookup=lambda host, port: ["127.0.0.1"] * 2)
    assert fetched.body == b"here"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: "])
async def test_dripping_bytes_do_not_hold_us_for_ever(site: Site, stop: threading.Event, head: bytes) -> None:
    """Each read succeeds, in the body or in the head; the limit for the whole ends it."""
    site.pages["/f"] = dripping(stop, head)
    began = time.monotonic()
    assert (await refusal(f"{site.address}/f")).reason == "timeout"
    assert time.monotonic() - began < QUICK.total_seconds + 1


async def test_silence_ends_after_the_read_limit(site: Site, stop: threading.Event) -> None:
    """A server that takes the request and says nothing."""
    site.pages["/f"] = lambda request, wire: stop.wait(10) and None
    began = time.monotonic()
    assert (await refusal(f"{site.address}/f")).reason == "timeout"
    assert time.monotonic() - began < QUICK.total_seconds


async def test_a_page_larger_than_allowed_is_refused(site: Site, stop: threading.Event) -> None:
    """By its own word before a byte of it is read, else when it gets there."""
    site.pages["/declared"] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")
    site.pages["/endless"] = endless(stop, b"x" * 10_000)
    assert (await refusal(f"{site.address}/declared")).reason == "too_large"
    assert (await refusal(f"{site.address}/endless")).reason == "too_large"


def _deflated(content: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda b: _deflated(b, -15))],
)
async def test_bombs_go_off_nowhere(site: Site, encoding: str, pack: "object") -> None:
    """50 MB of zeros in some kilobytes: refused at the limit, and never in memory as a whole."""
    bomb = pack(bytes(50_000_000))  # type: ignore[operator]
    site.pages["/bomb"] = page(bomb, content_encoding=encoding)
    site.pages["/good"] = page(pack(b"<rss/>"), content_encoding=encoding)  # type: ignore[operator]
    assert (await get(f"{site.address}/good")).body == b"<rss/>"
    tracemalloc.start()
    refused = await refusal(f"{site.address}/bomb")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.reason == "too_large"
    assert peak < 5_000_000


async def test_packed_content_must_be_what_it_says(site: Site) -> None:
    """Not gzip, cut-off gzip, and packings that were not asked for, twice packed among them."""
    site.pages["/lie"] = page("plain", content_encoding="gzip")
    site.pages["/cut"] = page(gzip.compress(b"x" * 1000)[:-9], content_encoding="gzip")
    site.pages["/br"] = page("x", content_encoding="br")
    site.pages["/twice"] = page("x", content_encoding="gzip, gzip")
    site.pages["/padded"] = page(gzip.compress(b"good") + b"\0" * 20, content_encoding="x-gzip")
    for path, reason in (("lie", "encoding"), ("cut", "broken"), ("br", "encoding"), ("twice", "encoding")):
        assert (await refusal(f"{site.address}/{path}")).reason == reason, path
    assert (await get(f"{site.address}/padded")).body == b"good"


async def test_a_connection_reset_in_the_middle_is_no_page(site: Site) -> None:
    """Half a feed would look like one whose other entries are gone."""
    site.pages["/f"] = cut_off(b"<rss>")
    assert (await refusal(f"{site.address}/f")).reason == "broken"
    site.pages["/f"] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    assert (await refusal(f"{site.address}/f")).reason == "broken"


@pytest.mark.parametrize(
    "answer", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, b"", b"HTTP/9.9 999 \r\n\r\n"]
)
async def test_what_is_not_http_is_refused(site: Site, answer: bytes) -> None:
    """Nonsense, a head without end, and nothing at all."""
    site.pages["/f"] = raw(answer)
    assert (await refusal(f"{site.address}/f")).reason in ("broken", "status")


async def test_other_content_is_not_read(site: Site) -> None:
    """A picture is refused by its type; without a type the content decides later."""
    site.pages["/png"], site.pages["/none"] = page("x", "image/png"), page("x", "")
    types = frozenset({"text/xml"})
    assert (await refusal(f"{site.address}/png", content_types=types)).reason == "content_type"
    assert (await get(f"{site.address}/none", content_types=types)).body == b"x"


async def test_a_host_that_is_busy_is_left_alone(site: Site) -> None:
    """429 with Retry-After holds the whole host; the next request does not even go out."""
    site.pages["/a"] = page("", "", 429, retry_after="120")
    site.pages["/b"] = page("fine")
    async with Fetcher(QUICK) as fetcher:
        with pytest.raises(FetchError) as first:
            await fetcher.get(f"{site.address}/a")
        with pytest.raises(FetchError) as second:
            await fetcher.get(f"{site.address}/b")
    assert (first.value.reason, first.value.retry_after) == ("rate_limited", timedelta(seconds=120))
    assert second.value.reason == "rate_limited"
    assert timedelta(seconds=100) < (second.value.retry_after or timedelta(0)) <= timedelta(seconds=120)
    assert site.paths() == ["/a"]


@pytest.mark.parametrize("value", ["-5", "soon", "1e9", "", "Mon, 99 Foo", "²", "99999999999999999999"])
async def test_retry_after_may_say_anything(site: Site, value: str) -> None:
    """Nonsense is ignored, and nobody sends us away for more than a day."""
    site.pages["/f"] = page("", "", 503, retry_after=value)
    wait = (await refusal(f"{site.address}/f")).retry_after
    assert wait is None or wait == timedelta(hours=24)


async def test_robots_txt_is_obeyed_for_every_hop(site: Site) -> None:
    """A page that is forbidden is not asked for, also when a redirect leads there; the rules are read once."""
    site.pages["/robots.txt"] = page("User-agent: opinion-pipeline\nDisallow: /secret\n", "text/plain")
    site.pages["/open"] = redirect("/secret/page")
    async with Fetcher(QUICK) as fetcher:
        for path in ("/secret/feed", "/open"):
            with pytest.raises(FetchError) as caught:
                await fetcher.get(site.address + path)
            assert caught.value.reason == "robots"
    assert [request.path for request in site.requests] == ["/robots.txt", "/open"]


@pytest.mark.parametrize(
    ("status", "may_read"), [(404, True), (403, True), (401, True), (500, False), (503, False), (429, False)]
)
async def test_robots_txt_that_is_missing_allows_and_one_that_fails_holds(
    site: Site, status: int, may_read: bool
) -> None:
    """RFC 9309, 2.3.1: 4xx means there are no rules, 5xx that they cannot be known now; 429 asks for peace."""
    site.pages["/robots.txt"], site.pages["/f"] = page("", "", status), page("x")
    if may_read:
        assert (await get(f"{site.address}/f")).body == b"x"
    else:
        assert (await refusal(f"{site.address}/f")).reason == "robots_unreachable"
        assert site.paths() == []


async def test_robots_txt_is_fetched_as_safely_as_a_page(site: Site, stop: threading.Event) -> None:
    """It may lead inside, drip or never end; then nothing is read, and nothing hangs."""
    site.pages["/f"] = page("x")
    site.pages["/robots.txt"] = redirect("http://10.0.0.1/robots.txt")
    assert (await refusal(f"{site.address}/f", lookup=lambda host, port: [host])).reason == "address"
    for bad in (dripping(stop), endless(stop, b"#" * 1000), redirect("/robots.txt")):
        site.pages["/robots.txt"] = bad
        assert (await refusal(f"{site.address}/f")).reason == "robots_unreachable"
    assert site.paths() == []


async def test_one_host_is_asked_one_thing_at_a_time(site: Site) -> None:
    """With the pause of the settings between two requests, or the one that robots.txt wants."""
    site.pages["/robots.txt"] = page("User-agent: *\nCrawl-delay: 0.3\n", "text/plain")
    for number in range(3):
        site.pages[f"/{number}"] = page("x")
    began = time.monotonic()
    async with Fetcher(QUICK) as fetcher:
        await fetcher.get(f"{site.address}/0")
        await asyncio.gather(*(fetcher.get(f"{site.address}/{number}") for number in (1, 2)))
    assert time.monotonic() - began >= 0.6


async def test_a_slow_host_does_not_delay_another(site: Site, stop: threading.Event) -> None:
    """The turns are those of one host alone."""
    site.pages["/slow"], site.pages["/quick"] = dripping(stop), page("x")
    async with Fetcher(QUICK, lookup=lambda host, port: ["127.0.0.1"]) as fetcher:
        slow = asyncio.create_task(fetcher.get(f"http://slow.example:{site.port}/slow"))
        for number in range(20):
            await fetcher.get(f"http://quick{number}.example:{site.port}/quick")
        assert not slow.done()
        with pytest.raises(FetchError):
            await slow


async def test_passwords_go_to_their_own_host_and_into_no_message(site: Site) -> None:
    """A redirect to another host gets none, and errors do not show them."""
    site.pages["/f"] = redirect(f"http://other.example:{site.port}/g")
    refused = await refusal(f"http://user:geheim@first.example:{site.port}/f")
    assert "geheim" not in str(refused)
    by_path = {request.path: request for request in site.requests}
    assert by_path["/f"].headers["authorization"].startswith("Basic ")
    assert "authorization" not in by_path["/g"].headers


async def test_every_end_is_counted(site: Site) -> None:
    """By a closed list of reasons."""
    site.pages["/f"] = packed(b"x")

    def count(outcome: str) -> float:
        return float(FETCHES.labels(outcome)._value.get())

    before = count("ok"), count("status")
    await get(f"{site.address}/f")
    await refusal(f"{site.address}/missing")
    assert (count("ok"), count("status")) == (before[0] + 1, before[1] + 1)


async def test_rules_of_many_hosts_stay_bounded(site: Site) -> None:
    """Links lead to any number of hosts, each with a robots.txt as large as is read."""
    site.pages["/robots.txt"] = page("User-agent: *\n" + "Disallow: /x\n" * 30_000, "text/plain")
    site.pages["/f"] = page("x")
    async with Fetcher(QUICK, lookup=lambda host, port: ["127.0.0.1"]) as fetcher:
        for number in range(30):
            await fetcher.get(f"http://h{number}.example:{site.port}/f")
        robots = fetcher._robots
        assert 15 < len(robots._hosts) < 30
        assert robots._kept_bytes == sum(rules.size for rules in robots._hosts.values()) <= KEPT_BYTES


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of secure.example, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out", path.with_suffix(".crt"),
         "-subj", "/CN=secure.example", "-addext", "subjectAltName=DNS:secure.example", "-days", "2"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


async def test_certificates_are_held_against_the_name_not_the_address(certificate: Path) -> None:
    """The connection goes to the checked address; the certificate must still be the host's own."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    with serving_site(tls=server_side) as site:
        site.pages["/f"] = page("secret")
        client_side = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
        async with Fetcher(QUICK, lookup=lambda host, port: ["127.0.0.1"], tls=client_side) as fetcher:
            assert (await fetcher.get(f"https://secure.example:{site.port}/f")).body == b"secret"
            for name in ("other.example", "127.0.0.1"):
                with pytest.raises(FetchError) as caught:
                    await fetcher.get(f"https://{name}:{site.port}/f")
                assert caught.value.reason == "tls"
