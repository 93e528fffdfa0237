"""The registry as people and the scheduler use it: lineage, who was live, rollback, garbage, the store."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, delete, insert, text, update
from typer.testing import CliRunner

from core.clock import MovableClock
from core.code_version import code_version
from core.errors import CheckpointError, DependencyNotReadyError, NotFoundError
from core.settings import load_settings
from models.lineage import Lineage, read_version
from models.model_store import ModelStore
from models.registry import ModelFolders
from opinion.candidates import push_missing, seal_candidate
from opinion.cli import app
from opinion.model_cleanup import clean_up, models_job, needed
from opinion.promotions import announce_pending, first_champion, promote, rollback
from storage import model_use, model_versions, training_runs
from storage.engine import connect
from storage.tables import model_promotion, model_version, opinion_minute
from streams.model_files import brought_here
from streams.worker import Worker
from tests.support.checkpoints import tiny_checkpoint
from tests.support.consoles import serving
from tests.support.model_hub import COMMIT, ModelHub

DAY = datetime(2026, 11, 22, 9, tzinfo=UTC)
RUN = CliRunner()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models of different weights."""
    folder = tmp_path_factory.mktemp("models")
    return [tiny_checkpoint(folder / f"m{nth}", seed=nth) for nth in range(6)]


@pytest.fixture
def home(tmp_path: Path, database_url: str, checkpoints: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a database, where no broker runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(checkpoints[0]))
    return tmp_path / "var"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def names(engine: Engine, home: Path, checkpoints: list[Path]) -> list[str]:
    """Five registered versions, each trained from the one before; none is champion yet."""
    found = []
    for nth, checkpoint in enumerate(checkpoints[1:]):
        found.append(add(engine, home, checkpoint, parent=found[-1] if found else None, day=nth))
    return found


def add(engine: Engine, home: Path, checkpoint: Path, *, parent: str | None = None, day: int = 0) -> str:
    """Add a checkpoint as a retrain run does."""
    folders = ModelFolders(home)
    version = folders.add(copied(checkpoint, home), parent=parent, created_at=DAY + timedelta(days=day)).version
    content = folders.seal(version, Lineage()).content_sha256
    with engine.begin() as connection:
        model_versions.register(
            connection, version, str(folders.path(version)), origin="retrain", parent=parent, content_sha256=content
        )
        at = DAY + timedelta(days=day)
        connection.execute(update(model_version).where(model_version.c.version == version).values(created_at=at))
    return version


def copied(checkpoint: Path, home: Path) -> Path:
    return Path(shutil.copytree(checkpoint, home / "work" / uuid4().hex))


def called(*arguments: object, code: int = 0) -> Any:
    """What a command prints as JSON; its exit code must be `code`."""
    result = RUN.invoke(app, [*map(str, arguments), "--json"])
    assert getattr(result.exception, "exit_code", result.exit_code) == code, (result.output, result.exception)
    return json.loads(result.stdout.splitlines()[-1])


