"""Every example of docs/how-to/label.md works as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.settings import load_settings
from core.taxonomy import CLASSES
from opinion.cli import app
from opinion.label_files import EXPORTED
from storage.engine import connect
from tests.support.records import row
from tests.support.rows import store_rows
from web.routes.labelling import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "label.md").read_text(encoding="utf-8")
run = CliRunner()


def commands() -> list[list[str]]:
    """The indented lines, as a shell would split them, but for the console."""
    found = [shlex.split(line) for line in re.findall(r"^ {4}opinion (.*)$", PAGE, re.MULTILINE)]
    return [one for one in found if one != ["web"]]


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Two documents that the model takes for negative finance, and files of people who say otherwise."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    engine = connect(database_url)
    store_rows(engine, [row("weibo:1", text="电池起火"), row("weibo:2", 1, text="球队赢了")])
    Path("answers.csv").write_text("id,topic,sentiment\nweibo:1,sports,neutral\n", encoding="utf-8")
    choices = [{"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": ["automobile"]}}]
    export = [{"data": {"id": "weibo:1"}, "annotations": [{"completed_by": 3, "result": choices}]}]
    Path("export.json").write_text(json.dumps(export), encoding="utf-8")
    yield engine
    engine.dispose()


def test_the_commands_work_in_their_order(engine: Engine) -> None:
    """Import, export, Label Studio both ways, and a conflict that is settled at the end."""
    for command in commands():
        result = run.invoke(app, command)
        assert result.exit_code == 0, f"{command}: {result.output}"
        if command[1] == "conflicts":
            assert "automobile" in result.output
    assert json.loads(Path("tasks.json").read_text(encoding="utf-8"))[0]["data"]["id"] == "weibo:2"
    statement = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)[0].replace("7 days", "100 years")
    with engine.connect() as connection:
        assert [tuple(one) for one in connection.execute(text(statement))] == [
            ("weibo:1", "negative", "neutral", "li")
        ]
        assert connection.scalar(text("SELECT people_topic FROM bi.document WHERE id = 'weibo:1'")) == "automobile"


def test_the_page_names_the_keys_and_fields() -> None:
    """Every letter of the page chooses a topic, and every field of a file is named."""
    letters = next(one for one in re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE) if one.startswith("A "))
    assert "123456789" + letters.replace(" ", "") == KEYS["topic"]
    assert {head: len(keys) for head, keys in KEYS.items()} == {head: len(names) for head, names in CLASSES.items()}
    assert not set(KEYS["topic"]) & set("SUV")
    assert set(EXPORTED) - {"key", "intake"} <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_guideline_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the page sets it; guideline 1, which the page states, is the default."""
    assert load_settings().labelling.guideline == "1"
    name, value = re.findall(r"`(OPINION_LABELLING__GUIDELINE)=(\w+)`", PAGE)[0]
    monkeypatch.setenv(name, value)
    assert load_settings().labelling.guideline == value
