"""docs/how-to/choose-what-to-label.md does what it says."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text
from typer.testing import CliRunner

from core.settings import SamplingSettings, load_settings
from opinion.cli import app
from opinion.label_filling import shares_of
from storage.engine import connect
from storage.label_queue import LEASE, MOST_SKIPS
from tests.support.records import row
from tests.support.rows import store_rows

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "choose-what-to-label.md").read_text(encoding="utf-8")
COMMANDS = [
    line.strip().removeprefix("opinion ").split() for line in re.findall(r"^ {4}opinion .*$", PAGE, re.MULTILINE)
]
[SHOWN] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
[SETTINGS] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
[QUERY] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_the_commands_show_what_the_page_shows(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each runs; the JSON object has the page's fields, and for the page's document its values."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    engine = connect(database_url)
    at = datetime(2026, 3, 10, 8, tzinfo=UTC)
    store_rows(engine, [row("weibo:1", text="刹车又失灵了", published_at=at)])
    run = CliRunner()
    for command in [*COMMANDS[::-1], *COMMANDS[::-1]]:
        result = run.invoke(app, command)
        assert result.exit_code == 0, result.output
    found, shown = json.loads(run.invoke(app, ["labels", "queue", "--json"]).stdout), json.loads(SHOWN)
    assert found["next"][0].keys() == shown["next"][0].keys()
    for body in (found, shown):
        del body["next"][0]["queued_at"]
    assert found == shown
    with engine.connect() as connection:
        assert connection.execute(text(QUERY)).all() == []
    engine.dispose()


def test_the_figures_are_the_defaults() -> None:
    """Shares, length and times are those of the program."""
    settings = SamplingSettings()
    for reason, share in shares_of(settings).items():
        assert f"| `{reason}` | {round(100 * share)} % |" in PAGE
    assert f"`OPINION_SAMPLING__CANDIDATES` ({settings.candidates:,})" in PAGE
    assert f"`OPINION_SAMPLING__LENGTH` ({settings.length})" in PAGE
    assert f"for {LEASE.seconds // 60} minutes" in PAGE
    assert MOST_SKIPS == 2
    assert settings.double_share == pytest.approx(0.1)


def test_the_settings_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The YAML is a valid `opinion.yaml`, and leaves to uncertain documents what it says."""
    monkeypatch.chdir(tmp_path)
    Path("opinion.yaml").write_text(SETTINGS, encoding="utf-8")
    settings = load_settings().sampling
    assert settings.length == yaml.safe_load(SETTINGS)["sampling"]["length"]
    assert shares_of(settings)["uncertain"] == pytest.approx(0.4)