def champion(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = model_versions.champion(connection)
    return found.version if found else None


def found(engine: Engine, version: str) -> model_versions.ModelVersion:
    with engine.connect() as connection:
        return model_versions.find(connection, version)


def test_a_candidate_remembers_how_it_was_made(engine: Engine, home: Path, checkpoints: list[Path]) -> None:
    """Snapshot, code, run, options and figures are in version.json, in SQL, and in the view that dashboards read."""
    folders = ModelFolders(home)
    version = folders.add(copied(checkpoints[1], home), parent="m0", created_at=DAY).version
    with engine.begin() as connection:
        run = training_runs.start(connection, champion="m0", last_label_id=3)
    provenance = seal_candidate(engine, home, version, run=run, options={"seed": 7}, metrics={"f1": 0.5})
    with engine.begin() as connection:
        path = str(folders.path(version))
        model_versions.register(connection, version, path, origin="retrain", parent="m0", **vars(provenance))
        row = connection.execute(text("SELECT * FROM bi.model WHERE version = :v"), {"v": version}).one()
    lineage = read_version(folders.path(version)).lineage
    assert (lineage.training_run, lineage.options, lineage.metrics) == (run, {"seed": 7}, {"f1": 0.5})
    assert lineage.code_version == row.code_version == code_version()
    assert (row.parent, row.training_run, row.options) == ("m0", run, {"seed": 7})
    assert row.content_sha256 == provenance.content_sha256


def test_show_draws_the_line_back_to_the_root(engine: Engine, names: list[str], home: Path) -> None:
    """The tree begins with the oldest ancestor; JSON has the same, with where the files are and when it was live."""
    for name in names[:2]:
        promote(engine, name, reason="better", by="li", home=home)
    shown = called("models", "show", names[2])
    assert shown["ancestors"] == [names[1], names[0]]
    assert shown["files"]["is_intact"]
    assert shown["files"]["folder"] == str(home / "models" / names[2])
    assert called("models", "show", names[0])["live"][0]["promoted_by"] == "li"
    tree = RUN.invoke(app, ["models", "show", names[2]], env={"COLUMNS": "200"}).stdout
    assert tree.index(names[0]) < tree.index(names[1]) < tree.index(names[2])
    called_unknown = RUN.invoke(app, ["models", "show", "nonsense"])
    assert getattr(called_unknown.exception, "exit_code", None) == 4


def test_an_ancestor_that_nobody_registered_is_only_a_name(
    engine: Engine, home: Path, checkpoints: list[Path]
) -> None:
    """Also one whose name would be markup on a terminal, and a line that bites its tail."""
    version = add(engine, home, checkpoints[1], parent="[/bold] elsewhere")
    assert "[/bold] elsewhere (not known here)" in RUN.invoke(app, ["models", "show", version]).stdout
    with engine.begin() as connection:
        connection.execute(update(model_version).values(parent=version))
        assert len(model_versions.ancestry(connection, version)) == 1


def test_verify_reads_every_file(engine: Engine, names: list[str], home: Path) -> None:
    """Exit code 0 for an intact version, 5 for a damaged one, 4 for one that is not here."""
    assert called("models", "verify", names[0])["is_intact"]
    config = home / "models" / names[0] / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("0", "1"), encoding="utf-8")
    damaged = called("models", "verify", names[0], code=5)
    assert damaged["problems"] == ["config.json has other content than when it was added"]
    shutil.rmtree(home / "models" / names[1])
    assert called("models", "verify", names[1], code=4)["folder"] is None


def test_a_folder_whose_manifest_was_made_to_fit_is_found_by_sql(
    engine: Engine, names: list[str], home: Path
) -> None:
    """Whoever replaces weights and manifest together still cannot change what SQL remembers."""
    shutil.rmtree(home / "models" / names[0])
    shutil.copytree(home / "models" / names[1], home / "models" / names[0])
    assert "another model" in called("models", "verify", names[0], code=5)["problems"][0]


def test_who_was_live_at_any_minute(engine: Engine, names: list[str], home: Path) -> None:
    """SQL answers for every instant from the first promotion on, without gaps or overlaps, and tells what ran."""
    for name in (names[0], names[1], names[0]):
        promote(engine, name, reason="test", by="li", home=home)
    start = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with engine.begin() as connection:
        for nth, row in enumerate(connection.execute(text("SELECT id FROM model_promotion ORDER BY id")).all()):
            at = start + timedelta(hours=nth)
            connection.execute(update(model_promotion).where(model_promotion.c.id == row.id).values(promoted_at=at))
        for minute, name in ((0, names[0]), (61, names[0]), (62, names[1])):
            where = {"source": "s", "kind": "post", "lang": "zh", "topic_label": "sports"}
            row = {"bucket_at": start + timedelta(minutes=minute), "model_version": name, "total": 1, **where}
            connection.execute(insert(opinion_minute).values(row))
        live = text(
            "SELECT version FROM bi.model_period WHERE live_from <= :at AND (live_until > :at OR live_until IS NULL)"
        )
        at = {minute: start + timedelta(minutes=minute) for minute in (-1, 0, 59, 60, 119, 120, 9999)}
        answers = {minute: connection.scalars(live, {"at": moment}).all() for minute, moment in at.items()}
        seen = {row.version: row for row in connection.execute(text("SELECT * FROM bi.model_seen"))}
    a, b = names[0], names[1]
    assert answers == {-1: [], 0: [a], 59: [a], 60: [b], 119: [b], 120: [a], 9999: [a]}
    assert (seen[a].first_minute, seen[a].last_minute) == (start, start + timedelta(minutes=61))
    assert seen[b].documents == 1


