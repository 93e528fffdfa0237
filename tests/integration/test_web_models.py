"""The console's page of the models: what trains, what the gate and the shadow said, what drifted; no crawled text is
obeyed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine

from core.clock import MovableClock
from storage import drift_checks, training_runs, worker_models
from storage.drift_checks import DriftRow
from storage.engine import connect
from tests.integration.test_shadow import LATER, NOW, SETTINGS
from tests.support.consoles import serving
from tests.support.shadows import CANDIDATE, CHAMPION, documents, entered, visited, with_champion
from web.app import create_app

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    clock = MovableClock(datetime.now(UTC))
    with serving(create_app(engine, clock=clock)) as url, httpx.Client(base_url=url) as made:
        yield made


def said(client: httpx.Client, language: str) -> str:
    answer = client.get("/models", headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(("language", "empty"), [("en", "No training run yet"), ("zh", "还没有训练过")])
def test_an_empty_system_says_what_to_do(client: httpx.Client, language: str, empty: str) -> None:
    """Before the first label there is nothing to show but the way there."""
    page = said(client, language)
    assert empty in page
    assert "opinion retrain --dry-run" in page
    assert "opinion models drift --check" in page


def test_a_run_at_work_shows_how_far_it_is(engine: Engine, client: httpx.Client) -> None:
    """Stage, steps and figures on dev, while the run lasts; its reasons when it is over."""
    with_champion(engine, [])
    with engine.begin() as connection:
        run = training_runs.start(
            connection, champion=CHAMPION, last_label_id=1, trigger="labels", trigger_reason="200 labels are new"
        )
        progress = {"stage": "training", "step": 30, "steps": 120, "dev": {"macro_f1": 0.625}}
        training_runs.set_progress(connection, run, progress)
        worker_models.report(connection, "worker-1", version=CHAMPION, wanted=CANDIDATE, error=HOSTILE)
    page = said(client, "en")
    assert '<progress max="120" value="30"' in page
    assert "by new labels" in page
    assert "cannot load candidate-2" in page
    assert HOSTILE not in page
    with engine.begin() as connection:
        training_runs.finish(connection, run, reasons=["refused: en fell"], candidate=CANDIDATE)
    page = said(client, "zh")
    assert "<progress" not in page
    assert "未启用" in page
    assert "refused: en fell" in page


def test_a_shadow_shows_where_the_two_part(engine: Engine, client: httpx.Client) -> None:
    """The comparison, and documents that tell most of it, as text."""
    with_champion(engine, documents(200))
    run = entered(engine, SETTINGS, NOW)
    visited(engine, run, SETTINGS, LATER, lambda read: "1" in read or read.startswith("bad"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE document SET text = text || '<img src=x onerror=alert(1)>'")
    page = said(client, "en")
    assert CANDIDATE in page
    assert "became negative" in page
    assert "negatives " in page
    assert "<img" not in page.split('id="live"')[1]


def test_drift_shows_what_is_beyond_its_bound(engine: Engine, client: httpx.Client) -> None:
    """Each measure with effect and threshold; of slices only what drifted."""
    with_champion(engine, [])
    now = datetime(2026, 3, 20, tzinfo=UTC)
    spans = {
        "reference_from": now - timedelta(days=28),
        "reference_until": now - timedelta(days=7),
        "reference_documents": 2000,
        "current_from": now - timedelta(days=7),
        "current_until": now,
        "current_documents": 1000,
    }
    figures = [("all", "", "text", 0.81, 0.6), ("all", "", "length", 0.02, 0.1), ("lang", "zh", "length", 0.01, 0.1)]
    with engine.begin() as connection:
        drift_checks.add(
            connection,
            [DriftRow(now, CHAMPION, *one, is_drifted=False, **spans, detail={}) for one in figures],
        )
    page = said(client, "en")
    assert "how texts are written" in page
    assert "0.810" in page
    assert page.count(">drifted<") == 1
    assert page.count('<th scope="row">lengths of texts') == 1
    assert "lengths of texts from 03-20 to 03-20: 0.020 now, drift above 0.100" in page
