import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opinion.cli import app
from tests.support.checkpoints import tiny_checkpoint

CASES = """
capability: manners
tests:
  - {lang: en, type: MFT, expect: negative, templates: [bad service, bad coffee]}
  - {lang: en, type: INV, templates: ['good {drink}'], swap: {drink: [tea, coffee]}}
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture
def arguments(checkpoint: str, tmp_path: Path) -> list[str]:
    (tmp_path / "manners.yaml").write_text(CASES, encoding="utf-8")
    return ["models", "behaviour", "--checkpoint", checkpoint, "--cases", str(tmp_path)]


def test_json_has_rates_gaps_and_the_gate(checkpoint: str, arguments: list[str]) -> None:
    """Scripts and pipelines rely on these names; a model does not fall behind itself."""
    result = CliRunner().invoke(app, [*arguments, "--against", checkpoint, "--json"])
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    assert set(body) == {"model_version", "cases", "passed", "rates", "gaps", "failures", "gate"}
    assert body["cases"] == 3
    assert body["gate"]["is_passed"]
    assert [(rate["type"], rate["cases"]) for rate in body["rates"]] == [("MFT", 2), ("INV", 1)]
    assert set(body["gaps"][0]["negative"]) == {"tea", "coffee"}


def test_people_see_tables_and_failing_examples(arguments: list[str]) -> None:
    """For people: a line for each capability, and the sentences that went wrong."""
    result = CliRunner().invoke(app, [*arguments, "--failures", "2"], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.stderr
    assert "manners" in result.stdout
    assert "share" in result.stdout


def test_our_cases_run_on_any_checkpoint(checkpoint: str) -> None:
    """Without --cases the committed ones are used; a model of a few thousand weights gets through them."""
    result = CliRunner().invoke(app, ["models", "behaviour", "--checkpoint", checkpoint, "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["cases"] > 1000
