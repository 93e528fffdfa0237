"""What the page on streams shows is what the examples are, and works in a browser."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from core.clock import SystemClock
from core.records import ClassifiedDocument
from storage.engine import connect
from streams import topics
from streams.live.feed import Feed, document_id
from streams.live.hub import Bounds, Hub
from tests.support.consoles import chromium, serving
from tests.support.events import Publisher, document
from web.app import create_app
from web.streaming import DocumentStream, IncidentStream, Streams

__all__ = ["chromium"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "consume-the-stream.md").read_text(encoding="utf-8")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"></li><script>document.title='owned'</script>奶茶"


def test_python_on_the_page_is_that_of_the_examples() -> None:
    """The examples are run by a test; the page shows them and nothing else."""
    shown = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    files = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples" / "python").glob("*.py"))]
    assert sorted(shown) == sorted(text.partition('"""\n\n')[2] for text in files)


def test_the_page_names_every_parameter_and_only_those() -> None:
    """The table of parameters is that of the code, and the address in it can be asked for."""
    table = PAGE.partition("| parameter |")[2].partition("\n\n")[0]
    named = {
        name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert named == {*DocumentStream.model_fields, *IncidentStream.model_fields}
    [address] = re.findall(r"\"(http://127[^\"]+)\"", PAGE)
    query = dict(part.split("=") for part in urlsplit(address).query.split("&"))
    assert DocumentStream.model_validate(query).model_fields_set == {"sentiment", "cursor"}


@pytest.mark.needs_browser
def test_the_browsers_example_shows_what_comes(
    chromium: Browser, kafka_bootstrap: str, new_topic: Callable[..., str]
) -> None:
    """The page's own script, in a real browser, under the console's own policy: texts arrive as texts."""
    [script] = re.findall(r"```javascript\n(.*?)```", PAGE, re.DOTALL)
    feed = Feed(new_topic(topics.CLASSIFIED), "document", ClassifiedDocument, document_id, lambda values: values)
    hub = Hub(lambda: kafka_bootstrap, feed, SystemClock(), Bounds(ping_seconds=0.5))
    away = connect("postgresql://nobody@127.0.0.1:1/none")
    with serving(create_app(away, stream=Streams(hub, hub))) as url:
        publisher = Publisher(kafka_bootstrap, feed.topic)
        page = chromium.new_page()
        page.goto(f"{url}/healthz")
        page.evaluate(script + "\nnew Promise((open) => { events.onopen = open; })")
        publisher.publish([document(1, sentiment="positive", text="not asked for"), document(2, text=HOSTILE)])
        publisher.close()
        page.wait_for_selector("li")
        assert page.locator("li").all_inner_texts() == [HOSTILE]
        assert page.title() != "owned"
        page.close()
    away.dispose()
