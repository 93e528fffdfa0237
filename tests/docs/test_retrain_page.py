"""What the page on retraining shows can be typed, and answers."""

import re
import shlex
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from core.settings import RetrainSettings
from opinion.cli import app
from tests.support.checkpoints import tiny_checkpoint

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "retrain.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}opinion (.*)$", PAGE, re.MULTILINE)
STATEMENTS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_the_commands_and_statements_work(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example, where nothing is labelled yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(tiny_checkpoint(tmp_path / "first")))
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.exit_code == 0, (command, result.stderr)
    assert STATEMENTS
    with psycopg.connect(database_url) as connection:
        for statement in STATEMENTS:
            assert connection.execute(statement).fetchall() == []


def test_the_settings_it_names_exist() -> None:
    """With the figures that are their defaults."""
    named = {name.lower() for name in re.findall(r"OPINION_RETRAIN__([A-Z_]+)", PAGE)}
    assert named <= set(RetrainSettings.model_fields)
    defaults = RetrainSettings()
    shown = (defaults.min_new_labels, defaults.min_scheduled_labels, defaults.held_out_share, defaults.pause_lag)
    assert shown == (200, 20, 0.2, 20_000)
