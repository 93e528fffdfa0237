"""The console's page of an incident: its reasons, in both languages, with nothing of crawled text obeyed."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from lxml import html
from sqlalchemy import Engine

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.rows import add_incident, store_rows
from tests.support.surges import NOW, SURGE_AT, campaign, document, judge, many_voices, usual_hours
from web.app import create_app


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    with serving(create_app(engine, clock=MovableClock(NOW))) as url, httpx.Client(base_url=url) as made:
        yield made


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            (
                "Story",
                "all others",
                "it would not have fired",
                "copies elsewhere: 39",
                "with every copy",
                "more than expected",
                "(95 %)",
                "stands for",
            ),
        ),
        (
            "zh",
            (
                "转载同一内容",
                "另有 39 篇转载",
                "连同全部转载",
                "其余合计",
                "不会告警",
                "比预期多",
                "（95 %）",
                "代表",
            ),
        ),
    ],
)
def test_the_page_says_why(client: httpx.Client, engine: Engine, language: str, said: tuple[str, ...]) -> None:
    """Drivers with their rest, the counterfactual, the interval, the formula and the picture of the judged day."""
    usual_hours(engine)
    store_rows(engine, campaign())
    number = judge(engine).id
    page = client.get(f"/incidents/{number}", headers={"accept-language": language})
    assert page.status_code == 200
    for words in said:
        assert words in page.text
    for theme in ("light", "dark"):
        picture = client.get(f"/incidents/{number}/chart.svg?theme={theme}", headers={"accept-language": language})
        assert picture.headers["content-type"] == "image/svg+xml"
        assert picture.text.startswith("<svg")
        assert ("负面" in picture.text) == (language == "zh")


def test_evidence_of_an_earlier_version_is_still_shown(client: httpx.Client, engine: Engine) -> None:
    """Without interval, series and counterfactual the page is the page it was; there is no picture."""
    with engine.begin() as connection:
        number = add_incident(connection)
    assert client.get(f"/incidents/{number}").status_code == 200
    assert client.get(f"/incidents/{number}/chart.svg").status_code == 404
    assert client.get("/incidents/999/chart.svg").status_code == 404
    assert client.get(f"/incidents/{number}/chart.svg?theme=loud").status_code == 422


def test_hostile_names_are_shown_and_not_obeyed(client: httpx.Client, engine: Engine) -> None:
    """A source, a topic and a story full of markup are text in drivers, counterfactual and examples."""
    usual_hours(engine)
    hostile = "<img src=x onerror=alert(1)>{{ 7 * 7 }}奶茶店停业整顿多名顾客反映腹痛腹泻不适症状"
    store_rows(
        engine,
        [
            document(
                f"bad:{nth}", SURGE_AT + nth * timedelta(seconds=9), hostile, source=hostile, topic_label=hostile
            )
            for nth in range(5)
        ]
        + [one._replace(topic_label=hostile) for one in many_voices(sources=[hostile])],
    )
    page = client.get(f"/incidents/{judge(engine).id}")
    assert page.status_code == 200
    found = html.fromstring(page.text)
    assert found.xpath("//img[@onerror]") == []
    assert "{{ 7 * 7 }}" in page.text
    assert len([one for one in found.itertext() if "onerror" in one]) >= 4
