"""The console's pages of operations, dead letters and model versions, over a real broker and database."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from core.clock import MovableClock
from core.settings import Settings
from models.checkpoints import CARD_FILE
from opinion.model_care import RegistryCare
from opinion.operating import BrokerOperations
from storage import job_runs, model_versions, offset_ledger
from storage.engine import connect
from storage.job_runs import JobRun
from storage.offset_ledger import LedgerLine
from tests.integration.test_dead_letter_topic import Scene, scene
from tests.integration.test_model_registry import champion, checkpoints, engine, home, names
from tests.support.consoles import serving
from tests.support.records import START, raw, row
from tests.support.rows import store_rows
from tests.support.waiting import wait_for
from web.app import create_app

__all__ = ["checkpoints", "engine", "home", "names", "scene"]

HOSTILE = "<script>alert(1)</script>"
NOW = START + timedelta(minutes=30)


@pytest.fixture
def broker(scene: Scene, database_url: str) -> Iterator[httpx.Client]:
    """A console with that broker; forms are followed to the page that they lead to."""
    engine = connect(database_url)
    operations = BrokerOperations(Settings(), engine)
    app = create_app(engine, clock=MovableClock(NOW), operations=operations)
    with (
        serving(app) as url,
        httpx.Client(base_url=url, follow_redirects=True, headers={"accept-language": "en"}) as client,
    ):
        yield client
    operations.close()
    engine.dispose()


def test_without_a_broker_the_page_shows_what_sql_knows(database_url: str) -> None:
    """Throughput, jobs, sources and room are there when Kafka is not; what asks it says what is missing."""
    engine = connect(database_url)
    store_rows(engine, [row("d1", 1, source=HOSTILE, published_at=START)])
    with engine.begin() as connection:
        line = LedgerLine("raw", 0, 0, 9, 6, 1, 1, 2, NOW - timedelta(minutes=5))
        offset_ledger.write_lines(connection, [line])
        failed = JobRun("drift", 86400, START, NOW, "failed", 0.25, 3, 1, f"ValueError: {HOSTILE}", NOW)
        job_runs.keep(connection, [JobRun("detect", 60, START), failed])
    with serving(create_app(engine, clock=MovableClock(NOW))) as url, httpx.Client(base_url=url) as client:
        english = client.get("/operations", headers={"accept-language": "en"}).text
        chinese = client.get("/operations", headers={"accept-language": "zh"}).text
        letters = client.get("/operations/letters", headers={"accept-language": "en"}).text
        refused = client.post("/operations/letters/raw/redrive", data={"only": "0:1"})
    engine.dispose()
    assert HOSTILE not in english
    assert "look for drift" in english
    assert re.search(r"ValueError: &lt;script", english)
    assert re.search(r"<dd>11</dd>", english)  # ten of the line, one of the stored row
    assert 'href="/operations/letters">2</a>' in english
    assert "1 d" in english
    assert "检测激增" in chinese
    assert "This console has no broker" in letters
    assert refused.status_code == 503


def test_letters_are_looked_at_and_put_back(scene: Scene, broker: httpx.Client) -> None:
    """By reason, one by one and all at once; bytes are shown escaped; each goes back once, and waits for a worker."""
    assert "0 records wait" in broker.get("/operations/backlog", headers={"accept-language": "en"}).text
    bad = raw(b"{" + HOSTILE.encode() + b"\x1b", 0, topic=scene.origin, key=b"k")
    scene.fill((bad, "bad_json"), *((raw(b"%d" % n, n, topic=scene.origin), "too_large") for n in (1, 2)))
    page = broker.get("/operations/letters", headers={"accept-language": "en"}).text
    assert "newest 3 of 3" in page
    assert re.search(r"too large <b>2</b>", page)
    shown = broker.get("/operations/letters/raw/0:0").text
    assert HOSTILE not in shown
    assert "\\x1b" in shown
    assert broker.get("/operations/letters/raw/0:99").status_code == 200
    page = broker.post("/operations/letters/raw/redrive", data={"reason": "too_large"}).text
    assert "2 put back." in page
    assert page.count("0:1</a>") == 1
    page = broker.post("/operations/letters/raw/redrive", data={"reason": ""}).text
    assert "1 put back. 2 had been put back before." in page
    wait_for(lambda: "3 records wait" in broker.get("/operations/backlog").text, 10, "the lag to be asked again")
    assert [record.value for record in scene.put_back()] == [b"1", b"2", bad.value]
    assert broker.post("/operations/letters/raw/redrive", data={"reason": "no such"}).status_code == 422


def test_a_model_is_promoted_and_rolled_back_by_a_button(
    engine: Engine, home: Path, checkpoints: list[Path], names: list[str]
) -> None:
    """The page says who is champion; a reason is asked for and kept with the person; a damaged model is refused."""
    settings = Settings()
    first, second = names[:2]
    with engine.begin() as connection:
        model_versions.promote(connection, first, reason="the first", by="li")
    folder = home / "models" / second
    (folder / CARD_FILE).write_text(
        f"# {second}\n\n{HOSTILE}\n\n[x](javascript:alert(1))\n\n![a](evil.svg) ![b](ok.svg)\n"
    )
    (folder / "ok.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    app = create_app(engine, clock=MovableClock(NOW), model_care=RegistryCare(settings, engine))
    with serving(app) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        page = client.get(f"/models/versions/{second}").text
        assert HOSTILE not in page
        assert "javascript:alert" not in re.sub(r"<[^>]*>", "", page) or 'href="javascript' not in page
        assert "evil.svg" not in page
        picture = client.get(f"/models/versions/{second}/pictures/ok.svg")
        assert picture.headers["content-type"] == "image/svg+xml"
        assert client.get(f"/models/versions/{second}/pictures/model.safetensors").status_code == 404
        assert client.get(f"/models/versions/{second}/report").status_code == 404
        assert client.get("/models/versions/nobody").status_code == 404
        assert client.post("/models/promote", data={"version": second, "reason": " "}).status_code == 422
        assert champion(engine) == first
        page = client.post("/models/promote", data={"version": second, "reason": "better on cars"}).text
        assert "better on cars" in page
        assert champion(engine) == second
        client.post("/models/rollback")
        assert champion(engine) == first
        next(folder.glob("*.safetensors")).write_bytes(b"damaged")
        assert client.post("/models/promote", data={"version": second, "reason": "again"}).status_code == 409
        assert client.post("/models/promote", data={"version": str(checkpoints[0]), "reason": "x"}).status_code == 404
    assert champion(engine) == first
