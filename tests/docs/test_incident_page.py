"""Every example of docs/how-to/read-an-incident.md works as the page says."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from alerts.detection.severity import LIMITS
from alerts.reasons.explaining import MOST_READ, MOST_READ_BEFORE
from opinion.cli import app
from storage.engine import connect
from tests.support.pages import ROOT, examples
from tests.support.rows import store_rows
from tests.support.surges import campaign, judge, usual_hours

PAGE = "read-an-incident.md"


def test_the_commands_of_the_page(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown, as JSON, verified with and without its baselines; the Python block holds, too."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    usual_hours(engine)
    store_rows(engine, campaign())
    number = judge(engine).id
    engine.dispose()
    said = []
    for language, example in examples(PAGE):
        if language == "python":
            exec(example, {})  # noqa: S102  # our own page
            continue
        arguments = [str(number) if one == "12" else one for one in shlex.split(example)[1:]]
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
        assert done.exit_code == 0, done.output
        said.append(done.stdout)
    page, body, taken, judged, verified, relearned = said
    assert "would not have fired" in page
    assert '"counterfactual"' in body
    assert "acknowledged" in taken
    assert "useful" in judged
    assert "agrees" in verified
    assert "baselines" in relearned


def test_the_page_quotes_the_program() -> None:
    """Limits and bounds that the page names are those of the code."""
    text = (ROOT / "docs" / "how-to" / PAGE).read_text(encoding="utf-8")
    (critical, five), (warning, three) = LIMITS["critical"], LIMITS["warning"]
    assert f"critical from {critical:g} more negatives than expected and {five:g} times" in text
    assert f"warning from {warning:g} more and {three:g} times" in text
    assert re.search(rf"{MOST_READ:,} voices of the window.*\n?.*{MOST_READ_BEFORE:,} of the\s+week", text)