def test_a_rollback_needs_intact_files(engine: Engine, names: list[str], home: Path) -> None:
    """Gone or damaged files are refused with the command that brings them back, and the champion stays."""
    for name in names[:3]:
        promote(engine, name, reason="test", by="li", home=home)
    (home / "models" / names[1] / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="damaged") as damaged:
        rollback(engine, to=None, by="li", home=home)
    shutil.rmtree(home / "models" / names[1])
    with pytest.raises(NotFoundError, match="gone") as gone:
        rollback(engine, to=None, by="li", home=home)
    for error in (damaged, gone):
        assert f"opinion models pull {names[1]}" in str(error.value.remedy)
    assert champion(engine) == names[2]


def test_garbage_is_what_nothing_needs(engine: Engine, names: list[str], home: Path) -> None:
    """The champion, what rollbacks reach, and the newest candidates stay; the rest loses its files, not its row."""
    for name in (names[0], names[1], names[2]):
        promote(engine, name, reason="test", by="li", home=home)
    dry = called("models", "gc", "--keep", 1, "--dry-run")
    assert dry["removed"] == [names[3], names[0]]
    assert dry["bytes"] > 1000
    assert all((home / "models" / name).is_dir() for name in names)
    done = called("models", "gc", "--keep", 1)
    assert done["removed"] == dry["removed"]
    assert done["kept"] == {
        names[4]: "one of the 1 newest candidates",
        names[2]: "the champion",
        names[1]: "a rollback may go back to it",
    }
    assert sorted(path.name for path in (home / "models").iterdir()) == sorted(done["kept"])
    assert found(engine, names[0]).files_gone_at is not None
    assert called("models", "gc", "--keep", 1)["removed"] == []
    with pytest.raises(NotFoundError, match="removed on"):
        rollback(engine, to=names[0], by="li", home=home)
    assert rollback(engine, to=None, by="li", home=home).version == names[1]


def test_what_a_job_works_with_stays(engine: Engine, names: list[str]) -> None:
    """A shadow run, a reclassification, a training and a worker keep their models, while they last."""
    with engine.connect() as connection:  # rolled back at the end
        for statement in (
            "INSERT INTO shadow_run (candidate, champion, state, started_at) VALUES (:model, 'x', 'waiting', now())",
            "INSERT INTO reclassification (model_version, since, sources, watchlists, status, figures) "
            "VALUES (:model, now(), '{}', '{}', 'open', '{}')",
            "INSERT INTO worker_model (worker, version, wanted) VALUES ('w', :model, 'x')",
        ):
            connection.execute(text(statement), {"model": names[len(model_use.in_use(connection))]})
        training_runs.start(connection, champion=names[3], last_label_id=1)
        assert set(model_use.in_use(connection)) == set(names[:4])
        assert set(needed(connection, 1)) == set(names)
        connection.execute(text("UPDATE shadow_run SET state = 'promoted'"))
        connection.execute(text("UPDATE reclassification SET status = 'done'"))
        connection.execute(text("UPDATE worker_model SET seen_at = now() - interval '2 hours'"))
        training_runs.close_abandoned(connection, "over")
        assert model_use.in_use(connection) == {}


