"""Every example of docs/how-to/keep-models.md works as the page says."""

import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from sqlalchemy import Engine, text, update
from typer.testing import CliRunner

from core.settings import load_settings
from models.registry import ModelFolders
from opinion.cli import app
from opinion.promotions import promote
from storage import model_versions
from storage.engine import connect
from storage.tables import model_promotion
from tests.support.checkpoints import tiny_checkpoint
from tests.support.consoles import serving
from tests.support.model_hub import ModelHub
from tests.support.records import row
from tests.support.rows import store_rows

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "keep-models.md").read_text(encoding="utf-8")
NAMED = "20261126-0f3a9c1b"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
TOKEN = "hf_page"

# huggingface_hub 1.16 gives httpx raw bytes in the old way
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Two versions, the second live from 13:00 on, and a store and a hub that are there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_REGISTRY__URL", f"memory://page-{uuid4().hex}")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    engine = connect(database_url)
    folders = ModelFolders(Path("var").resolve())
    for nth in (1, 2):
        trained = tiny_checkpoint(tmp_path / f"trained{nth}", seed=nth)
        version = folders.add(trained, parent=None, created_at=START).version
        shutil.rmtree(trained)
        with engine.begin() as connection:
            model_versions.register(connection, version, str(folders.path(version)), origin="retrain")
        promotion = promote(engine, version, reason=f"step {nth}", by="li")
        with engine.begin() as connection:
            at = START + timedelta(hours=nth - 1)
            statement = update(model_promotion).where(model_promotion.c.id == promotion.id)
            connection.execute(statement.values(promoted_at=at))
    yield engine
    engine.dispose()


def versions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT version FROM bi.model_period ORDER BY live_from")))


def test_the_commands_work_in_their_order(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends well, with the version that is here in place of the page's."""
    hub, first = ModelHub(TOKEN), versions(engine)[0]
    seen = []
    with serving(hub.app) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE):
            command = shlex.split(line.replace(NAMED, first))
            result = CliRunner().invoke(app, command[1:], catch_exceptions=False)
            assert result.exit_code == 0, (command, result.output)
            seen.append(command[2])
    assert {"list", "show", "verify", "rollback", "push", "pull", "gc", "promote"} == set(seen)
    assert hub.private == {"our-team/opinion": True}
    assert versions(engine)[-1] == first


def test_sql_answers_as_the_page_says(engine: Engine) -> None:
    """The model of 13:30 is the second one; what counts and documents say comes from what was stored."""
    live, seen, stored = blocks("sql")
    store_rows(engine, [row("a", published_at=START), row("b", published_at=START + timedelta(minutes=61))])
    with engine.connect() as connection:
        assert connection.execute(text(live)).one() == (versions(engine)[1], "li", "step 2")
        [counted] = connection.execute(text(seen)).all()
        [judged] = connection.execute(text(stored)).all()
    assert (counted.first_minute, counted.documents) == (START, 2)
    assert (judged.model_version, judged.documents) == (counted.version, 2)


def test_the_setting_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands on the page."""
    (tmp_path / "opinion.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    url = load_settings().registry.url
    assert url is not None
    assert url.get_secret_value() == yaml.safe_load(blocks("yaml")[0])["registry"]["url"]
