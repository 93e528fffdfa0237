"""Every example of docs/how-to/read-an-incident.md works as the page says."""

import re
from pathlib import Path

from alerts.explaining import MOST_READ, MOST_READ_BEFORE
from alerts.severity import LIMITS
from storage.engine import connect
from tests.support.pages import ROOT, Reader, examples
from tests.support.rows import store_rows
from tests.support.surges import campaign, judge, usual_hours

PAGE = "read-an-incident.md"


def test_the_commands_of_the_page(database_url: str, tmp_path: Path) -> None:
    """Shown, as JSON, verified with and without its baselines; the Python block holds, too."""
    engine = connect(database_url)
    usual_hours(engine)
    store_rows(engine, campaign())
    number = judge(engine).id
    engine.dispose()
    reader = Reader(tmp_path, {"OPINION_DATABASE_URL": database_url}, {" 12": f" {number}"})
    page, body, verified, relearned, _ = [reader.types(example) for example in examples(PAGE)]
    assert "would not have fired" in page
    assert '"counterfactual"' in body
    assert "agrees" in verified
    assert "baselines" in relearned


def test_the_page_quotes_the_program() -> None:
    """Limits and bounds that the page names are those of the code."""
    text = (ROOT / "docs" / "how-to" / PAGE).read_text(encoding="utf-8")
    (critical, five), (warning, three) = LIMITS["critical"], LIMITS["warning"]
    assert f"critical from {critical:g} more negatives than expected and {five:g} times" in text
    assert f"warning from {warning:g} more and {three:g} times" in text
    assert re.search(rf"{MOST_READ:,} negatives of the window.*\n?.*{MOST_READ_BEFORE:,} of the\s+week", text)