def test_work_of_dead_trainings_is_freed(engine: Engine, home: Path) -> None:
    """What nobody has touched for days, while nobody trains; not the work of a training that may go on."""
    (home / "retrain" / "abc").mkdir(parents=True)
    now = datetime.now(UTC)
    assert clean_up(engine, home, store=None, keep=1, now=now).work == []
    with training_runs.only_run(engine):
        assert clean_up(engine, home, store=None, keep=1, now=now + timedelta(days=4)).work == []
    clean_up(engine, home, store=None, keep=1, now=now + timedelta(days=4))
    assert list((home / "retrain").iterdir()) == []


def test_a_checkpoint_that_was_promoted_where_it_lies_is_not_ours_to_remove(
    engine: Engine, names: list[str], home: Path, checkpoints: list[Path]
) -> None:
    """Only folders under home/models are ever removed."""
    with engine.begin() as connection:
        first_champion(connection, str(checkpoints[0]))
    for name in names[:3]:
        promote(engine, name, reason="test", by="li", home=home)
    clean_up(engine, home, store=None, keep=1, now=datetime.now(UTC))
    assert checkpoints[0].is_dir()
    assert found(engine, "m0").files_gone_at is None


@pytest.fixture
def store_url(monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"memory://registry-{uuid4().hex}"
    monkeypatch.setenv("OPINION_REGISTRY__URL", url)
    return url


def test_a_worker_elsewhere_gets_a_model_from_the_store(
    engine: Engine, names: list[str], home: Path, store_url: str, tmp_path: Path
) -> None:
    """By the path that was announced, which means nothing on its machine; what SQL does not know is refused."""
    push_missing(engine, ModelStore(store_url, ModelFolders(home)))
    elsewhere = tmp_path / "elsewhere"
    there = ModelStore(store_url, ModelFolders(elsewhere))
    path = str(home / "models" / names[0])
    assert brought_here(path, engine, home=elsewhere, store=there) == path  # the same machine
    moved = home.rename(tmp_path / "away")
    assert brought_here(path, engine, home=elsewhere, store=there) == str(elsewhere / "models" / names[0])
    assert brought_here(path, engine, home=elsewhere, store=None) == str(elsewhere / "models" / names[0])
    assert brought_here("starter", engine, home=elsewhere, store=there) == "starter"
    with pytest.raises(CheckpointError, match="not on this machine"):
        brought_here(str(home / "models" / names[1]), engine, home=elsewhere, store=None)
    with pytest.raises(CheckpointError, match="no model version nonsense"):
        brought_here("/nowhere/nonsense", engine, home=elsewhere, store=there)
    with engine.begin() as connection:
        connection.execute(update(model_version).values(content_sha256="0"))
    with pytest.raises(CheckpointError, match="another model"):
        brought_here(str(home / "models" / names[1]), engine, home=elsewhere, store=there)
    moved.rename(home)


def test_a_champion_is_in_the_store_before_it_is_announced(
    engine: Engine, names: list[str], home: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer puts the announcement off; nothing is announced that others cannot fetch."""
    told: list[str] = []
    monkeypatch.setattr("opinion.promotions.announce", lambda *given: told.append(given[2].version))
    store = ModelStore(store_url, ModelFolders(home))
    promote(engine, names[0], reason="test", by="li", home=home)
    with monkeypatch.context() as broken:
        broken.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", _refuse)
        with pytest.raises(DependencyNotReadyError):
            announce_pending(engine, "nowhere", "topic", store=store)
    assert told == []
    announce_pending(engine, "nowhere", "topic", store=store)
    assert told == [names[0]]
    assert store.has(names[0])
    assert found(engine, names[0]).stored_at is not None


def test_the_scheduler_brings_to_the_store_what_it_lacks_and_frees_both(
    engine: Engine, names: list[str], home: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away keeps nothing from being tried again; what goes, goes in both places."""
    monkeypatch.setenv("OPINION_REGISTRY__KEEP", "1")
    settings = load_settings()
    store = ModelStore(store_url, ModelFolders(home))
    job = models_job(settings, engine, MovableClock(DAY))
    push_missing(engine, store)
    assert all(store.has(name) for name in names)
    with monkeypatch.context() as broken:
        broken.setattr("fsspec.implementations.memory.MemoryFileSystem.exists", _refuse)
        job(lambda: False)
    assert not (home / "models" / names[0]).is_dir()
    assert store.has(names[0])
    job(lambda: False)
    assert [name for name in names if store.has(name)] == [names[4]]
    assert found(engine, names[0]).stored_at is None


def test_a_damaged_version_is_pulled_again(engine: Engine, names: list[str], home: Path, store_url: str) -> None:
    """Push by hand, damage, pull, and it can be promoted; an intact one is left alone."""
    assert called("models", "push", names[0])["place"] == store_url
    weights = home / "models" / names[0] / "model.safetensors"
    right = weights.read_bytes()
    weights.write_bytes(b"other")
    assert called("models", "pull", names[0])["version"] == names[0]
    assert weights.read_bytes() == right
    assert called("models", "pull", names[0])["version"] == names[0]
    assert called("models", "promote", names[0])["champion"] == names[0]
    weights.write_bytes(b"other")
    ModelStore(store_url, ModelFolders(home)).remove(names[0])
    result = RUN.invoke(app, ["models", "pull", names[0]])
    assert getattr(result.exception, "exit_code", None) == 4
    assert weights.is_file()  # the only copy, damaged as it is


def test_with_a_store_a_promoted_folder_is_copied_first(
    engine: Engine, home: Path, store_url: str, checkpoints: list[Path]
) -> None:
    """So that other machines find it, under a name that its weights bear out."""
    version = called("models", "promote", checkpoints[1])["champion"]
    assert found(engine, version).path == str(home / "models" / version)
    assert found(engine, version).content_sha256 is not None


def test_without_a_store_pushing_says_what_to_set(engine: Engine, names: list[str]) -> None:
    """A wrong setting, exit code 2."""
    result = RUN.invoke(app, ["models", "push", names[0]])
    assert getattr(result.exception, "exit_code", None) == 2
    assert "OPINION_REGISTRY__URL" in str(getattr(result.exception, "remedy", ""))


def test_a_worker_starts_with_a_champion_that_was_trained_elsewhere(
    engine: Engine, names: list[str], home: Path, store_url: str, database_url: str, tmp_path: Path
) -> None:
    """Its first classifier is fetched; one that cannot be fetched leaves it with the configured checkpoint."""
    promote(engine, names[0], reason="test", by="li", home=home)
    push_missing(engine, ModelStore(store_url, ModelFolders(home)))
    home.rename(tmp_path / "another machine")

    def first() -> str:
        worker = Worker(load_settings(), "nowhere:9092", database_url)
        try:
            return asyncio.run(worker._first_classifier()).version
        finally:
            worker._engine.dispose()

    assert first() == names[0]
    shutil.rmtree(home)
    ModelStore(store_url, ModelFolders(home)).remove(names[0])
    assert first() == "m0"


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub 1.16 and httpx
def test_a_model_of_a_hub_is_known_after_it_was_pulled(
    engine: Engine, names: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With where it came from; its figures are only a claim."""
    hub = ModelHub("hf_right")
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    with serving(hub.app) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        called("models", "push", "team/opinion", "--version", names[0])
        shutil.rmtree(home / "models" / names[0])
        with engine.begin() as connection:
            connection.execute(delete(model_version).where(model_version.c.version == names[0]))
        assert called("models", "pull", "team/opinion@main")["version"] == names[0]
    pulled = found(engine, names[0])
    assert (pulled.origin, pulled.options) == ("hub", {"hub": "team/opinion", "commit": COMMIT})
    assert pulled.metrics == {"claimed": {}}
    assert called("models", "verify", names[0])["is_intact"]


def _refuse(*_: Any, **__: Any) -> Any:
    raise ConnectionError("no route to the store")
