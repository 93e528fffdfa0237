"""Reports: every figure is what SQL says, every statement names documents, and hostile text stays text."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import httpx
import pytest
from lxml import html
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner

from core.clock import MovableClock
from core.settings import Settings
from core.watchlist_entries import watchlist_of
from opinion.cli import app
from opinion.reporting import ReportJob
from storage import erasure, reports
from storage.engine import connect
from storage.tables import model_promotion, model_version
from storage.watchlists import put
from tests.support.consoles import serving
from tests.support.copies import LETTERS, STORY
from tests.support.records import row, says
from tests.support.rows import add_incident, store_rows
from web.app import create_app
from web.reports.figures import Figures, read_figures
from web.reports.pages import Look, report_html
from web.reports.periods import period_of

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=ZONE)
HOSTILE = "<script>window.hacked=1</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e" + "长" * 3000
LOCAL_DAY = "(bucket_at AT TIME ZONE 'Asia/Shanghai')::date"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Two local days of three sources in two languages, mentions of two watchlists, and a story with nine copies."""
    engine = connect(database_url)
    with engine.begin() as connection:
        put(connection, [watchlist_of(name, {"any": [name]}) for name in ("Acme", HOSTILE[:60])], by="test")
        connection.execute(insert(model_version).values(version="m2", path="m2", origin="test", metrics={}))
        connection.execute(
            insert(model_promotion).values(
                version="m2", promoted_at=MIDNIGHT + timedelta(hours=9), promoted_by="王芳", reason="better"
            )
        )
        add_incident(
            connection,
            starts_at=MIDNIGHT + timedelta(hours=3),
            labels={"alertname": "NegativeSurge", "watchlist": "Acme"},
        )
        add_incident(connection, starts_at=MIDNIGHT - timedelta(days=9), status="resolved", ends_at=MIDNIGHT)
    days = []
    for nth in range(400):
        is_today = nth % 5 < 3
        at = MIDNIGHT + timedelta(minutes=(nth * 7) % 1440) - (timedelta(0) if is_today else timedelta(days=1))
        sentiment = ("negative", "neutral", "positive")[nth % 3 if is_today else (nth + 1) // 2 % 3]
        mentions = {0: ["Acme"], 1: ["Acme", HOSTILE[:60]]}.get(nth % 4, [])
        days.append(
            row(
                f"doc {nth}/é?#",
                nth,
                published_at=at,
                score_negative=0.99 if nth == 60 else 0.875,
                text=HOSTILE if nth == 60 else f"{nth} {''.join(Random(nth).sample(LETTERS, 30))}",
                source=("weibo", "paper", HOSTILE[:40])[nth % 3],
                lang=("zh", "en")[nth % 2],
                topic_label=("finance", "health", "sports")[nth % 3],
                sentiment=sentiment,
                mentions=[says(name, sentiment) for name in mentions] or None,
            )
        )
    story = [
        row(f"copy {nth}", 1000 + nth, published_at=MIDNIGHT + timedelta(hours=5, minutes=nth), text=STORY, lang="zh")
        for nth in range(10)
    ]
    store_rows(engine, sorted([*days, *story], key=lambda one: one.published_at))
    yield engine
    engine.dispose()


def read(engine: Engine, kind: reports.Kind = "daily", watchlist: str | None = None) -> Figures:
    with engine.connect() as connection:
        return read_figures(connection, period_of(kind, DAY, ZONE), watchlist)


def test_figures_are_what_sql_says(engine: Engine) -> None:
    """Volume, shares, groups, share of voice and stories of everything, worked out again from views and rows."""
    found = read(engine)
    with engine.connect() as connection:

        def ask(query: str) -> list[tuple[object, ...]]:
            return [tuple(one) for one in connection.execute(text(query))]

        of_day = f"FROM bi.sentiment_minute WHERE {LOCAL_DAY} = '2026-03-10'"
        assert ask(f"SELECT sum(total), sum(negative), sum(positive) {of_day}") == [
            (found.now.total, found.now.negative, found.now.positive)
        ]
        of_before = of_day.replace("-10'", "-09'")
        assert ask(f"SELECT sum(total), sum(negative) {of_before}") == [(found.before.total, found.before.negative)]
        voices = """
            SELECT count(*) FILTER (WHERE c.is_independent),
                   count(*) FILTER (WHERE c.is_independent AND d.sentiment = 'negative')
            FROM bi.document AS d JOIN bi.copy AS c ON c.document_id = d.id
            WHERE (d.published_at AT TIME ZONE 'Asia/Shanghai')::date = '2026-03-10'
        """
        assert ask(voices) == [(found.now.voices, found.now.negative_voices)]
        assert found.now.voices == found.now.total - 9
        for by, column in (("topic", "topic_label"), ("source", "source"), ("lang", "lang")):
            rows = ask(f"SELECT {column}, sum(total), sum(negative) {of_day} GROUP BY 1 ORDER BY 2 DESC, 1")
            lines = [line.group for line in found.groups[by]]  # type: ignore[index]
            assert [(one.key, one.now.total, one.now.negative) for one in lines] == rows
        spoken = ask("""
            SELECT m.watchlist, count(*) FROM mention AS m
            WHERE (m.published_at AT TIME ZONE 'Asia/Shanghai')::date = '2026-03-10' GROUP BY 1 ORDER BY 2 DESC, 1
        """)
        assert [(line.group.key, line.group.now.total) for line in found.watchlists] == spoken
        assert found.of_watchlists[0] == sum(int(str(count)) for _, count in spoken)
        hours = dict(ask(f"SELECT date_trunc('hour', bucket_at), sum(total) {of_day} GROUP BY 1"))
        assert {at: tally.total for at, tally in found.units if tally.total} == hours
    [story] = found.stories
    assert (story.documents, story.negative, story.id) == (10, 10, "copy 0")
    assert len(found.units) == 24
    assert [one.version for one in found.promotions] == ["m2"]
    assert len(found.incidents) == 2


def test_a_watchlist_has_its_own_figures(engine: Engine) -> None:
    """Its mentions, negative toward it, its incidents; a week sums its days."""
    found = read(engine, "weekly", "Acme")
    with engine.connect() as connection:
        counted = connection.execute(
            text(
                "SELECT count(*), count(*) FILTER (WHERE sentiment = 'negative') "
                "FROM mention WHERE watchlist = 'Acme'"
            )
        ).one()
    assert (found.now.total, found.now.negative) == tuple(counted)
    assert sum(tally.total for _, tally in found.units) == found.now.total
    assert len(found.units) == 7
    assert found.before.total == 0
    assert [one.labels.get("watchlist") for one in found.incidents] == ["Acme"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_one_harmless_file(engine: Engine, language: reports.Language) -> None:
    """One style that its own policy names, no script, nothing from anywhere; every reference leads to a document."""
    found = read(engine)
    page = report_html(found, Look(language, ZONE, "https://opinion.example", MIDNIGHT))
    tree = html.fromstring(page)
    [style] = tree.xpath("//style")
    digest = b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in tree.xpath("//meta[@http-equiv]/@content")[0]
    assert tree.xpath("//script | //link | //img | //iframe | //*[@style]") == []
    assert [name for one in tree.iter() for name in one.attrib if str(name).startswith("on")] == []
    assert "{{ 7 * 7 }}" in page
    links = tree.xpath("//a/@href")
    assert all(one.startswith(("#d", "https://opinion.example/")) for one in links)
    named = {one.text_content() for one in tree.xpath("//ol[@class='references']/li")}
    assert named == set(found.document_ids)
    with engine.connect() as connection:
        there = connection.scalar(
            text("SELECT count(*) FROM bi.document WHERE id = ANY(:ids)"), {"ids": found.document_ids}
        )
    assert there == len(found.document_ids) > 20
    for section in tree.xpath("//section[.//table]")[:5]:
        rows = section.xpath(".//tbody/tr")
        assert all(one.xpath(".//a[starts-with(@href, '#d') or contains(@href, '/incidents/')]") for one in rows)
    assert ("舆情日报" in page) == (language == "zh")


def test_the_job_makes_each_once_and_the_console_serves_them(engine: Engine) -> None:
    """From the hour on, of everything and each watchlist that was spoken of; served under a policy of its own; gone
    when a document that it names is erased, or when it is old."""
    settings = Settings(timezone="Asia/Shanghai", reports={"languages": ["en"], "weekly": False})  # type: ignore[arg-type]
    clock = MovableClock(MIDNIGHT + timedelta(days=1, hours=6, minutes=59))
    job = ReportJob(settings, engine, clock)

    def made() -> list[reports.ReportLine]:
        with engine.connect() as connection:
            return reports.newest(connection)

    job(lambda: False)
    assert made() == []
    clock.advance(timedelta(minutes=1))
    job(lambda: False)
    first = made()
    assert {one.watchlist for one in first} == {"", "Acme", HOSTILE[:60]}
    assert {one.first_day for one in first} == {DAY}
    job(lambda: False)
    assert made() == first
    with serving(create_app(engine, clock=clock)) as url, httpx.Client(base_url=url, timeout=30) as client:
        page = html.fromstring(client.get("/reports", headers={"accept-language": "en"}).text)
        assert len(page.xpath("//tbody/tr")) == 3
        for line in first:
            answer = client.get(f"/reports/{line.id}")
            allowed = answer.headers["content-security-policy"]
            assert allowed.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in allowed
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get(f"/reports/{first[0].id}.pdf").status_code == 404
        assert client.get("/reports/999").status_code == 404
        assert client.get("/reports?kind=hourly").status_code == 422
        dossier = client.get("/incidents/1/dossier", headers={"accept-language": "en"})
        assert "Dossier of incident 1" in dossier.text
        assert "default-src 'none'" in dossier.headers["content-security-policy"]
    with engine.begin() as connection:
        erasure.erase(connection, ["copy 0"])
    assert "" not in {one.watchlist for one in made()}
    clock.advance(timedelta(days=91))
    job(lambda: False)
    assert [one for one in made() if one.first_day == DAY] == []


@pytest.mark.needs_browser
def test_the_commands_write_files(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """HTML and PDF by command; without Chromium exit code 3 with the remedy; unknown watchlist or incident 4."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["report", *arguments])
        return (getattr(done.exception, "exit_code", done.exit_code), f"{done.stdout}{done.exception or ''}")

    code, said = run("daily", "--date", "2026-03-10", "--json")
    assert code == 0, said
    told = json.loads(said)
    assert told["file"] == "daily-2026-03-10.html"
    assert f"{told['voices']} of them voices" in Path(told["file"]).read_text(encoding="utf-8")
    assert run("weekly", "--watchlist", "Acme", "--date", "2026-03-10", "--out", "w.pdf", "--format", "pdf")[0] == 0
    assert Path("w.pdf").read_bytes().startswith(b"%PDF-")
    assert run("incident", "1", "--language", "zh")[0] == 0
    assert "事件 1 档案" in Path("incident-1.html").read_text(encoding="utf-8")
    assert run("daily", "--watchlist", "nobody")[0] == 4
    assert run("incident", "99")[0] == 4
    monkeypatch.setenv("OPINION_REPORTS__CHROMIUM", "/nowhere/chromium")
    assert run("daily", "--format", "pdf")[0] == 3
    assert list(tmp_path.glob("daily*.pdf")) == []


def test_summer_time_days_have_their_own_length() -> None:
    """The day on which clocks change has 23 or 25 hours, and begins at local midnight."""
    berlin = ZoneInfo("Europe/Berlin")
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 3, 10), 24)):
        period = period_of("daily", day, berlin)
        assert period.span.length == timedelta(hours=hours)
        assert len(period.starts()) == hours
        assert period.span.start.astimezone(berlin).hour == 0
    week = period_of("weekly", date(2026, 3, 29), berlin)
    assert (week.first_day, week.span.end) == (date(2026, 3, 23), datetime(2026, 3, 29, 22, tzinfo=UTC))
