"""Every example of docs/how-to/watch-drift.md works as the page says."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.metrics import DRIFT_MEASURES
from core.settings import DriftSettings
from models.drift_trigger import AGREE_FOR
from opinion.cli import app
from tests.support.checkpoints import tiny_checkpoint

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "watch-drift.md").read_text(encoding="utf-8")


def test_the_commands_run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed on a pipeline without documents, each command of the page answers and says what is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(tiny_checkpoint(tmp_path / "tiny")))
    said = {}
    for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE):
        result = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
        assert result.exit_code == 0
        said[line] = result.stdout
    assert len(said) == 3
    assert json.loads(said["opinion models drift --check --json"])["not_checked"] == "no documents are stored"


def test_the_page_names_every_measure_and_the_defaults() -> None:
    """The table has all measures, and figures in brackets are those of the settings."""
    assert set(DRIFT_MEASURES) <= set(re.findall(r"`(\w+)`", PAGE))
    defaults = DriftSettings()
    assert f"`OPINION_DRIFT__MIN_LABELS` ({defaults.min_labels})" in PAGE
    assert f"`OPINION_DRIFT__COOL_DOWN` ({defaults.cool_down.days} days)" in PAGE
    assert f"`OPINION_DRIFT__WINDOW`, {defaults.window.days} days" in PAGE
    assert f"`OPINION_DRIFT__REFERENCE` ({defaults.reference.days} days)" in PAGE
    assert AGREE_FOR.total_seconds() == 6 * 3600
